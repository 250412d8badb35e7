/* responder: the server's side of HTTP/1.1 (RFC 9112): requests in, cut anywhere and one behind the
 * other, responses out in their order. Each whole request is answered with 200 and a body of the
 * same size; HEAD without the body; what is no HTTP with 400, after which nothing is heard any
 * more. Connections stay open where the request allows it. Pure; http-parser takes requests apart.
 *
 * CONNECT is answered with 400 (we are no proxy), an Upgrade is not taken, Expect is not answered:
 * all as RFC 9110 lets a server do. */
#pragma once

#include <http_parser.h>
#include <stdbool.h>
#include <stdint.h>

#define RESPONDER_MOST       1024  /* requests whose answers are to come: as many as a read has */
#define RESPONDER_READ_BYTES 16384 /* of one hear, at most                                      */
#define RESPONDER_BODY_MOST  (UINT32_C(1) << 30)

/* What is answered; the same for all connections. */
struct response {
	char keep[160]; /* status line and headers of an answer after which it stays open */
	char end[160];  /* or is closed                                                   */
	uint32_t keep_bytes, end_bytes;
	uint32_t body_bytes;
};

/* Of one connection. Worth keeping only while it does not rest. */
struct responder {
	http_parser parser;
	uint64_t heads[RESPONDER_MOST / 64 + 1]; /* a bit each: HEAD, no body */
	uint64_t said;                           /* bytes of answer `next` that were said   */
	uint16_t next, count;                    /* answers next .. count - 1 are to come   */
	bool in_request;                         /* a part of one has come                  */
	bool ends;                               /* the last answer is the connection's     */
	bool is_malformed;                       /* and it is 400                           */
};

void response_make(struct response *response, uint32_t body_bytes);

void responder_init(struct responder *r);

/* Takes what has come, 1 .. RESPONDER_READ_BYTES. All answers to what came before must have been
 * said. */
void responder_hear(struct responder *r, const uint8_t *data, uint32_t len);

/* Whether there is an answer to say; whether nothing is under way at all, and it is as it was when
 * it was made. */
bool responder_has_answer(const struct responder *r);
bool responder_rests(const struct responder *r);

/* Writes what comes next of the answers, at most `most` bytes: how many. They count as said. */
uint32_t responder_say(struct responder *r, const struct response *response, uint8_t *out,
                       uint32_t most);
