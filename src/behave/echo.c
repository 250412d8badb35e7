/* echo: see the header for its form. A message is written and checked 8 bytes at a time, each word
 * by itself a mix of a counter (splitmix64), so that it may begin anywhere. */
#include "behave/echo.h"

#include "base/mix.h"

#include <endian.h>
#include <string.h>

#define UPPER_BITS UINT64_C(0x8080808080808080)
#define STEP       UINT64_C(0x9e3779b97f4a7c15)
#define PIECE      256U

/* What the words of a message are counted from. */
static uint64_t seed_of(const struct behaviour *b, uint32_t index, uint32_t number)
{
	return mix64(b->key ^ ((uint64_t)number << 32 | index));
}

static uint32_t size_of(const struct behaviour *b, uint32_t index, uint32_t number)
{
	const struct stage *s = b->stage;
	uint64_t sizes = (uint64_t)s->size_most_bytes - s->size_least_bytes + 1;

	if (sizes == 1)
		return s->size_least_bytes;
	uint64_t drawn = mix64(seed_of(b, index, number) ^ STEP) >> 32;

	return s->size_least_bytes + (uint32_t)(drawn * sizes >> 32);
}

/* 7 bits a byte, the lowest in the last. */
static void put_sevens(uint8_t *at, uint64_t value, unsigned int bytes)
{
	for (unsigned int i = 0; i < bytes; i++)
		at[i] = (uint8_t)(0x80 | (value >> (7 * (bytes - 1 - i)) & 0x7f));
}

static void put_header(const struct behaviour *b, uint32_t index, uint32_t number,
                       uint8_t out[ECHO_HEADER])
{
	put_sevens(out, index, 5);
	put_sevens(out + 5, number, 5);
	put_sevens(out + 10, seed_of(b, index, number), 6);
}

static uint64_t word_at(uint64_t seed, uint32_t word)
{
	return htole64(mix64(seed + word * STEP) | UPPER_BITS);
}

/* The part of a word from `offset`, up to its end or `len` bytes. Returns how many. */
static uint32_t write_part(uint64_t seed, uint32_t offset, uint8_t *out, uint32_t len)
{
	uint64_t word = word_at(seed, offset / 8);
	uint32_t there = 8 - offset % 8, count = there < len ? there : len;

	memcpy(out, (const uint8_t *)&word + offset % 8, count);
	return count;
}

static void write_words(uint64_t seed, uint32_t offset, uint8_t *out, uint32_t len)
{
	uint32_t at = offset % 8 != 0 && len > 0 ? write_part(seed, offset, out, len) : 0;

	for (; at + 8 <= len; at += 8) {
		uint64_t word = word_at(seed, (offset + at) / 8);

		memcpy(out + at, &word, 8);
	}
	if (at < len)
		write_part(seed, offset + at, out + at, len - at);
}

void echo_turn(const struct behaviour *b, uint32_t index, uint32_t number, struct turn *out)
{
	*out = (struct turn){.say_bytes = size_of(b, index, number), .is_answered = true};
}

static void write_sized(const struct behaviour *b, uint32_t index, uint32_t number, uint32_t size,
                        uint32_t offset, uint8_t *out, uint32_t len)
{
	uint8_t header[ECHO_HEADER];
	uint32_t named = 0;

	if (size >= ECHO_HEADER && offset < ECHO_HEADER) {
		put_header(b, index, number, header);
		named = ECHO_HEADER - offset < len ? ECHO_HEADER - offset : len;
		memcpy(out, header + offset, named);
	}
	write_words(seed_of(b, index, number), offset + named, out + named, len - named);
}

void echo_write(const struct behaviour *b, uint32_t index, uint32_t number, uint32_t offset,
                uint8_t *out, uint32_t len)
{
	write_sized(b, index, number, size_of(b, index, number), offset, out, len);
}

/* Whether these bytes are those of the message of that size. */
static bool is_same(const struct behaviour *b, uint32_t index, uint32_t number, uint32_t size,
                    uint32_t offset, const uint8_t *data, uint32_t len)
{
	uint8_t expected[PIECE];

	for (uint32_t at = 0, count; at < len; at += count) {
		count = len - at < PIECE ? len - at : PIECE;
		write_sized(b, index, number, size, offset + at, expected, count);
		if (memcmp(expected, data + at, count) != 0)
			return false;
	}
	return true;
}

/* Whether all that has come may be the beginning of the message before: its header, or all of one
 * that has none. What has come of other bytes is noted. */
static bool may_be_before(const struct behaviour *b, uint32_t index, uint32_t number,
                          struct hearing *hearing, const uint8_t *data, uint32_t len)
{
	if (number == 0 || hearing->state[0] != 0)
		return false;
	uint32_t size = size_of(b, index, number - 1);
	uint32_t named = size < ECHO_HEADER ? size : ECHO_HEADER;
	uint32_t left = hearing->heard < named ? named - hearing->heard : 0;

	if (is_same(b, index, number - 1, size, hearing->heard, data, len < left ? len : left))
		return true;
	hearing->state[0] = 1;
	return false;
}

/* Of bytes that are not this message's: the one before is known when its header is whole. */
static enum answer judge_others(const struct behaviour *b, uint32_t index, uint32_t number,
                                struct hearing *hearing, const uint8_t *data, uint32_t len)
{
	if (!may_be_before(b, index, number, hearing, data, len))
		return ANSWER_MISMATCHED;
	uint32_t size = size_of(b, index, number - 1);

	hearing->state[1] = 1; /* they are not this one's */
	hearing->heard += len;
	return hearing->heard >= (size < ECHO_HEADER ? size : ECHO_HEADER) ? ANSWER_REPEATED
	                                                                   : BEHAVIOUR_MORE;
}

enum answer echo_hear(const struct behaviour *b, uint32_t index, uint32_t number,
                      struct hearing *hearing, const uint8_t *data, uint32_t len, uint32_t *used)
{
	uint32_t size = size_of(b, index, number), left = size - hearing->heard;
	uint32_t count = len < left ? len : left;

	*used = len;
	if (hearing->state[1] != 0 || !is_same(b, index, number, size, hearing->heard, data, count))
		return judge_others(b, index, number, hearing, data, len);
	*used = count;
	if (hearing->heard < ECHO_HEADER && count < left)
		may_be_before(b, index, number, hearing, data, count);
	hearing->heard += count;
	return hearing->heard == size ? ANSWER_GOOD : BEHAVIOUR_MORE;
}
