/* unit_push: the form of a push, hearing it from a stream that is cut anywhere, what is none, and
 * the rounds. Pieces lie in memory of exactly their size. */
#include "behave/push.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#define KEY         UINT64_C(0x0123456789abcdef)

static const struct push_message one = {
	.due_ns = UINT64_C(0x0102030405060708), .round = 0x0a0b0c0d, .size = 100};

/* Hears a piece, in memory of its own; what it used. */
static enum push_heard hear(struct push_hearing *h, uint64_t key, const uint8_t *data, uint32_t len,
                            uint32_t *used, struct push_message *out)
{
	uint8_t *piece = malloc(len);
	enum push_heard heard;

	assert_non_null(piece);
	memcpy(piece, data, len);
	heard = push_hear(h, key, piece, len, used, out);
	free(piece);
	return heard;
}

static void assert_is(const struct push_message *got, const struct push_message *wanted)
{
	assert_int_equal(got->due_ns, wanted->due_ns);
	assert_int_equal(got->round, wanted->round);
	assert_int_equal(got->size, wanted->size);
}

static void test_form(void **state)
{
	static const uint8_t head[] = {'P', 'U', 'S', 'H', 0, 0, 0, 100, 0, 0, 0, 0,
	                               10,  11,  12,  13,  1, 2, 3, 4,   5, 6, 7, 8};
	uint8_t whole[100], piece[100];

	(void)state;
	push_write(&one, KEY, 0, whole, sizeof(whole));
	assert_memory_equal(whole, head, sizeof(head));
	for (uint32_t at = 0; at < sizeof(whole); at++) {
		for (uint32_t len = 0; at + len <= sizeof(whole); len++) {
			memset(piece, 0xee, sizeof(piece));
			push_write(&one, KEY, at, piece, len);
			assert_memory_equal(piece, whole + at, len);
			assert_int_equal(len < sizeof(piece) ? piece[len] : 0xee, 0xee);
		}
	}
}

/* Three messages behind each other, in pieces of each length. */
static void test_cut_anywhere(void **state)
{
	static const struct push_message all[] = {
		{.due_ns = 5, .round = 0, .size = PUSH_HEAD_BYTES},
		{.due_ns = 6, .round = 1, .size = 33},
		{.due_ns = 7, .round = 2, .size = 1000},
	};
	uint8_t stream[PUSH_HEAD_BYTES + 33 + 1000];
	uint32_t end = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(all); end += all[i++].size)
		push_write(&all[i], KEY, 0, stream + end, all[i].size);
	for (uint32_t cut = 1; cut <= end; cut++) {
		struct push_hearing h = {0};
		size_t heard = 0;

		for (uint32_t at = 0; at < end;) {
			struct push_message m;
			uint32_t len = cut - at % cut, used;

			len = at + len > end ? end - at : len;
			enum push_heard what = hear(&h, KEY, stream + at, len, &used, &m);

			assert_true(used > 0 && used <= len);
			assert_int_not_equal(what, PUSH_WRONG);
			assert_true(what == PUSH_WHOLE || used == len);
			at += used;
			if (what == PUSH_WHOLE)
				assert_is(&m, &all[heard++]);
		}
		assert_int_equal(heard, COUNT_OF(all));
		assert_int_equal(h.heard, 0);
	}
}

/* Each bit of a message counts, wherever it is cut. */
static void test_bits(void **state)
{
	uint8_t whole[100];

	(void)state;
	for (uint32_t bit = 0; bit < 8 * sizeof(whole); bit++) {
		struct push_hearing h = {0};
		struct push_message m;
		enum push_heard heard = PUSH_MORE;
		uint32_t cut = bit % sizeof(whole), used;

		push_write(&one, KEY, 0, whole, sizeof(whole));
		whole[bit / 8] ^= (uint8_t)(1U << bit % 8);
		if (cut > 0)
			heard = hear(&h, KEY, whole, cut, &used, &m);
		if (heard == PUSH_MORE)
			heard = hear(&h, KEY, whole + cut, sizeof(whole) - cut, &used, &m);
		assert_int_equal(heard, PUSH_WRONG);
	}
}

static void test_other_key(void **state)
{
	struct push_hearing h = {0};
	struct push_message m;
	uint8_t whole[100];
	uint32_t used;

	(void)state;
	push_write(&one, KEY, 0, whole, sizeof(whole));
	assert_int_equal(hear(&h, KEY + 1, whole, sizeof(whole), &used, &m), PUSH_WRONG);
}

/* What is no size of a message, though its check is right. */
static void test_sizes_that_are_none(void **state)
{
	static const uint32_t sizes[] = {0, 1, PUSH_HEAD_BYTES - 1, STAGE_MESSAGE_MOST + 1,
	                                 UINT32_MAX};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		const struct push_message wrong = {.due_ns = 1, .round = 1, .size = sizes[i]};
		struct push_hearing h = {0};
		struct push_message m;
		uint8_t head[PUSH_HEAD_BYTES];
		uint32_t used;

		push_write(&wrong, KEY, 0, head, sizeof(head));
		assert_int_equal(hear(&h, KEY, head, sizeof(head), &used, &m), PUSH_WRONG);
	}
}

static void test_rounds(void **state)
{
	static const struct {
		uint32_t next, round;
		enum answer answer;
		uint32_t missed, then;
	} table[] = {
		{0, 0, ANSWER_GOOD, 0, 1},         {0, 3, ANSWER_GOOD, 3, 4},
		{4, 3, ANSWER_REPEATED, 0, 4},     {4, 0, ANSWER_REPEATED, 0, 4},
		{4, 4, ANSWER_GOOD, 0, 5},         {4, 6, ANSWER_GOOD, 2, 7},
		{PUSH_ANY, 9, ANSWER_GOOD, 0, 10}, {PUSH_ANY, 0, ANSWER_GOOD, 0, 1},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(table); i++) {
		uint32_t next = table[i].next, missed;

		assert_int_equal(push_judge(&next, table[i].round, &missed), table[i].answer);
		assert_int_equal(missed, table[i].missed);
		assert_int_equal(next, table[i].then);
	}
}

static void test_size_of_a_round(void **state)
{
	const struct stage small = {.size_least_bytes = 1, .size_most_bytes = 1};
	const struct stage fixed = {.size_least_bytes = 500, .size_most_bytes = 500};
	const struct stage between = {.size_least_bytes = 100, .size_most_bytes = 103};
	uint32_t seen = 0;

	(void)state;
	for (uint32_t round = 0; round < 100; round++) {
		assert_int_equal(push_size(&small, round), PUSH_HEAD_BYTES);
		assert_int_equal(push_size(&fixed, round), 500);
		assert_in_range(push_size(&between, round), 100, 103);
		seen |= 1U << (push_size(&between, round) - 100);
	}
	assert_int_equal(seen, 15);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_form),
		cmocka_unit_test(test_cut_anywhere),
		cmocka_unit_test(test_bits),
		cmocka_unit_test(test_other_key),
		cmocka_unit_test(test_sizes_that_are_none),
		cmocka_unit_test(test_rounds),
		cmocka_unit_test(test_size_of_a_round),
	};

	return cmocka_run_group_tests_name("push", tests, NULL, NULL);
}
