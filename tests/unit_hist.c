/* unit_hist: the histogram against exact quantiles of sorted random data. */
#include "base/hist.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#define VALUES 20000

static struct hist hist, other;
static uint64_t sorted[VALUES];
static uint64_t random_state;

/* splitmix64: the same numbers on every machine. */
static uint64_t next_random(void)
{
	uint64_t z = random_state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static int reset(void **state)
{
	(void)state;
	memset(&hist, 0, sizeof(hist));
	memset(&other, 0, sizeof(other));
	random_state = 42;
	return 0;
}

/* The exact quantile of sorted[0..count-1], by integers: q is per_mille / 1000. */
static uint64_t exact_quantile(size_t count, uint64_t per_mille)
{
	uint64_t rank = (per_mille * count + 999) / 1000;

	return sorted[rank > 0 ? rank - 1 : 0];
}

/* `step` in thousandths: each quantile walks the buckets, which takes its time. */
static void check_quantiles(const struct hist *h, size_t count, uint64_t step)
{
	qsort(sorted, count, sizeof(sorted[0]), compare);
	assert_int_equal(h->count, count);
	assert_int_equal(h->max_ns, sorted[count - 1]);
	for (uint64_t per_mille = 0; per_mille <= 1000; per_mille += step) {
		uint64_t exact = exact_quantile(count, per_mille);
		uint64_t got = hist_quantile(h, (double)per_mille / 1000);

		assert_true(got >= exact);
		assert_true(got - exact <= exact / 128);
		assert_true(got <= h->max_ns);
	}
	assert_int_equal(hist_quantile(h, 1), sorted[count - 1]);
}

/* Random values whose sizes are spread over all powers of two up to 2^bits. */
static uint64_t spread_value(unsigned int bits)
{
	uint64_t mask = (UINT64_C(1) << (1 + next_random() % bits)) - 1;

	return next_random() & mask;
}

static void test_empty(void **state)
{
	(void)state;
	assert_int_equal(hist_quantile(&hist, 0), 0);
	assert_int_equal(hist_quantile(&hist, 0.5), 0);
	assert_int_equal(hist_quantile(&hist, 1), 0);
}

static void test_small_are_exact(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 256; i++) {
		hist_record(&hist, i);
		assert_int_equal(hist.buckets[i], 1);
	}
	for (uint64_t i = 1; i <= 256; i++)
		assert_int_equal(hist_quantile(&hist, (double)i / 256), i - 1);
}

static void test_one_value(void **state)
{
	(void)state;
	hist_record(&hist, 123456789);
	assert_int_equal(hist_quantile(&hist, 0), 123456789);
	assert_int_equal(hist_quantile(&hist, 0.5), 123456789);
	assert_int_equal(hist_quantile(&hist, 1), 123456789);
}

/* The rounding of q must not reach the next value: 0.07 * 100 > 7 in floating point. */
static void test_ranks(void **state)
{
	(void)state;
	for (uint64_t i = 1; i <= 100; i++)
		hist_record(&hist, i);
	for (uint64_t i = 1; i <= 100; i++)
		assert_int_equal(hist_quantile(&hist, (double)i / 100), i);
	assert_int_equal(hist_quantile(&hist, 0.071), 8);
	assert_int_equal(hist_quantile(&hist, -1), 1);
	assert_int_equal(hist_quantile(&hist, 2), 100);
}

static void test_random(void **state)
{
	static const size_t counts[] = {1, 2, 3, 10, 999, 1000, VALUES};

	for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
		for (unsigned int bits = 1; bits <= HIST_MAX_BITS; bits += 13) {
			reset(state);
			for (size_t i = 0; i < counts[c]; i++) {
				sorted[i] = spread_value(bits);
				hist_record(&hist, sorted[i]);
			}
			check_quantiles(&hist, counts[c], 7);
		}
	}
}

