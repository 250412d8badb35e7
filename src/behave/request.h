/* request: the HTTP/1.1 request that `--traffic http` says, the same on every connection. Pure. How
 * its responses are heard: behave/http.h. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define REQUEST_BYTES_MOST 2048
#define REQUEST_PATH_MOST  1024 /* bytes of a path */

struct request {
	char text[REQUEST_BYTES_MOST]; /* GET /path HTTP/1.1, Host, User-Agent, empty line */
	uint32_t bytes;
};

/* Makes it for a host (a name or an address, without brackets, at most 255 bytes) and a port. 0;
 * -EINVAL with one line where `path` is none that a request may have: it begins with a slash and
 * has only printable ASCII, no blanks, no fragment (RFC 9112 section 3.2.1), at most
 * REQUEST_PATH_MOST bytes. */
int request_make(struct request *request, const char *host, uint16_t port, const char *path,
                 struct err *err);
