/* unit_spread: tuple plans of clients with a TCP of their own, whose source IP runs slowest. */
#include "plan/tuple.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct tuple_plan plan;
static uint64_t seed = 1;

static uint64_t draw(uint64_t below)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (seed >> 16) % below;
}

static void set_addresses(void)
{
	struct ip first;

	memset(&plan, 0, sizeof(plan));
	assert_int_equal(ip_parse("198.18.0.1", &first), 0);
	pool_set(&plan.sources, &first, 100000);
	assert_int_equal(ip_parse("198.19.0.1", &plan.target), 0);
	plan.target_port_low = 8090;
}

/* Clients of our own: every source IP has its share, nobody has two workers, and what is left out
 * of the plan is known to be. */
static void expect_spread(uint64_t n)
{
	uint32_t before = plan.port_count, used, last = plan.source_count - 1;
	uint64_t each;

	used = tuple_spread_sources(&plan, n);
	tuple_spread(&plan, n);
	each = tuple_per_source(&plan);
	assert_true(plan.by_source);
	assert_in_range(plan.port_count, 1, before);
	assert_true(tuple_room(&plan) >= n);
	/* A port less would not do. */
	assert_true(plan.port_count == 1 ||
	            (each - plan.target_port_count) * plan.source_count < n);
	assert_int_equal(tuple_spread_sources(&plan, n), used);
	assert_true(used * each >= n && (used - 1) * each < n);
	for (uint64_t i = 0; i < n; i += 1 + draw(n / 50 + 1)) {
		struct tuple t = tuple_at(&plan, i);

		assert_int_equal(pool_index(&plan.sources, &t.source), i / each);
		assert_int_equal(tuple_index(&plan, &t), i);
	}
	struct tuple beyond = {
		.source = pool_at(&plan.sources, last),
		.target = plan.target,
		.source_port = plan.ports[plan.port_count],
		.target_port = plan.target_port_low,
	};

	if (plan.port_count < before)
		assert_int_equal(tuple_index(&plan, &beyond), -1);
}

static void test_spread(void **state)
{
	(void)state;
	for (int tries = 0; tries < 300; tries++) {
		uint64_t room;

		set_addresses();
		tuple_set_ports(&plan, 10240, (uint16_t)(10240 + draw(55000)), NULL, 50000);
		plan.source_count = (uint32_t)(1 + draw(200));
		plan.target_port_count = (uint32_t)(1 + draw(30));
		room = tuple_room(&plan);
		expect_spread(1 + draw(tries % 2 == 0 ? room : room / plan.port_count + 1));
	}
}

/* A million over the classic twenty: 50,000 ports of each, though there are more. */
static void test_spread_million(void **state)
{
	(void)state;
	set_addresses();
	tuple_set_ports(&plan, 1024, 65535, NULL, TUPLE_PORT_BITS);
	plan.source_count = 20;
	plan.target_port_count = 1;
	tuple_spread(&plan, 1000000);
	assert_int_equal(plan.port_count, 50000);
	assert_int_equal(tuple_spread_sources(&plan, 1000000), 20);
	/* Nothing to spread. */
	plan.target_port_count = 0;
	assert_int_equal(tuple_spread_sources(&plan, 1000000), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spread),
		cmocka_unit_test(test_spread_million),
	};

	return cmocka_run_group_tests_name("unit_spread", tests, NULL, NULL);
}
