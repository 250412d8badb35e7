/* script: a small conversation of lines (docs/script.md), as turns: what is said, then what is
 * heard. Pure. Its text is read by behave/script_parse.h. */
#pragma once

#include "base/answer.h"

#include <stdbool.h>
#include <stdint.h>

#define SCRIPT_TURNS_MOST 64
#define SCRIPT_BYTES_MOST 8192 /* of all texts together */

/* In a text this byte is a mark, and the one after it says for what: */
#define SCRIPT_MARK       0xff
#define SCRIPT_MARK_BYTE  0 /* the byte itself                                       */
#define SCRIPT_MARK_NONCE 1 /* 16 hexadecimal digits, of run, connection and message */
#define SCRIPT_MARK_INDEX 2 /* + width: decimal, with zeros before it up to `width`  */
#define SCRIPT_WIDTH_MOST 10

struct script_turn {
	uint64_t wait_ns;                 /* before it */
	uint16_t say_at, say_bytes;       /* in text: with marks where {index} and {nonce} stand */
	uint16_t expect_at, expect_bytes; /* likewise; 0 bytes: no answer */
	bool is_prefix;                   /* the answer is a line that begins like that */
};

struct script {
	struct script_turn turns[SCRIPT_TURNS_MOST];
	uint32_t count;
	uint32_t loop_from; /* after the last turn comes this one; count: nothing does */
	uint64_t enter_ns;  /* a pause before loop_from, when it is come to first */
	uint64_t again_ns;  /* and when it is come to from the last turn          */
	uint8_t text[SCRIPT_BYTES_MOST];
	uint32_t text_bytes;
};

struct behaviour;
struct turn;
struct hearing;

/* behaviour_turn, _write and _hear of TRAFFIC_SCRIPT. Of ends there are ANSWER_GOOD and
 * ANSWER_MISMATCHED: where all answers are the same, one that comes twice is like another. */
void script_turn(const struct behaviour *b, uint32_t index, uint32_t number, struct turn *out);
void script_write(const struct behaviour *b, uint32_t index, uint32_t number, uint32_t offset,
                  uint8_t *out, uint32_t len);
enum answer script_hear(const struct behaviour *b, uint32_t index, uint32_t number,
                        struct hearing *hearing, const uint8_t *data, uint32_t len, uint32_t *used);

/* Whether there is a pause in it. */
bool script_waits(const struct script *script);

/* Bytes of the longest message that it says. */
uint32_t script_longest(const struct script *script);
