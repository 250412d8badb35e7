/* unit_capacity: the figures that memory is reckoned by; sums that stop at the top; and what two
 * measurements say a connection costs. */
#include "plan/capacity.h"

#include "plan/line.h"
#include "plan/saturate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

static void test_connection_bytes(void **state)
{
	(void)state;
	assert_int_equal(capacity_connection_bytes(2, false), CAPACITY_PAIR_BYTES_IPV4);
	assert_int_equal(capacity_connection_bytes(2, true), CAPACITY_PAIR_BYTES_IPV6);
	assert_int_equal(capacity_connection_bytes(1, false), CAPACITY_END_BYTES_IPV4);
	assert_int_equal(capacity_connection_bytes(1, true), CAPACITY_END_BYTES_IPV6);
}

static void test_default_reserve(void **state)
{
	(void)state;
	assert_int_equal(capacity_default_reserve(0), 512 * MIB);
	assert_int_equal(capacity_default_reserve(GIB), 512 * MIB);
	assert_int_equal(capacity_default_reserve(10 * GIB), 512 * MIB);
	assert_int_equal(capacity_default_reserve(10 * GIB + 20), 512 * MIB + 1);
	assert_int_equal(capacity_default_reserve(100 * GIB), 5 * GIB);
	assert_int_equal(capacity_default_reserve(UINT64_MAX), UINT64_MAX / 20);
}

static void test_saturate(void **state)
{
	(void)state;
	assert_int_equal(saturate_plus(3, 4), 7);
	assert_true(saturate_plus(UINT64_MAX - 1, 1) == UINT64_MAX);
	assert_true(saturate_plus(UINT64_MAX, UINT64_MAX) == UINT64_MAX);
	assert_int_equal(saturate_times(3, 4), 12);
	assert_int_equal(saturate_times(0, UINT64_MAX), 0);
	assert_true(saturate_times(UINT64_MAX / 3, 3) == UINT64_MAX / 3 * 3);
	assert_true(saturate_times(UINT64_MAX / 3 + 1, 3) == UINT64_MAX);
	assert_true(saturate_times(UINT64_C(1) << 32, UINT64_C(1) << 32) == UINT64_MAX);
	assert_int_equal(saturate_parts(0, 5), 0);
	assert_int_equal(saturate_parts(10, 5), 2);
	assert_int_equal(saturate_parts(11, 5), 3);
	assert_true(saturate_parts(UINT64_MAX, 1) == UINT64_MAX);
	assert_int_equal(saturate_parts(UINT64_MAX, UINT64_MAX), 1);
}

static void expect_line(int64_t small_bytes, int64_t large_bytes, uint64_t each, uint64_t fixed)
{
	const struct line_point small = {5000, small_bytes}, large = {40000, large_bytes};
	struct walls_cost cost = {0};

	assert_true(line_through(&small, &large, 8000, &cost));
	assert_int_equal(cost.each_bytes, each);
	assert_int_equal(cost.fixed_bytes, fixed);
}

static void expect_no_line(int64_t small_bytes, int64_t large_bytes)
{
	const struct line_point small = {5000, small_bytes}, large = {40000, large_bytes};
	struct walls_cost cost = {.fixed_bytes = 1, .each_bytes = 2};

	assert_false(line_through(&small, &large, 8000, &cost));
	assert_int_equal(cost.fixed_bytes, 1);
	assert_int_equal(cost.each_bytes, 2);
}

static void test_line(void **state)
{
	(void)state;
	expect_line(7000000 + INT64_C(5000) * 8100, 7000000 + INT64_C(40000) * 8100, 8100, 7000000);
	expect_line(INT64_C(5000) * 8100, INT64_C(40000) * 8100, 8100, 0);
	/* Others gave something back meanwhile: the slope is what counts. */
	expect_line(-9000000 + INT64_C(5000) * 8100, -9000000 + INT64_C(40000) * 8100, 8100, 0);
	expect_line(-9000000, -9000000 + INT64_C(35000) * 8100, 8100, 0);
	/* Four times what is assumed, or a fourth of it, is where it ends. */
	expect_line(0, INT64_C(35000) * 32000, 32000, 0);
	expect_no_line(0, INT64_C(35000) * 32001);
	expect_line(INT64_C(5000) * 2000, INT64_C(5000) * 2000 + INT64_C(35000) * 2000, 2000, 0);
	expect_no_line(0, INT64_C(35000) * 2000 - 1);
	expect_no_line(0, 0);
	expect_no_line(INT64_C(40000) * 8000, 0);
}

/* What is asked for is left, and a byte less would be too little. */
static void test_with_reserve(void **state)
{
	const uint64_t wanted[] = {1, 19, 20, GIB, 10 * GIB - 512 * MIB, 64 * GIB + 7};

	(void)state;
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		uint64_t bytes = capacity_with_reserve(wanted[i]);

		assert_true(bytes - capacity_default_reserve(bytes) >= wanted[i]);
		bytes--;
		assert_true(bytes < capacity_default_reserve(bytes) ||
		            bytes - capacity_default_reserve(bytes) < wanted[i]);
	}
	assert_int_equal(capacity_with_reserve(0), 0);
	assert_int_equal(capacity_with_reserve(UINT64_MAX), UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_connection_bytes),
		cmocka_unit_test(test_default_reserve),
		cmocka_unit_test(test_with_reserve),
		cmocka_unit_test(test_saturate),
		cmocka_unit_test(test_line),
	};

	return cmocka_run_group_tests_name("unit_capacity", tests, NULL, NULL);
}
