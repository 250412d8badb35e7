/* unit_echo: what a message of an echo is, that it is the same in whatever pieces it is written,
 * and that whatever comes back is called by its name, in whatever pieces it comes. */
#include "behave/echo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#define MOST        3000
#define KEY         UINT64_C(0x0123456789abcdef)

static uint64_t seed = 5;

static uint32_t draw(uint32_t below)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)((seed >> 33) % below);
}

static struct stage stage;
static const struct behaviour b = {.stage = &stage, .key = KEY};

static void set_sizes(uint32_t least, uint32_t most)
{
	stage = (struct stage){
		.traffic = TRAFFIC_ECHO, .size_least_bytes = least, .size_most_bytes = most};
}

/* Into memory of exactly its size; the caller frees it. */
static uint8_t *make(uint32_t index, uint32_t number, uint32_t *size)
{
	struct turn turn;

	behaviour_turn(&b, index, number, &turn);
	uint8_t *out = malloc(turn.say_bytes);

	assert_non_null(out);
	assert_true(turn.is_answered && !turn.is_last && turn.wait_ns == 0);
	behaviour_write(&b, index, number, 0, out, turn.say_bytes);
	*size = turn.say_bytes;
	return out;
}

/* Gives it in pieces of 1 .. most bytes; the last verdict, and how much was taken. */
static enum answer hear(uint32_t index, uint32_t number, const uint8_t *data, uint32_t len,
                        uint32_t most, uint32_t *taken)
{
	struct hearing hearing = {.heard = 0};
	enum answer answer = BEHAVIOUR_MORE;
	uint32_t at = 0;

	while (at < len && answer == BEHAVIOUR_MORE) {
		uint32_t count = 1 + draw(most), used = 0;

		count = count < len - at ? count : len - at;
		uint8_t *piece = malloc(count);

		assert_non_null(piece);
		memcpy(piece, data + at, count);
		answer = behaviour_hear(&b, index, number, &hearing, piece, count, &used);
		assert_true(used > 0 && used <= count);
		assert_true(answer != BEHAVIOUR_MORE || used == count);
		at += used;
		free(piece);
	}
	*taken = at;
	return answer;
}

/* --- what is said ---------------------------------------------------------------------------- */

static void test_sizes(void **state)
{
	struct turn turn;
	uint32_t seen[8] = {0};

	(void)state;
	set_sizes(64, 64);
	behaviour_turn(&b, 1, 2, &turn);
	assert_int_equal(turn.say_bytes, 64);
	set_sizes(5, 12);
	for (uint32_t i = 0; i < 8000; i++) {
		behaviour_turn(&b, i % 10, i, &turn);
		assert_in_range(turn.say_bytes, 5, 12);
		seen[turn.say_bytes - 5]++;
	}
	for (size_t i = 0; i < COUNT_OF(seen); i++)
		assert_in_range(seen[i], 850, 1150);
	set_sizes(1, STAGE_MESSAGE_MOST);
	for (uint32_t i = 0; i < 8000; i++) {
		behaviour_turn(&b, 3, i, &turn);
		assert_in_range(turn.say_bytes, 1, STAGE_MESSAGE_MOST);
	}
}

static void test_header(void **state)
{
	static const uint8_t name[] = {0x81, 0x82, 0x84, 0x88, 0x90, 0x8f, 0xff, 0xff, 0xff, 0xfe};
	uint32_t size;

	(void)state;
	set_sizes(ECHO_HEADER, ECHO_HEADER);
	uint8_t *message = make(1U << 28 | 2U << 21 | 4U << 14 | 8U << 7 | 16, UINT32_MAX - 1,
	                        &size);

	assert_memory_equal(message, name, sizeof(name));
	free(message);
}

/* Any part of it, written by itself, is that part of the whole. */
static void test_parts(void **state)
{
	uint8_t part[MOST];
	uint32_t size;

	(void)state;
	for (int tries = 0; tries < 3000; tries++) {
		set_sizes(1, tries % 2 ? 40 : MOST);
		uint32_t index = draw(1000), number = draw(1000);
		uint8_t *message = make(index, number, &size);
		uint32_t from = draw(size), len = 1 + draw(size - from);

		memset(part, 0, sizeof(part));
		behaviour_write(&b, index, number, from, part, len);
		assert_memory_equal(part, message + from, len);
		assert_int_equal(len < MOST ? part[len] : 0, 0);
		free(message);
	}
}

