/* push: see the header. */
#include "behave/push.h"

#include "base/mix.h"

#include <string.h>

static const uint8_t magic[4] = {PUSH_FIRST_BYTE, 'U', 'S', 'H'};

static void put_be(uint8_t *at, uint64_t value, int bytes)
{
	for (int i = 0; i < bytes; i++)
		at[i] = (uint8_t)(value >> (8 * (bytes - 1 - i)));
}

static uint64_t get_be(const uint8_t *at, int bytes)
{
	uint64_t value = 0;

	for (int i = 0; i < bytes; i++)
		value = value << 8 | at[i];
	return value;
}

static uint64_t check_of(const struct push_message *m, uint64_t key)
{
	return mix64(key ^ mix64(m->due_ns ^ mix64((uint64_t)m->round << 32 | m->size)));
}

static void write_head(const struct push_message *m, uint64_t key, uint8_t head[PUSH_HEAD_BYTES])
{
	memcpy(head, magic, sizeof(magic));
	put_be(head + 4, m->size, 4);
	put_be(head + 8, m->round, 8);
	put_be(head + 16, m->due_ns, 8);
	put_be(head + 24, check_of(m, key), 8);
}

/* False where it is none. */
static bool parse_head(const uint8_t head[PUSH_HEAD_BYTES], uint64_t key, struct push_message *m)
{
	*m = (struct push_message){
		.size = (uint32_t)get_be(head + 4, 4),
		.round = (uint32_t)get_be(head + 8, 8),
		.due_ns = get_be(head + 16, 8),
	};
	return memcmp(head, magic, sizeof(magic)) == 0 && get_be(head + 8, 4) == 0 &&
	       m->size >= PUSH_HEAD_BYTES && m->size <= STAGE_MESSAGE_MOST &&
	       get_be(head + 24, 8) == check_of(m, key);
}

/* Byte `offset` of the message, beyond the head: eight come of one mix. */
static void pattern(uint64_t check, uint32_t offset, uint8_t *out, uint32_t len)
{
	uint64_t word = mix64(check + offset / 8);

	for (uint32_t i = 0; i < len; i++, offset++) {
		if (offset % 8 == 0)
			word = mix64(check + offset / 8);
		out[i] = (uint8_t)(word >> offset % 8 * 8);
	}
}

uint32_t push_size(const struct stage *stage, uint32_t round)
{
	uint32_t least = stage->size_least_bytes, most = stage->size_most_bytes;
	uint32_t size = least;

	if (most > least)
		size += (uint32_t)(mix64(round) % (most - least + 1));
	return size < PUSH_HEAD_BYTES ? PUSH_HEAD_BYTES : size;
}

void push_write(const struct push_message *message, uint64_t key, uint32_t offset, uint8_t *out,
                uint32_t len)
{
	uint8_t head[PUSH_HEAD_BYTES];
	uint32_t of_head = 0;

	if (offset < PUSH_HEAD_BYTES) {
		of_head = PUSH_HEAD_BYTES - offset < len ? PUSH_HEAD_BYTES - offset : len;
		write_head(message, key, head);
		memcpy(out, head + offset, of_head);
	}
	pattern(check_of(message, key), offset + of_head, out + of_head, len - of_head);
}

static bool is_pattern(uint64_t check, uint32_t offset, const uint8_t *data, uint32_t len)
{
	uint8_t expected[64];

	while (len > 0) {
		uint32_t piece = len < sizeof(expected) ? len : (uint32_t)sizeof(expected);

		pattern(check, offset, expected, piece);
		if (memcmp(expected, data, piece) != 0)
			return false;
		offset += piece;
		data += piece;
		len -= piece;
	}
	return true;
}

/* Gathers the head; how many bytes it took. */
static uint32_t hear_head(struct push_hearing *h, const uint8_t *data, uint32_t len)
{
	uint32_t missing = h->heard < PUSH_HEAD_BYTES ? PUSH_HEAD_BYTES - h->heard : 0;
	uint32_t taken = missing < len ? missing : len;

	memcpy(h->head + (PUSH_HEAD_BYTES - missing), data, taken);
	h->heard += taken;
	return taken;
}

enum push_heard push_hear(struct push_hearing *h, uint64_t key, const uint8_t *data, uint32_t len,
                          uint32_t *used, struct push_message *out)
{
	*used = hear_head(h, data, len);
	if (h->heard < PUSH_HEAD_BYTES)
		return memcmp(h->head, magic, h->heard < 4 ? h->heard : 4) == 0 ? PUSH_MORE
		                                                                : PUSH_WRONG;
	if (!parse_head(h->head, key, out))
		return PUSH_WRONG;
	uint32_t left = out->size - h->heard;
	uint32_t piece = len - *used < left ? len - *used : left;

	if (!is_pattern(check_of(out, key), h->heard, data + *used, piece))
		return PUSH_WRONG;
	*used += piece;
	h->heard += piece;
	if (h->heard < out->size)
		return PUSH_MORE;
	h->heard = 0;
	return PUSH_WHOLE;
}

enum answer push_judge(uint32_t *next, uint32_t round, uint32_t *missed)
{
	*missed = 0;
	if (*next != PUSH_ANY && round < *next)
		return ANSWER_REPEATED;
	if (*next != PUSH_ANY)
		*missed = round - *next;
	*next = round + 1;
	return ANSWER_GOOD;
}