/* Both sides of every bucket border. */
static void test_borders(void **state)
{
	for (unsigned int bit = 0; bit < HIST_MAX_BITS; bit++) {
		for (uint64_t sub = 128; sub <= 256; sub++) {
			uint64_t value = sub << bit >> 7;

			if (value > HIST_MAX_NS)
				continue;
			reset(state);
			sorted[0] = value > 0 ? value - 1 : 0;
			sorted[1] = value;
			sorted[2] = value + 1 <= HIST_MAX_NS ? value + 1 : value;
			for (size_t i = 0; i < 3; i++)
				hist_record(&hist, sorted[i]);
			check_quantiles(&hist, 3, 333);
		}
	}
}

static void test_beyond(void **state)
{
	(void)state;
	hist_record(&hist, HIST_MAX_NS);
	assert_int_equal(hist.buckets[HIST_BUCKETS - 1], 1);
	assert_int_equal(hist_quantile(&hist, 0.5), HIST_MAX_NS);
	hist_record(&hist, HIST_MAX_NS + 1);
	hist_record(&hist, UINT64_MAX);
	assert_int_equal(hist.buckets[HIST_BUCKETS - 1], 3);
	assert_int_equal(hist.count, 3);
	assert_int_equal(hist.max_ns, UINT64_MAX);
	assert_int_equal(hist_quantile(&hist, 1), UINT64_MAX);
	hist_record(&hist, 5);
	assert_int_equal(hist_quantile(&hist, 0.25), 5);
	assert_int_equal(hist.max_ns, UINT64_MAX);
}

static void test_merge(void **state)
{
	static struct hist whole;

	(void)state;
	memset(&whole, 0, sizeof(whole));
	for (size_t i = 0; i < VALUES; i++) {
		sorted[i] = spread_value(HIST_MAX_BITS);
		hist_record(i % 3 == 0 ? &hist : &other, sorted[i]);
		hist_record(&whole, sorted[i]);
	}
	hist_merge(&hist, &other);
	assert_memory_equal(&hist, &whole, sizeof(hist));
	check_quantiles(&hist, VALUES, 1);
	memset(&other, 0, sizeof(other));
	hist_merge(&hist, &other);
	assert_memory_equal(&hist, &whole, sizeof(hist));
	hist_merge(&other, &hist);
	assert_memory_equal(&other, &whole, sizeof(hist));
}

/* What came between two copies is what was recorded between them, but for the exact maximum. */
static void test_subtract(void **state)
{
	static struct hist came, later;

	(void)state;
	for (uint64_t value_ns = 1; value_ns <= 1000; value_ns++)
		hist_record(&hist, value_ns * 1000000);
	other = hist;
	hist_subtract(&came, &hist, &other);
	assert_int_equal(came.count, 0);
	assert_int_equal(came.max_ns, 0);
	assert_int_equal(hist_quantile(&came, 0.99), 0);
	for (uint64_t value_ns = 1; value_ns <= 1000; value_ns++) {
		hist_record(&hist, value_ns * 100);
		hist_record(&later, value_ns * 100);
	}
	hist_subtract(&came, &hist, &other);
	assert_int_equal(came.count, 1000);
	assert_memory_equal(came.buckets, later.buckets, sizeof(came.buckets));
	assert_int_equal(hist_quantile(&came, 0.5), hist_quantile(&later, 0.5));
	assert_in_range(came.max_ns, 100000, 100000 + 100000 / 128 + 1);
	hist_record(&hist, UINT64_MAX);
	hist_subtract(&came, &hist, &other);
	assert_int_equal(came.max_ns, UINT64_MAX);
	assert_int_equal(hist_quantile(&came, 1), UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_empty, reset),
		cmocka_unit_test_setup(test_small_are_exact, reset),
		cmocka_unit_test_setup(test_one_value, reset),
		cmocka_unit_test_setup(test_ranks, reset),
		cmocka_unit_test_setup(test_random, reset),
		cmocka_unit_test_setup(test_borders, reset),
		cmocka_unit_test_setup(test_beyond, reset),
		cmocka_unit_test_setup(test_merge, reset),
		cmocka_unit_test_setup(test_subtract, reset),
	};

	return cmocka_run_group_tests_name("unit_hist", tests, NULL, NULL);
}
