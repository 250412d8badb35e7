/* http: the samples over HTTP, while something runs: a live page, metrics for Prometheus, and the
 * samples themselves. libmicrohttpd answers in a thread of its own.
 *
 *   /                the live page
 *   /metrics         the last sample, for Prometheus (out/prom)
 *   /api/v1/sample   the last sample as one JSON object (out/series)
 *   /api/v1/events   server-sent events: a sample each second, those of the last minutes first;
 *                    at the end one event "end"
 *   /api/v1/figures  what the names in a sample mean (base/figure)
 *
 *
 * and of a server, for other hosts (out/api): /api/v1/server, /api/v1/bill, /api/v1/runs...
 *
 * But for runs it answers GET and HEAD alone; it says nothing of what the request says, and holds
 * at most HTTP_CLIENTS_MAX connections; one that rests for HTTP_TIMEOUT_S is closed, but for
 * events. Where there is a token, who does not say it (Authorization: Bearer TOKEN; with GET and
 * HEAD also ?token=TOKEN) is answered 401. */
#pragma once

#include "base/api.h"
#include "base/err.h"
#include "base/result.h"
#include "base/sample.h"
#include "out/http_token.h"

#define HTTP_CLIENTS_MAX 64
#define HTTP_TIMEOUT_S   5
#define HTTP_PAST        300 /* samples that a new reader of events is given first */

struct http;

/* Who may ask, and what. */
struct http_gate {
	const struct http_token *token; /* copied */
	const struct api_source *api;   /* NULL: nothing of other hosts' runs; else it stays */
};

/* Asked before a run, so that it can be refused: whether `address`, "127.0.0.1:9464" or
 * "[::1]:9464", can be listened on; port 0 is any that is free. Nothing stays open. 0, or with one
 * line in `err`: -EINVAL where it is not ADDR:PORT, and what bind(2) says: -EADDRINUSE, -EACCES,
 * -EADDRNOTAVAIL. */
int http_check(const char *address, struct err *err);

/* Listens, and starts the thread, which takes no signals. Called after the processes of a run were
 * forked, so that none of them has the socket. To be closed by the caller. NULL with one line in
 * `err`, for what http_check finds and for want of memory. */
struct http *http_open(const char *address, const struct http_gate *gate, struct err *err);

/* "http://127.0.0.1:9464/", with the port that was bound; valid until it is closed. */
const char *http_url(const struct http *http);

/* What is answered from now on; copied. Called once a second. */
void http_publish(struct http *http, const struct sample *sample);

/* What a run came to: readers of events are told, and the page says so, when it is closed. */
void http_result(struct http *http, const struct result *result);

/* The gate's source is about to go: returns when nobody asks it any more. */
void http_leave_api(struct http *http);

/* Ends all that is open, and the thread. NULL is none. */
void http_close(struct http *http);
