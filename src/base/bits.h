/* bits: a set of numbers below a bound, a bit each, that is walked in their order. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct bits {
	uint64_t *words;
	uint32_t end;   /* all numbers are below it */
	uint32_t count; /* how many are in it       */
};

/* Makes it, empty, for numbers below `end`. False where there is no memory. */
bool bits_make(struct bits *b, uint32_t end);

static inline bool bits_has(const struct bits *b, uint32_t number)
{
	return b->words[number / 64] >> number % 64 & 1;
}

/* Puts it in, takes it out; nothing happens where that is so already. */
void bits_set(struct bits *b, uint32_t number);
void bits_clear(struct bits *b, uint32_t number);

/* Takes out all. */
void bits_empty(struct bits *b);

/* The first in it that is not below `from`; `end` where there is none. */
uint32_t bits_next(const struct bits *b, uint32_t from);
