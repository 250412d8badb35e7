/* unit_pace: the ideal line, the bound of the backlog, and the ends of the number range. */
#include "base/pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define NS_PER_S UINT64_C(1000000000)
#define START    UINT64_C(123456789012)

static void test_exact_line(void **state)
{
	static const uint64_t rates[] = {1, 3, 7, 999, 1000, 12345, 99999, 1000003};

	(void)state;
	for (size_t r = 0; r < sizeof(rates) / sizeof(rates[0]); r++) {
		uint64_t rate = rates[r], taken = 0;
		struct pace p;

		pace_init(&p, rate, 1 << 20, START);
		/* Steps that fit neither the rate nor the second. */
		for (uint64_t t = 0; t < 10 * NS_PER_S; t += 1234567) {
			uint64_t due = pace_due(&p, START + t);

			pace_take(&p, due);
			taken += due;
			assert_int_equal(taken, rate * t / NS_PER_S);
			assert_int_equal(pace_due(&p, START + t), 0);
		}
		assert_int_equal(p.start_ns, START);
	}
}

/* pace_next_ns is the first time at which pace_due says so. */
static void test_next(void **state)
{
	static const uint64_t rates[] = {1, 3, 7, 1000, 999999937, 1000000000};

	(void)state;
	for (size_t r = 0; r < sizeof(rates) / sizeof(rates[0]); r++) {
		uint64_t now = START;
		struct pace p;

		pace_init(&p, rates[r], 100, START);
		for (uint64_t i = 1; i <= 1000; i++) {
			uint64_t next = pace_next_ns(&p, now);

			assert_int_equal(next - START, (i * NS_PER_S + rates[r] - 1) / rates[r]);
			assert_int_equal(pace_due(&p, next - 1), 0);
			assert_int_equal(pace_due(&p, next), 1);
			assert_int_equal(pace_next_ns(&p, next + 5), next + 5);
			pace_take(&p, 1);
			now = next;
		}
	}
}

static void test_partial_take(void **state)
{
	struct pace p;

	(void)state;
	pace_init(&p, 1000, 100, 0);
	assert_int_equal(pace_due(&p, 0), 0);
	assert_int_equal(pace_due(&p, 50000000), 50);
	pace_take(&p, 20);
	assert_int_equal(pace_due(&p, 50000000), 30);
	assert_int_equal(pace_due(&p, 60000000), 40);
	assert_int_equal(pace_next_ns(&p, 60000000), 60000000);
}

static void test_backlog_bound(void **state)
{
	uint64_t now = START;
	struct pace p;

	(void)state;
	pace_init(&p, 1000, 10, START);
	now += 10000000;
	assert_int_equal(pace_due(&p, now), 10);
	assert_int_equal(p.start_ns, START);
	now += 5 * NS_PER_S; /* a stall: 5000 were missed */
	assert_int_equal(pace_due(&p, now), 10);
	assert_int_equal(pace_due(&p, now), 10);
	pace_take(&p, 10);
	assert_int_equal(pace_due(&p, now), 0);
	assert_int_equal(pace_next_ns(&p, now), now + 1000000);
	/* From there the line is exact again. */
	for (uint64_t i = 1; i <= 5000; i++) {
		now += 1000000;
		assert_int_equal(pace_due(&p, now), 1);
		pace_take(&p, 1);
	}
}

/* Whatever the caller does, no window of time holds more than the line and one burst. */
static void test_stalls(void **state)
{
	const uint64_t rate = 7777, burst = 32;
	uint64_t seed = 1, now = 0, taken = 0;
	struct pace p;

	(void)state;
	pace_init(&p, rate, burst, 0);
	for (int i = 0; i < 20000; i++) {
		uint64_t due;

		seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		now += (seed >> 33) % (i % 100 == 0 ? NS_PER_S : 2000000);
		due = pace_due(&p, now);
		assert_true(due <= burst);
		if (seed >> 63)
			due /= 2;
		pace_take(&p, due);
		taken += due;
		assert_true(taken <= rate * now / NS_PER_S + 1);
		assert_true(pace_due(&p, now) <= burst);
	}
	assert_true(taken > 0);
}

