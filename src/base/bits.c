/* bits: see the header. */
#include "base/bits.h"

#include "base/map.h"

#include <string.h>

bool bits_make(struct bits *b, uint32_t end)
{
	*b = (struct bits){.end = end};
	b->words = map_private(((size_t)end / 64 + 1) * sizeof(*b->words));
	return b->words != NULL;
}

void bits_set(struct bits *b, uint32_t number)
{
	uint64_t bit = UINT64_C(1) << number % 64;

	b->count += (b->words[number / 64] & bit) == 0;
	b->words[number / 64] |= bit;
}

void bits_clear(struct bits *b, uint32_t number)
{
	uint64_t bit = UINT64_C(1) << number % 64;

	if ((b->words[number / 64] & bit) == 0) /* and so an untouched page stays that */
		return;
	b->count--;
	b->words[number / 64] &= ~bit;
}

void bits_empty(struct bits *b)
{
	if (b->count > 0)
		memset(b->words, 0, ((size_t)b->end / 64 + 1) * sizeof(*b->words));
	b->count = 0;
}

uint32_t bits_next(const struct bits *b, uint32_t from)
{
	uint64_t word;
	uint32_t at;

	if (b->count == 0 || from >= b->end)
		return b->end;
	at = from / 64;
	word = b->words[at] >> from % 64 << from % 64;
	while (word == 0 && ++at <= b->end / 64)
		word = b->words[at];
	return word == 0 ? b->end : at * 64 + (uint32_t)__builtin_ctzll(word);
}