/* Nothing in it is a token's first byte; two messages have nothing in common. */
static void test_content(void **state)
{
	uint32_t size, other_size, same = 0, all = 0;

	(void)state;
	set_sizes(MOST, MOST);
	for (uint32_t number = 0; number < 200; number++) {
		uint8_t *message = make(7, number, &size), *other = make(8, number, &other_size);

		for (uint32_t i = 0; i < size; i++)
			assert_true(message[i] >= 0x80);
		for (uint32_t i = ECHO_HEADER; i < size; i++)
			same += message[i] == other[i];
		all += size - ECHO_HEADER;
		free(other);
		free(message);
	}
	assert_in_range(same, all / 128 * 9 / 10, all / 128 * 11 / 10);
}

/* --- what is heard --------------------------------------------------------------------------- */

static void test_good(void **state)
{
	uint32_t size, taken;

	(void)state;
	for (int tries = 0; tries < 2000; tries++) {
		set_sizes(1, tries % 2 ? 40 : MOST);
		uint32_t index = draw(1000), number = draw(1000);
		uint8_t *message = make(index, number, &size);

		assert_int_equal(hear(index, number, message, size, tries % 3 ? 50 : MOST, &taken),
		                 ANSWER_GOOD);
		assert_int_equal(taken, size);
		free(message);
	}
}

/* What follows an answer is not of it. */
static void test_more_than_asked(void **state)
{
	struct hearing hearing = {.heard = 0};
	uint8_t data[64 + 9];
	uint32_t used;

	(void)state;
	set_sizes(64, 64);
	behaviour_write(&b, 3, 4, 0, data, 64);
	memset(data + 64, 'x', 9);
	assert_int_equal(behaviour_hear(&b, 3, 4, &hearing, data, sizeof(data), &used),
	                 ANSWER_GOOD);
	assert_int_equal(used, 64);
}

/* Each bit of it counts. */
static void test_mismatched(void **state)
{
	uint32_t size, taken;

	(void)state;
	for (uint32_t bytes = 1; bytes <= 70; bytes++) {
		set_sizes(bytes, bytes);
		uint8_t *message = make(9, 41, &size);

		for (uint32_t bit = 0; bit < 8 * size; bit++) {
			message[bit / 8] ^= (uint8_t)(1U << bit % 8);
			enum answer answer = hear(9, 41, message, size, 1 + draw(20), &taken);

			/* A small one may become the one before. */
			if (bytes >= ECHO_HEADER)
				assert_int_equal(answer, ANSWER_MISMATCHED);
			else
				assert_true(answer != ANSWER_GOOD && answer != BEHAVIOUR_MORE);
			assert_true(taken > bit / 8);
			message[bit / 8] ^= (uint8_t)(1U << bit % 8);
		}
		free(message);
	}
}

/* The answer before, once more: known when its header is there. Another one is none. */
static void test_repeated(void **state)
{
	uint32_t size, taken;

	(void)state;
	for (int tries = 0; tries < 2000; tries++) {
		set_sizes(ECHO_HEADER, tries % 2 ? ECHO_HEADER : 200);
		uint32_t index = draw(1000), number = 2 + draw(1000);
		uint8_t *before = make(index, number - 1, &size);

		assert_int_equal(hear(index, number, before, size, 1 + draw(40), &taken),
		                 ANSWER_REPEATED);
		assert_true(taken >= ECHO_HEADER);
		assert_int_equal(hear(index, number + 1, before, size, 40, &taken),
		                 ANSWER_MISMATCHED);
		assert_int_equal(hear(index + 1, number, before, size, 40, &taken),
		                 ANSWER_MISMATCHED);
		free(before);
	}
}

/* Smaller ones do what they can: the whole of the one before. */
static void test_repeated_small(void **state)
{
	uint32_t size, taken, repeated = 0;

	(void)state;
	set_sizes(8, 15);
	for (uint32_t number = 1; number <= 1000; number++) {
		uint8_t *before = make(5, number - 1, &size);

		repeated += hear(5, number, before, size, 4, &taken) == ANSWER_REPEATED;
		free(before);
	}
	assert_int_equal(repeated, 1000);
}

/* There is none before the first. */
static void test_first(void **state)
{
	uint32_t taken;

	(void)state;
	set_sizes(64, 64);
	assert_int_equal(hear(1, 0, (const uint8_t *)"something else", 14, 20, &taken),
	                 ANSWER_MISMATCHED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),          cmocka_unit_test(test_header),
		cmocka_unit_test(test_parts),          cmocka_unit_test(test_content),
		cmocka_unit_test(test_good),           cmocka_unit_test(test_more_than_asked),
		cmocka_unit_test(test_mismatched),     cmocka_unit_test(test_repeated),
		cmocka_unit_test(test_repeated_small), cmocka_unit_test(test_first),
	};

	return cmocka_run_group_tests_name("unit_echo", tests, NULL, NULL);
}
