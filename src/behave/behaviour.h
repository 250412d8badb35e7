/* behaviour: what a connection says and what it takes for an answer: bytes in, bytes or a verdict
 * out. Pure. One of echo, push, http, script (behave/echo.h ...), chosen by the kind of traffic.
 *
 * What is said is a function of (key, index, number): nothing is kept to say it again, and an
 * engine with a TCP of its own asks for it as often as it likes. Messages of a connection are
 * numbered from 0; when one is answered, the next may be said. */
#pragma once

#include "base/answer.h"
#include "base/stage.h"
#include "behave/request.h"
#include "behave/script.h"

#include <stdbool.h>
#include <stdint.h>

#define BEHAVIOUR_MORE ANSWER_COUNT /* in place of an answer: it is not whole yet */

struct http_memory; /* behave/http.h */

struct behaviour {
	const struct stage *stage;
	const struct request *request; /* of http   */
	const struct script *script;   /* of script */
	uint64_t key;
	struct http_memory *memory; /* of http: the caller's, zeroed; NULL: it does without */
};

/* A message and what is to come of it. */
struct turn {
	uint64_t wait_ns;   /* pause before it is said (scripts)                              */
	uint32_t say_bytes; /* 0: nothing is said, only heard                                 */
	bool is_answered;   /* an answer is expected; else it is done when it is said         */
	bool is_last;       /* nothing comes after it: the connection rests                   */
};

/* What has come of an answer so far. Zeroed where nothing has. Worth keeping only while it is a
 * part of one. */
struct hearing {
	uint32_t heard;    /* bytes */
	bool is_last;      /* set with a whole answer: it says that the server closes after it */
	uint64_t state[6]; /* the behaviour's own */
};

void behaviour_turn(const struct behaviour *b, uint32_t index, uint32_t number, struct turn *out);

/* Writes bytes offset .. offset + len - 1 of the message. */
void behaviour_write(const struct behaviour *b, uint32_t index, uint32_t number, uint32_t offset,
                     uint8_t *out, uint32_t len);

/* Takes what has come, len > 0, and says in *used how much of it belongs to this answer: what
 * follows is not asked for yet. BEHAVIOUR_MORE, and *used is len; or how the answer is:
 * ANSWER_GOOD, _MISMATCHED, _REPEATED, _STATUS, _MALFORMED. After the last three but STATUS the
 * stream has lost its place: the connection is to be closed. */
enum answer behaviour_hear(const struct behaviour *b, uint32_t index, uint32_t number,
                           struct hearing *hearing, const uint8_t *data, uint32_t len,
                           uint32_t *used);
