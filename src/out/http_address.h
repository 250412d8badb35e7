/* http_address: where HTTP is served, as users write it: ADDR:PORT. Pure. */
#pragma once

#include "base/err.h"
#include "plan/ip.h"

#include <stdint.h>

#define HTTP_URL_BYTES 72

struct http_address {
	struct ip ip;
	uint16_t port; /* 0: any that is free */
};

/* "127.0.0.1:9464", "[::1]:9464": an address, no name. 0, or -EINVAL with one line. */
int http_address_parse(const char *text, struct http_address *out, struct err *err);

/* "http://[::1]:9464/"; returns `url`. */
const char *http_address_url(const struct http_address *address, char url[HTTP_URL_BYTES]);
