/* http: the behaviour of `--traffic http`: what is said is one request (behave/request.h), and each
 * response is heard by http-parser until it is whole. Pure.
 *
 * Good is a whole response with a status of 2xx or 3xx, whatever its body: its length is what
 * Content-Length or the chunks say, none with 204 and 304. Interim responses (1xx) before it belong
 * to it. Another status is ANSWER_STATUS, and the stream keeps its place. ANSWER_MALFORMED is what
 * the parser refuses, a protocol that is not HTTP/1, a 101 (nothing asked for another protocol),
 * and bytes after the end, in the same read, that are not another response: its body is longer than
 * it said. A body that is shorter is never whole; nor is one that only the connection's end
 * delimits, which has no place among keep-alive requests.
 *
 * A server that closes says so (Connection: close; HTTP/1.0 without keep-alive): then the hearing
 * of the whole answer has is_last set. */
#pragma once

#include "behave/behaviour.h"

#define HTTP_HEAD_MOST  1024 /* bytes of a head that is kept */
#define HTTP_DATE_BYTES 29   /* "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 section 5.6.7) */

/* The head of the last response that was whole in one read, and what came of it: one that is the
 * same but for its date is not taken apart again. It changes no answer, only what one costs. */
struct http_memory {
	uint32_t head_bytes, body_bytes; /* 0: none is kept */
	uint32_t date_at;                /* where its date begins; 0: it has none */
	enum answer answer;
	bool is_last;
	uint8_t head[HTTP_HEAD_MOST];
};

/* behaviour_turn, _write and _hear of TRAFFIC_HTTP. */
void http_turn(const struct behaviour *b, uint32_t index, uint32_t number, struct turn *out);
void http_write(const struct behaviour *b, uint32_t index, uint32_t number, uint32_t offset,
                uint8_t *out, uint32_t len);
enum answer http_hear(const struct behaviour *b, uint32_t index, uint32_t number,
                      struct hearing *hearing, const uint8_t *data, uint32_t len, uint32_t *used);
