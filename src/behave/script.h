/* script: a small conversation of lines (docs/script.md), as turns: what is said, then what is
 * heard. Pure. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define SCRIPT_TURNS_MOST 64
#define SCRIPT_BYTES_MOST 8192 /* of all texts together */

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
	uint8_t text[SCRIPT_BYTES_MOST];
	uint32_t text_bytes;
};
