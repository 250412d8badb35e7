/* fetch: one request over HTTP/1.1 to a server that we do not trust: bounded in time and size, no
 * redirects, no proxies, no cookies. By libcurl; it waits. */
#pragma once

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define FETCH_BASE_BYTES 192

struct fetch_host {
	char base[FETCH_BASE_BYTES]; /* "http://10.0.0.1:9464", without a last / */
	const char *token;           /* "": none is said */
	uint64_t connect_ns;         /* for the connection, at most */
	uint64_t whole_ns;           /* for all of it              */
};

struct fetch {
	const char *method; /* "GET", "HEAD", "POST", "DELETE" */
	const char *path;   /* "/api/v1/server"        */
	const char *body;   /* JSON, or NULL           */
	char *into;         /* the answer, not terminated */
	size_t size;        /* bytes it may have       */
};

/* "http://HOST:PORT", perhaps with a last /. 0, or -EINVAL with one line in `err` that begins with
 * `option`. */
int fetch_base(const char *option, const char *url, char base[FETCH_BASE_BYTES], struct err *err);

/* 0 with the answer's status and length; or a negative errno with why in `err` (without the URL):
 * -ECONNREFUSED and the like, -ECONNRESET (no whole answer), -ETIMEDOUT, -EMSGSIZE (more than
 * `size` bytes), -EPROTO. */
int fetch(const struct fetch_host *host, const struct fetch *what, unsigned int *status,
          size_t *len, struct err *err);
