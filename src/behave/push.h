/* push: messages that a server sends to all its connections, in rounds, and how they are heard.
 * Pure.
 *
 *   bytes 0-3    "PUSH"
 *   bytes 4-7    size of the whole message, big-endian as what follows
 *   bytes 8-15   round: counted from 0, through all stages
 *   bytes 16-23  when it was due, CLOCK_MONOTONIC of the server's host, in ns
 *   bytes 24-31  check: a keyed mix of all that
 *   then         a pattern made from the check
 *
 * No token (behave/token.h) begins like that, so both may come in one stream. */
#pragma once

#include "base/answer.h"
#include "base/stage.h"

#include <stdbool.h>
#include <stdint.h>

#define PUSH_HEAD_BYTES 32
#define PUSH_FIRST_BYTE 'P'
#define PUSH_ANY        UINT32_MAX /* as the round that comes next: not known yet */

struct push_message {
	uint64_t due_ns;
	uint32_t round;
	uint32_t size; /* PUSH_HEAD_BYTES .. STAGE_MESSAGE_MOST */
};

/* The size of a round's messages: evenly between the stage's two, and never below the least that a
 * message is. */
uint32_t push_size(const struct stage *stage, uint32_t round);

/* Writes bytes offset .. offset + len - 1 of the message. */
void push_write(const struct push_message *message, uint64_t key, uint32_t offset, uint8_t *out,
                uint32_t len);

/* What has come of a message so far. Zeroed where nothing has. Worth keeping only while it is a
 * part of one. */
struct push_hearing {
	uint32_t heard; /* bytes */
	uint8_t head[PUSH_HEAD_BYTES];
};

enum push_heard {
	PUSH_MORE,  /* it is not whole yet, and all that was given is of it            */
	PUSH_WHOLE, /* it is, and right                                                */
	PUSH_WRONG  /* this is none of ours: the stream has lost its place             */
};

/* Takes what has come, len > 0, and says in *used how much of it belongs to this message. With
 * PUSH_WHOLE it stands in *out, and the hearing is that of the next. */
enum push_heard push_hear(struct push_hearing *h, uint64_t key, const uint8_t *data, uint32_t len,
                          uint32_t *used, struct push_message *out);

/* What a whole message is to a connection on which round *next (or PUSH_ANY) was to come:
 * ANSWER_GOOD, or ANSWER_REPEATED of a round that it has had. *missed says how many it has not had
 * before this one; *next goes on. */
enum answer push_judge(uint32_t *next, uint32_t round, uint32_t *missed);
