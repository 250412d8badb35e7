/* unit_waits: how many wait, and since when, against a plain list of all that wait. */
#include "base/waits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define PART  ((uint64_t)1 << WAITS_SHIFT)
#define LIST  2000
#define STEPS 20000

/* xorshift64 (Marsaglia 2003) */
static uint64_t next_random(void)
{
	static uint64_t state = 88172645463325252ULL;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static uint64_t part_start(uint64_t at_ns)
{
	return at_ns / PART * PART;
}

/* Those that began in a part that was over. */
static uint64_t plain_before(const uint64_t *list, int count, uint64_t at_ns)
{
	uint64_t sum = 0;

	for (int i = 0; i < count; i++)
		sum += part_start(list[i]) + PART <= part_start(at_ns);
	return sum;
}

static void test_nothing_waits(void **state)
{
	struct waits w = {0};

	(void)state;
	assert_int_equal(waits_all(&w), 0);
	assert_int_equal(waits_before(&w, UINT64_MAX), 0);
	assert_true(waits_since(&w, 0) == WAITS_NEVER);
}

static void test_one(void **state)
{
	struct waits w = {0};
	const uint64_t at_ns = 1000 * PART + 5;

	(void)state;
	waits_begin(&w, at_ns);
	assert_int_equal(waits_all(&w), 1);
	assert_int_equal(waits_before(&w, at_ns + PART - 6), 0);
	assert_int_equal(waits_before(&w, at_ns + PART), 1);
	assert_int_equal(waits_until(&w, at_ns - PART), 0);
	assert_int_equal(waits_until(&w, at_ns), 1);
	assert_true(waits_since(&w, 0) == 1000 * PART);
	assert_true(waits_since(&w, 1) == WAITS_NEVER);
	waits_end(&w, at_ns);
	assert_int_equal(waits_all(&w), 0);
}

/* One that began before all parts is counted, and ends like any other. */
static void test_old_ones(void **state)
{
	struct waits w = {0};

	(void)state;
	waits_begin(&w, 1000 * PART);
	waits_begin(&w, (1000 + 3 * WAITS_PARTS) * PART);
	assert_int_equal(w.older, 1);
	waits_begin(&w, 1001 * PART); /* long ago, and said now */
	assert_int_equal(w.older, 2);
	assert_int_equal(waits_before(&w, (1000 + 3 * WAITS_PARTS) * PART), 2);
	assert_true(waits_since(&w, 0) == (1001 + 2 * WAITS_PARTS) * PART);
	assert_true(waits_since(&w, 2) == (1000 + 3 * WAITS_PARTS) * PART);
	waits_end(&w, 1000 * PART);
	waits_end(&w, 1001 * PART);
	assert_int_equal(waits_all(&w), 1);
}

/* Thousands that begin and end as they like. */
static void test_against_a_list(void **state)
{
	static uint64_t list[LIST];
	uint64_t now_ns = 500 * PART;
	struct waits w = {0};
	int count = 0;

	(void)state;
	for (int step = 0; step < STEPS; step++) {
		now_ns += next_random() % (PART / 20);
		if (count < LIST && next_random() % 100 < 55) {
			list[count++] = now_ns;
			waits_begin(&w, now_ns);
		} else if (count > 0) {
			int which = (int)(next_random() % (uint64_t)count);

			waits_end(&w, list[which]);
			list[which] = list[--count];
		}
		assert_int_equal(waits_all(&w), count);
		for (uint64_t ago = 1; ago < 10; ago++)
			assert_int_equal(waits_before(&w, now_ns - ago * PART),
			                 plain_before(list, count, now_ns - ago * PART));
	}
}

static void test_sum(void **state)
{
	struct waits a = {0}, b = {0}, sum = {0};

	(void)state;
	waits_begin(&a, 1000 * PART);
	waits_begin(&a, 1001 * PART);
	waits_begin(&b, 1001 * PART);
	waits_begin(&b, 2000 * PART);
	assert_true(waits_add(&sum, &a));
	assert_int_equal(waits_all(&sum), 2);
	assert_true(waits_add(&sum, &b));
	assert_int_equal(waits_all(&sum), 4);
	assert_int_equal(sum.older, 3);
	memset(&sum, 0, sizeof(sum));
	assert_true(waits_add(&sum, &b)); /* the other way round it is the same */
	assert_true(waits_add(&sum, &a));
	assert_int_equal(waits_all(&sum), 4);
	assert_int_equal(sum.older, 3);
}

/* One that is being changed all the time cannot be read. */
static void test_changed_meanwhile(void **state)
{
	struct waits w = {.changes = 1}, sum = {0};

	(void)state;
	w.parts[0] = 3;
	assert_false(waits_add(&sum, &w));
	assert_int_equal(waits_all(&sum), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_waits), cmocka_unit_test(test_one),
		cmocka_unit_test(test_old_ones),      cmocka_unit_test(test_against_a_list),
		cmocka_unit_test(test_sum),           cmocka_unit_test(test_changed_meanwhile),
	};

	return cmocka_run_group_tests_name("unit_waits", tests, NULL, NULL);
}
