/* unit_roll: the table of runs that others announce: places, arena, rest, those that nobody asks
 * about, marks of workers. */
#include "base/roll.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define S UINT64_C(1000000000)

static struct roll_said run_of(uint64_t first, uint64_t count)
{
	return (struct roll_said){.key = 7, .first = first, .count = count};
}

static uint32_t enter(struct roll *roll, uint64_t first, uint64_t count, uint64_t now_ns)
{
	const struct roll_said said = run_of(first, count);
	struct err err = {""};
	uint32_t id = 0;

	if (roll_enter(roll, &said, now_ns, &id, &err) != 0)
		fail_msg("%s", err.text);
	return id;
}

static void marks(void **state)
{
	struct roll *roll = roll_make(2, 1000);
	uint32_t place = 0;

	(void)state;
	assert_non_null(roll);
	uint32_t id = enter(roll, 100, 50, 1);
	const struct roll_run *run = roll_next(roll, 149, &place);

	assert_ptr_equal(run, roll_find(roll, id));
	assert_null(roll_next(roll, 149, &place));
	place = 0;
	assert_null(roll_next(roll, 150, &place));
	place = 0;
	assert_null(roll_next(roll, 99, &place));
	assert_int_equal(roll_bits_bytes(run), 7);
	roll_mark(roll, run, 0, 100);
	roll_mark(roll, run, 0, 149);
	roll_mark(roll, run, 0, 149);
	roll_mark(roll, run, 1, 101);
	roll_mark(roll, run, 0, 99); /* of none, as where another run has taken the place */
	roll_mark(roll, run, 1, 150);
	roll_mark(roll, run, 1, UINT32_MAX);
	assert_int_equal(roll_proved(roll, run, 0), 2);
	assert_int_equal(roll_proved(roll, run, 1), 1);
	assert_int_equal(roll_bits(roll, run, 0)[0], 1);
	assert_int_equal(roll_bits(roll, run, 0)[6], 2);
	assert_int_equal(roll_bits(roll, run, 1)[0], 2);
	roll_opened(roll, 0, id);
	roll_opened(roll, 1, id);
	roll_closed(roll, 1, id);
	roll_opened(roll, 1, id + 1); /* of nobody */
	assert_int_equal(roll_open(roll, run), 1);
	roll_drop(roll);
}

/* A place, and its bits, are another run's only when workers that had found it are through. */
static void rests(void **state)
{
	struct roll *roll = roll_make(1, 100);
	const struct roll_said again = run_of(0, 16000);
	struct err err = {""};
	uint32_t id;

	(void)state;
	uint32_t first = enter(roll, 0, 20000, 5 * S);

	roll_mark(roll, roll_find(roll, first), 0, 3);
	roll_opened(roll, 0, first);
	assert_true(roll_strike(roll, first, 6 * S));
	assert_false(roll_strike(roll, first, 6 * S));
	assert_null(roll_find(roll, first));
	assert_null(roll_ask(roll, first, 6 * S));
	assert_int_equal(roll_count(roll), 0);
	assert_int_equal(roll_enter(roll, &again, 6 * S + S / 2, &id, &err), -ENOSPC);
	uint32_t second = enter(roll, 0, 16000, 7 * S);

	assert_int_not_equal(second, first);
	assert_int_equal(roll_proved(roll, roll_find(roll, second), 0), 0);
	assert_int_equal(roll_open(roll, roll_find(roll, second)), 0);
	roll_closed(roll, 0, first); /* late: of the run before */
	assert_int_equal(roll_open(roll, roll_find(roll, second)), 0);
	roll_drop(roll);
}

/* Runs do not share bits, whatever is given back in between. */
static void apart_from_each_other(void **state)
{
	struct roll *roll = roll_make(1, 4000);
	uint32_t ids[20] = {0};
	unsigned int seed = 1;

	(void)state;
	for (uint64_t step = 1; step < 2000; step++) {
		seed = seed * 1103515245 + 12345;
		uint32_t *id = &ids[seed / 65536 % 20];
		const struct roll_said said = run_of(step, 1 + seed / 7 % 900);
		struct err err;

		if (*id != 0) {
			const struct roll_run *run = roll_find(roll, *id);

			assert_int_equal(roll_proved(roll, run, 1), run->said.count);
			assert_true(roll_strike(roll, *id, 2 * step * S));
			*id = 0;
		} else if (roll_enter(roll, &said, 2 * step * S, id, &err) == 0) {
			for (uint64_t i = 0; i < said.count; i++)
				roll_mark(roll, roll_find(roll, *id), 1, (uint32_t)(step + i));
		}
	}
	roll_drop(roll);
}

static void full(void **state)
{
	struct roll *roll = roll_make(1, 100000);
	const struct roll_said said = run_of(0, 10);
	struct err err = {""};
	uint32_t id, asked = 0;

	(void)state;
	for (int i = 0; i < ROLL_RUNS; i++)
		asked = enter(roll, 0, 10, 10 * S);
	assert_int_equal(roll_count(roll), ROLL_RUNS);
	assert_int_equal(roll_enter(roll, &said, 11 * S, &id, &err), -ENOSPC);
	assert_non_null(strstr(err.text, "64 runs"));
	assert_non_null(roll_ask(roll, asked, 60 * S));
	/* All but the one that was asked about are stale by now; their places rest once more. */
	assert_int_equal(roll_enter(roll, &said, 75 * S, &id, &err), -ENOSPC);
	assert_int_equal(roll_count(roll), 1);
	assert_int_equal(roll_enter(roll, &said, 77 * S, &id, &err), 0);
	assert_non_null(roll_find(roll, asked));
	roll_drop(roll);
}

static void what_does_not_fit(void **state)
{
	static const struct {
		uint64_t first, count;
		int code;
	} runs[] = {
		{0, 0, -EINVAL},
		{UINT64_C(1) << 32, 1, -EINVAL},
		{1, UINT64_C(1) << 32, -EINVAL},
		{UINT64_MAX, UINT64_MAX, -EINVAL},
		{0, 10000000, -ENOSPC},
	};
	struct roll *roll = roll_make(1, 1000);

	(void)state;
	for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
		const struct roll_said said = run_of(runs[i].first, runs[i].count);
		struct err err = {""};
		uint32_t id;

		assert_int_equal(roll_enter(roll, &said, S, &id, &err), runs[i].code);
		assert_string_not_equal(err.text, "");
	}
	assert_int_equal(enter(roll, UINT32_MAX, 1, S), 1);
	roll_drop(roll);
	roll_drop(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(marks),
		cmocka_unit_test(rests),
		cmocka_unit_test(apart_from_each_other),
		cmocka_unit_test(full),
		cmocka_unit_test(what_does_not_fit),
	};

	return cmocka_run_group_tests_name("unit_roll", tests, NULL, NULL);
}
