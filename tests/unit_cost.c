/* unit_cost: what connections are taken to cost, by who the clients are; and which door an engine
 * is behind. */
#include "plan/capacity.h"
#include "run/cost.h"
#include "run/engines.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void expect_costs(enum engine_kind clients, bool ipv6, uint64_t both, uint64_t client)
{
	const struct cost_case of = {ENGINE_URING, clients, ipv6};
	uint64_t end = ipv6 ? CAPACITY_END_BYTES_IPV6 : CAPACITY_END_BYTES_IPV4;
	struct cost cost;

	cost_assume(&of, &cost);
	assert_int_equal(cost.of.clients, clients);
	assert_int_equal(cost.machine.each_bytes, both);
	assert_int_equal(cost.machine.fixed_bytes, 0);
	assert_false(cost.machine.is_measured);
	assert_int_equal(cost.cgroup[WALL_ROLE_BOTH].each_bytes, both);
	assert_int_equal(cost.cgroup[WALL_ROLE_SERVER].each_bytes, end);
	assert_int_equal(cost.cgroup[WALL_ROLE_CLIENT].each_bytes, client);
	assert_int_equal(cost_of_ends(&cost, 2).each_bytes, both);
	/* One socket: half of a pair; or a client of our own, which has none. */
	assert_int_equal(cost_of_ends(&cost, 1).each_bytes, engine_is_utcp(clients) ? both : end);
}

static void test_assumed(void **state)
{
	const uint64_t v4 = CAPACITY_END_BYTES_IPV4, v6 = CAPACITY_END_BYTES_IPV6;

	(void)state;
	expect_costs(ENGINE_URING, false, CAPACITY_PAIR_BYTES_IPV4, v4);
	expect_costs(ENGINE_EPOLL, true, CAPACITY_PAIR_BYTES_IPV6, v6);
	expect_costs(ENGINE_TUN, false, v4 + CAPACITY_UTCP_BYTES, CAPACITY_UTCP_BYTES);
	expect_costs(ENGINE_PACKET, true, v6 + CAPACITY_UTCP_BYTES, CAPACITY_UTCP_BYTES);
}

static void test_too_little_memory(void **state)
{
	const struct cost_case of = {ENGINE_URING, ENGINE_TUN, false};
	struct err err = {""};
	struct cost cost;

	(void)state;
	assert_int_equal(cost_measure(&of, 1 << 20, &cost, &err), -ENOMEM);
	assert_non_null(strstr(err.text, "too little memory"));
	assert_int_equal(cost.machine.each_bytes, CAPACITY_END_BYTES_IPV4 + CAPACITY_UTCP_BYTES);
}

/* Descriptors and locked memory are sockets' affair. */
static void test_most(void **state)
{
	(void)state;
	assert_int_equal(engines_most(ENGINE_TUN, 0, 20, 0), CAPACITY_INDEX_MOST);
	assert_int_equal(engines_most(ENGINE_PACKET, 0, 20, 0), CAPACITY_INDEX_MOST);
	assert_int_equal(engines_most(ENGINE_EPOLL, 0, 1024, 0),
	                 engine_most(ENGINE_EPOLL, 0, 1024, 0));
	assert_int_equal(engines_most(ENGINE_URING, 1, 1024, 10 << 20),
	                 engine_most(ENGINE_URING, 1, 1024, 10 << 20));
	assert_true(engines_most(ENGINE_EPOLL, 0, 1024, 0) < 1024);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_assumed),
		cmocka_unit_test(test_too_little_memory),
		cmocka_unit_test(test_most),
	};

	return cmocka_run_group_tests_name("unit_cost", tests, NULL, NULL);
}
