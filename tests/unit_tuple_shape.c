/* unit_tuple_shape: how many source IPs, source ports and server ports a plan is given. */
#include "plan/tuple.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NO_MOST UINT32_MAX
#define SOURCES (1U << 24) /* more than any plan here uses */

static struct tuple_plan plan;
static uint64_t seed = 1;

static uint64_t draw(uint64_t below)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (seed >> 16) % below;
}

static void set_addresses(const char *source, const char *target, uint16_t target_port_low)
{
	struct ip first;

	memset(&plan, 0, sizeof(plan));
	assert_int_equal(ip_parse(source, &first), 0);
	pool_set(&plan.sources, &first, SOURCES);
	assert_int_equal(ip_parse(target, &plan.target), 0);
	plan.target_port_low = target_port_low;
}

static void expect_shape(enum solution solution, uint64_t n, uint32_t sources_most,
                         uint32_t ports_most, uint32_t sources, uint32_t ports)
{
	uint64_t room = tuple_shape(&plan, solution, n, sources_most, ports_most);

	assert_int_equal(plan.source_count, sources);
	assert_int_equal(plan.target_port_count, ports);
	assert_int_equal(room, (uint64_t)plan.port_count * sources * ports);
	assert_int_equal(room, tuple_room(&plan));
}

static void test_shape(void **state)
{
	(void)state;
	set_addresses("198.18.0.1", "198.19.0.1", 8090);
	tuple_set_ports(&plan, 10240, 65535, NULL, 50000);
	expect_shape(SOLUTION_IPS, 1000000, 60000, 2048, 20, 1);
	expect_shape(SOLUTION_IPS, 1000001, 60000, 2048, 21, 1);
	expect_shape(SOLUTION_IPS, 10000000, 60000, 2048, 200, 1);
	expect_shape(SOLUTION_IPS, 10000000, 100, 2048, 100, 1);
	expect_shape(SOLUTION_IPS, 1, 60000, 2048, 1, 1);
	expect_shape(SOLUTION_IPS, 19, 60000, 2048, 19, 1);
	expect_shape(SOLUTION_IPS, 20, 60000, 2048, 20, 1);
	expect_shape(SOLUTION_IPS, 21, 60000, 2048, 20, 1);
	expect_shape(SOLUTION_IPS, 1000, 1, 2048, 1, 1);
	expect_shape(SOLUTION_PORTS, 1000000, 60000, 2048, 1, 30);
	expect_shape(SOLUTION_PORTS, 1500000, 60000, 2048, 1, 30);
	expect_shape(SOLUTION_PORTS, 1500001, 60000, 2048, 1, 31);
	expect_shape(SOLUTION_PORTS, 1500001, 60000, 30, 1, 30);
	expect_shape(SOLUTION_PORTS, 7, 60000, 2048, 1, 7);
	expect_shape(SOLUTION_MIXED, 1000000, 60000, 2048, 20, 30);
	expect_shape(SOLUTION_MIXED, 30000000, 60000, 2048, 20, 30);
	expect_shape(SOLUTION_MIXED, 1000, 4, 3, 4, 3);
	assert_int_equal(tuple_shape(&plan, SOLUTION_MIXED, 7, 60000, 2048), 7 * 7 * 50000);
	assert_true(tuple_shape(&plan, SOLUTION_MIXED, 30000001, 60000, 2048) >= 30000001);
	assert_int_equal(tuple_shape(&plan, SOLUTION_IPS, 0, 60000, 2048), 0);
	tuple_set_ports(&plan, 10240, 10239, NULL, NO_MOST);
	for (int solution = 0; solution < SOLUTION_COUNT; solution++)
		assert_int_equal(tuple_shape(&plan, (enum solution)solution, 5, 60000, 2048), 0);
}

/* Never more sources than the pool has, whatever else is allowed. */
static void test_shape_small_pool(void **state)
{
	(void)state;
	set_addresses("198.18.0.1", "198.19.0.1", 8090);
	tuple_set_ports(&plan, 10240, 65535, NULL, 50000);
	assert_int_equal(pool_parse("198.18.0.1-3,198.18.0.7,198.18.0.9", &plan.sources, NULL), 0);
	expect_shape(SOLUTION_IPS, 1000000, 60000, 2048, 5, 1);
	expect_shape(SOLUTION_IPS, 1000000, 4, 2048, 4, 1);
	expect_shape(SOLUTION_PORTS, 1000000, 60000, 2048, 1, 30);
	expect_shape(SOLUTION_MIXED, 1000000, 60000, 2048, 5, 30);
	/* Where sources run out, more server ports. */
	expect_shape(SOLUTION_MIXED, 10000000, 60000, 2048, 5, 40);
	plan.sources.count = plan.sources.range_count = 0;
	for (int solution = 0; solution < SOLUTION_COUNT; solution++)
		expect_shape((enum solution)solution, 5, 60000, 2048, 0, 1);
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* What holds of every shape, and that the one-sided solutions fall short only at what is given. */
static void test_shape_bounds(void **state)
{
	(void)state;
	set_addresses("198.18.0.1", "198.19.0.1", 8090);
	for (int tries = 0; tries < 20000; tries++) {
		enum solution solution = (enum solution)draw(SOLUTION_COUNT);
		uint64_t n = 1 + draw(UINT64_C(1) << (1 + draw(29)));
		uint32_t sources_most = (uint32_t)(1 + draw(tries % 2 == 0 ? 60000 : 30));
		uint32_t ports_most = (uint32_t)(1 + draw(tries % 3 == 0 ? 2048 : 40));

		if (tries % 16 == 0)
			tuple_set_ports(&plan, 10240, (uint16_t)(10240 + draw(55000)), NULL, 50000);
		uint64_t room = tuple_shape(&plan, solution, n, sources_most, ports_most);
		uint64_t needed = (n + plan.port_count - 1) / plan.port_count;

		assert_int_equal(room, tuple_room(&plan));
		assert_in_range(plan.source_count, 1, sources_most);
		assert_in_range(plan.target_port_count, 1, ports_most);
		assert_true(plan.source_count <= n && plan.target_port_count <= n);
		assert_true(plan.source_count <= larger(needed, 20));
		assert_true(plan.target_port_count <= larger(needed, 30));
		if (solution == SOLUTION_IPS) {
			assert_int_equal(plan.target_port_count, 1);
			assert_true(room >= n || plan.source_count == sources_most);
		}
		if (solution == SOLUTION_PORTS) {
			assert_int_equal(plan.source_count, 1);
			assert_true(room >= n || plan.target_port_count == ports_most);
		}
	}
}

/* "More where n needs more ... at most what is given": also where source IPs are few and server
 * ports are not, as on ::1. */
static void test_shape_mixed_needs_ports(void **state)
{
	(void)state;
	set_addresses("::1", "::1", 8090);
	tuple_set_ports(&plan, 32768, 60999, NULL, 50000);
	assert_true(tuple_shape(&plan, SOLUTION_MIXED, 800000, 1, 2048) >= 800000);
	assert_true(tuple_shape(&plan, SOLUTION_MIXED, 1000000, 1, 2048) >= 1000000);
	assert_true(tuple_shape(&plan, SOLUTION_MIXED, 10000000, 10, 2048) >= 10000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shape),
		cmocka_unit_test(test_shape_small_pool),
		cmocka_unit_test(test_shape_bounds),
		cmocka_unit_test(test_shape_mixed_needs_ports),

	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