static void test_zero_rate(void **state)
{
	struct pace p;

	(void)state;
	pace_init(&p, 0, 10, START);
	assert_true(pace_due(&p, START) == UINT64_MAX);
	pace_take(&p, UINT64_MAX);
	pace_take(&p, UINT64_MAX);
	assert_true(pace_due(&p, START + 1) == UINT64_MAX);
	assert_int_equal(pace_next_ns(&p, START + 1), START + 1);
	assert_int_equal(pace_next_ns(&p, 0), 0);
}

static void test_high_rate(void **state)
{
	static const uint64_t rates[] = {4 * NS_PER_S, 1000 * NS_PER_S + 7, UINT64_MAX};
	static const uint64_t bursts[] = {1, 2, 1000, UINT64_C(1) << 40, UINT64_MAX};

	(void)state;
	for (size_t r = 0; r < 3; r++) {
		for (size_t b = 0; b < 5; b++) {
			uint64_t now = START;
			struct pace p;

			pace_init(&p, rates[r], bursts[b], now);
			for (int i = 0; i < 1000; i++) {
				uint64_t due;

				now += 1 + UINT64_C(1000000) * (i % 2 == 0);
				due = pace_due(&p, now);
				assert_true(due > 0 && due <= bursts[b]);
				assert_true(due == bursts[b] || due >= rates[r] / NS_PER_S);
				assert_int_equal(pace_next_ns(&p, now), now);
				pace_take(&p, due);
				assert_int_equal(pace_due(&p, now), 0);
			}
		}
	}
}

static void test_long_time(void **state)
{
	const uint64_t century = UINT64_C(100) * 365 * 86400 * NS_PER_S;
	struct pace p;

	(void)state;
	pace_init(&p, 1000000, UINT64_MAX, 0);
	assert_int_equal(pace_due(&p, century), century / 1000);
	pace_take(&p, century / 1000);
	assert_int_equal(pace_due(&p, century), 0);
	assert_int_equal(pace_next_ns(&p, century), century + 1000);
	assert_int_equal(pace_due(&p, century + 1000), 1);

	pace_init(&p, 1, 5, 0);
	assert_int_equal(pace_due(&p, UINT64_MAX), 5);
	pace_take(&p, 5);
	assert_true(pace_next_ns(&p, UINT64_MAX) == UINT64_MAX);

	pace_init(&p, UINT64_MAX, 5, 0);
	assert_int_equal(pace_due(&p, UINT64_MAX), 5);
	pace_take(&p, 5);
	assert_int_equal(pace_due(&p, UINT64_MAX), 0);
}

static void test_shares(void **state)
{
	static const uint64_t rates[] = {0, 1, 3, 4, 10, 1000003, UINT64_MAX};

	(void)state;
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		uint64_t sum = 0;

		for (uint32_t number = 0; number < 4; number++)
			sum += pace_share(rates[i], number, 4);
		assert_true(sum == (rates[i] > 0 && rates[i] < 4 ? 4 : rates[i]));
	}
}

static void test_edges(void **state)
{
	struct pace p;

	(void)state;
	/* A clock behind the start: nothing is due, and the first is where it was. */
	pace_init(&p, 1000, 10, START);
	assert_int_equal(pace_due(&p, START - 5), 0);
	assert_int_equal(pace_next_ns(&p, START - 5), START + 1000000);
	/* burst_max is at least 1. */
	pace_init(&p, 1000, 0, 0);
	assert_int_equal(pace_due(&p, NS_PER_S), 1);
	pace_take(&p, 1);
	assert_int_equal(pace_due(&p, NS_PER_S), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exact_line),   cmocka_unit_test(test_next),
		cmocka_unit_test(test_partial_take), cmocka_unit_test(test_backlog_bound),
		cmocka_unit_test(test_stalls),       cmocka_unit_test(test_zero_rate),
		cmocka_unit_test(test_high_rate),    cmocka_unit_test(test_long_time),
		cmocka_unit_test(test_edges),        cmocka_unit_test(test_shares),
	};

	return cmocka_run_group_tests_name("unit_pace", tests, NULL, NULL);
}
