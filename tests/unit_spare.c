/* spare: how many tuples a churn by FIN wants beside those of the connections. */
#include "run/spare.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define UNDER_WAY 2048
#define REST_NS   (2 * NS_PER_S)

static struct experiment x;

static void add(uint64_t churn_per_s, bool by_reset, uint64_t duration_ns)
{
	x.stages[x.stage_count++] = (struct stage){
		.churn_per_s = churn_per_s,
		.churn_by_reset = by_reset,
		.duration_ns = duration_ns,
	};
}

static int reset(void **state)
{
	(void)state;
	x = (struct experiment){.clients = ENGINE_URING};
	return 0;
}

static void test_not_needed(void **state)
{
	(void)state;
	add(0, false, UINT64_MAX);
	add(1000, true, UINT64_MAX);
	assert_false(spare_churns_by_fin(&x));
	assert_int_equal(spare_wanted(&x, REST_NS, 2), 0);
	add(1000, false, UINT64_MAX);
	assert_true(spare_is_needed(&x));
	x.clients = ENGINE_TUN; /* which keeps no TIME_WAIT: servers close in order all the same */
	assert_true(spare_churns_by_fin(&x));
	assert_false(spare_is_needed(&x));
	assert_int_equal(spare_wanted(&x, REST_NS, 2), 0);
}

/* The rest, and two seconds for what is late and rounded. */
static void test_by_rate(void **state)
{
	(void)state;
	add(20000, false, UINT64_MAX);
	assert_int_equal(spare_wanted(&x, REST_NS, 2), 20000 * 4 + UNDER_WAY);
	assert_int_equal(spare_wanted(&x, SPARE_REST_NS, 2), 20000 * 63 + UNDER_WAY);
	assert_int_equal(spare_rate(UINT64_C(20000) * 61, SPARE_REST_NS), 20000);
}

static void test_as_fast(void **state)
{
	(void)state;
	add(STAGE_AS_FAST, false, UINT64_MAX);
	assert_int_equal(spare_wanted(&x, REST_NS, 2), 100000 * 4 + UNDER_WAY);
	assert_int_equal(spare_wanted(&x, REST_NS, 64), 3200000 * 4 + UNDER_WAY);
}

/* No more than is closed at all; of several stages together no more than the fastest one wants. */
static void test_short_stages(void **state)
{
	(void)state;
	add(1000, false, 3 * NS_PER_S);
	assert_int_equal(spare_wanted(&x, SPARE_REST_NS, 2), 1000 * 5 + UNDER_WAY);
	add(2000, false, 3 * NS_PER_S);
	add(9000, true, 3 * NS_PER_S);
	assert_int_equal(spare_wanted(&x, SPARE_REST_NS, 2), 3000 * 5 + UNDER_WAY);
	add(2000, false, 3600 * NS_PER_S);
	assert_int_equal(spare_wanted(&x, SPARE_REST_NS, 2), 2000 * 63 + UNDER_WAY);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_not_needed, reset),
		cmocka_unit_test_setup(test_by_rate, reset),
		cmocka_unit_test_setup(test_as_fast, reset),
		cmocka_unit_test_setup(test_short_stages, reset),
	};

	return cmocka_run_group_tests_name("spare", tests, NULL, NULL);
}
