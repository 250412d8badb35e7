/* endpoint: where to connect to or to listen, as users write it: a host and its ports. Pure: hosts
 * are not looked up. */
#pragma once

#include "base/err.h"

#include <stdint.h>

#define ENDPOINT_HOST_BYTES 256

struct endpoint {
	char host[ENDPOINT_HOST_BYTES]; /* name or address, without brackets; printable ASCII */
	uint16_t port_low, port_high;   /* 1..65535, low first; the same where it is one port */
};

/* Splits "HOST:PORT", "HOST:LOW-HIGH" and, with IPv6 addresses, "[ADDRESS]:PORT" (with a scope:
 * "[fe80::1%eth0]:8090"). Where default_host is not NULL, ":PORT" and "PORT" mean it; else they are
 * errors.
 *
 * 0; -EINVAL with one line that shows the text: no host, no port, a port out of range, a range that
 * is reversed, an IPv6 address without brackets, brackets around something else, a host that is too
 * long or holds blanks or unprintable bytes. *out is only written on success. */
int endpoint_parse(const char *text, const char *default_host, struct endpoint *out,
                   struct err *err);
