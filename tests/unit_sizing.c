/* unit_sizing: known numbers on both sides of each step, the two directions of memory against each
 * other, what ends first, and nothing that wraps where N is absurd. */
#include "plan/sizing.h"

#include "plan/capacity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#define MIB         (UINT64_C(1) << 20)
#define GIB         (UINT64_C(1) << 30)
#define USUAL       (SIZING_PORT_HIGH - SIZING_PORT_LOW + 1)

static struct sizing_ask asking(uint64_t n)
{
	return (struct sizing_ask){
		.n = n,
		.server_ports = 1,
		.source_ports = USUAL,
		.nofile = SIZING_NOFILE_USUAL,
	};
}

/* With the usual ports, IPv4: source IPs to one server port and server ports from one source IP are
 * the same number. */
static const struct {
	uint64_t n, ways, room, processes;
	uint64_t server_bytes, both_bytes;
} known[] = {
	{1, 1, 28232, 1, 512 * MIB + 4350, 512 * MIB + 8450},
	{28231, 1, 28232, 1, 512 * MIB + UINT64_C(28231) * 4350,
         512 * MIB + UINT64_C(28231) * 8450},
	{28232, 1, 28232, 1, 512 * MIB + UINT64_C(28232) * 4350,
         512 * MIB + UINT64_C(28232) * 8450},
	{28233, 2, 56464, 1, 512 * MIB + UINT64_C(28233) * 4350,
         512 * MIB + UINT64_C(28233) * 8450},
	{65535, 3, 84696, 1, 512 * MIB + UINT64_C(65535) * 4350,
         512 * MIB + UINT64_C(65535) * 8450},
	{1000000, 36, 1016352, 1, 512 * MIB + UINT64_C(4350000000),
         512 * MIB + UINT64_C(8450000000)},
	{1048552, 38, 1072816, 1, 512 * MIB + UINT64_C(1048552) * 4350,
         512 * MIB + UINT64_C(1048552) * 8450},
	{1048553, 38, 1072816, 2, 512 * MIB + UINT64_C(1048553) * 4350,
         512 * MIB + UINT64_C(1048553) * 8450},
	/* From here on 5 % are more than 512 MiB: 43.5e9 + (43.5e9 - 1) / 19. */
	{10000000, 355, 10022360, 10, UINT64_C(45789473684), UINT64_C(88947368421)},
	{UINT64_C(1) << 30, 38033, UINT64_C(1073747656), 1025, UINT64_C(4916607299368),
         UINT64_C(9550650960842)},
};

static void test_known(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(known); i++) {
		struct sizing_ask ask = asking(known[i].n);
		struct sizing s;

		sizing_work(&ask, &s);
		assert_int_equal(s.n, known[i].n);
		assert_true(s.fits);
		assert_int_equal(s.by_sources.sources, known[i].ways);
		assert_int_equal(s.by_sources.server_ports, 1);
		assert_int_equal(s.by_sources.room, known[i].room);
		assert_int_equal(s.by_ports.sources, 1);
		assert_int_equal(s.by_ports.server_ports, known[i].ways);
		assert_int_equal(s.by_ports.room, known[i].room);
		assert_true(s.by_sources.is_possible && s.by_ports.is_possible);
		assert_int_equal(s.processes, known[i].processes);
		assert_int_equal(s.memory_bytes[SIZING_SERVER], known[i].server_bytes);
		assert_int_equal(s.memory_bytes[SIZING_CLIENT], known[i].server_bytes);
		assert_int_equal(s.memory_bytes[SIZING_BOTH], known[i].both_bytes);
		assert_int_equal(s.servers, 1);
		assert_int_equal(s.clients, 1);
		assert_int_equal(s.server_n, known[i].n);
		assert_int_equal(s.client_n, known[i].n);
		assert_int_equal(s.client_sources, known[i].ways);
	}
}

static void test_shapes(void **state)
{
	struct sizing_ask ask = asking(10000000);
	struct sizing s;

	(void)state;
	ask.server_ports = 30;
	ask.sources = 5;
	sizing_work(&ask, &s);
	assert_int_equal(s.by_sources.sources, 12); /* 10M / (28,232 * 30) = 11.8 */
	assert_int_equal(s.by_sources.server_ports, 30);
	assert_int_equal(s.by_ports.sources, 5);
	assert_int_equal(s.by_ports.server_ports, 71); /* 10M / (28,232 * 5) = 70.8 */
	ask.source_ports = 64512;
	sizing_work(&ask, &s);
	assert_int_equal(s.by_sources.sources, 6); /* 5.2 */
	assert_int_equal(s.sources_wide, 6);

	/* One address has 65,535 ports. */
	ask = asking((uint64_t)USUAL * 65535);
	sizing_work(&ask, &s);
	assert_int_equal(s.by_ports.server_ports, 65535);
	assert_true(s.by_ports.is_possible);
	ask.n++;
	sizing_work(&ask, &s);
	assert_int_equal(s.by_ports.server_ports, 65536);
	assert_false(s.by_ports.is_possible);
	assert_true(s.by_sources.is_possible);
}

/* The least memory that holds n: a byte less does not. */
static void test_memory_both_ways(void **state)
{
	uint64_t seed = 3;

	(void)state;
	assert_int_equal(sizing_memory_bytes(0, SIZING_SERVER, false), 0);
	for (int tries = 0; tries < 20000; tries++) {
		enum sizing_role role = (enum sizing_role)(tries % SIZING_ROLE_COUNT);
		bool is_ipv6 = tries % 2 != 0;

		seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		uint64_t n = ((seed >> 16) >> (seed >> 59)) + 1;
		uint64_t bytes = sizing_memory_bytes(n, role, is_ipv6);

		assert_int_equal(sizing_held(bytes, role, is_ipv6), n);
		assert_int_equal(sizing_held(bytes - 1, role, is_ipv6), n - 1);
	}
}

static void test_held(void **state)
{
	(void)state;
	assert_int_equal(sizing_held(0, SIZING_SERVER, false), 0);
	assert_int_equal(sizing_held(512 * MIB, SIZING_SERVER, false), 0);
	assert_int_equal(sizing_held(512 * MIB + 4349, SIZING_SERVER, false), 0);
	assert_int_equal(sizing_held(512 * MIB + 4350, SIZING_SERVER, false), 1);
	assert_int_equal(sizing_held(512 * MIB + 4600, SIZING_CLIENT, true), 1);
	assert_int_equal(sizing_held(512 * MIB + 8449, SIZING_BOTH, false), 0);
	assert_int_equal(sizing_held(512 * MIB + 8900, SIZING_BOTH, true), 1);
	assert_int_equal(sizing_held(64 * GIB, SIZING_SERVER, false), 15007701);
	assert_int_equal(sizing_held(64 * GIB, SIZING_BOTH, false), 7725858);
}

static void expect_end(const struct sizing_ask *ask, enum sizing_end end, uint64_t largest)
{
	struct sizing_ask at = *ask;
	struct sizing s;

	at.n = largest;
	sizing_work(&at, &s);
	assert_int_equal(s.largest, largest);
	assert_int_equal(s.ends, end);
	assert_true(s.fits);
	at.n = largest + 1;
	sizing_work(&at, &s);
	assert_int_equal(s.largest, largest);
	assert_int_equal(s.ends, end);
	assert_false(s.fits);
	assert_true(s.servers * s.server_n >= largest); /* what fits is what is run */
	assert_true((s.servers - 1) * s.server_n < largest);
	at.n = 0;
	sizing_work(&at, &s);
	assert_int_equal(s.n, largest);
	assert_true(s.fits);
}

static void test_what_ends_first(void **state)
{
	struct sizing_ask ask = asking(0);

	(void)state;
	expect_end(&ask, SIZING_END_ADDRESSES, UINT64_C(28232) << 32);
	ask.memory_bytes = 64 * GIB;
	expect_end(&ask, SIZING_END_MEMORY, 15007701);
	ask.sources = 531;
	expect_end(&ask, SIZING_END_SOURCES, UINT64_C(531) * 28232);
	ask.sources = 532;
	expect_end(&ask, SIZING_END_MEMORY, 15007701);
	ask.sources = 20;
	ask.server_ports = 2;
	expect_end(&ask, SIZING_END_SOURCES, UINT64_C(40) * 28232);
	ask.source_ports = 1;
	expect_end(&ask, SIZING_END_SOURCES, 40);
	ask = asking(0);
	ask.is_ipv6 = true;
	ask.memory_bytes = 64 * GIB;
	expect_end(&ask, SIZING_END_MEMORY, 14192065);
}

static void test_too_little_memory(void **state)
{
	struct sizing_ask ask = asking(0);
	struct sizing s;

	(void)state;
	ask.memory_bytes = 512 * MIB;
	sizing_work(&ask, &s);
	assert_int_equal(s.n, 1);
	assert_int_equal(s.largest, 0);
	assert_false(s.fits);
	assert_int_equal(s.clients, 0);
	assert_int_equal(s.ends, SIZING_END_MEMORY);
}

/* More than a run can number, more than the example network has addresses for. */
static void test_runs(void **state)
{
	struct sizing_ask ask = asking(CAPACITY_INDEX_MOST + 1);
	struct sizing s;

	(void)state;
	sizing_work(&ask, &s);
	assert_int_equal(s.servers, 2);
	assert_int_equal(s.server_n, CAPACITY_INDEX_MOST / 2 + 1);
	assert_int_equal(s.clients, 2);
	assert_int_equal(s.client_sources, 19017);
	ask = asking(SIZING_RUN_SOURCES);
	ask.source_ports = 1;
	sizing_work(&ask, &s);
	assert_int_equal(s.clients, 1);
	assert_int_equal(s.client_sources, SIZING_RUN_SOURCES);
	ask.n++;
	sizing_work(&ask, &s);
	assert_int_equal(s.servers, 1);
	assert_int_equal(s.clients, 2);
	assert_int_equal(s.client_n, 32768);
	assert_int_equal(s.client_sources, 32768);
}

static void test_absurd(void **state)
{
	struct sizing_ask ask = asking(SIZING_N_MOST);
	struct sizing s;

	(void)state;
	sizing_work(&ask, &s);
	assert_false(s.fits); /* 28,232 ports of each IPv4 address are not 2^48 */
	assert_int_equal(s.ends, SIZING_END_ADDRESSES);
	assert_int_equal(s.by_sources.sources, UINT64_C(9970068600));
	assert_false(s.by_sources.is_possible);
	assert_int_equal(s.memory_bytes[SIZING_SERVER], UINT64_C(1288859103885635368));
	assert_int_equal(s.processes, UINT64_C(268441601));
	ask.is_ipv6 = true;
	sizing_work(&ask, &s);
	assert_true(s.fits);
	assert_int_equal(s.largest, UINT64_MAX);
	assert_int_equal(s.servers, 262144);
	assert_int_equal(s.server_n, CAPACITY_INDEX_MOST);
	assert_int_equal(s.memory_bytes[SIZING_BOTH], UINT64_C(2636976097605093052));

	/* What does not fit 64 bits stays at their end. */
	ask.n = UINT64_MAX;
	ask.source_ports = 1;
	ask.sources = UINT64_MAX;
	ask.server_ports = SIZING_SERVER_PORTS_MOST;
	sizing_work(&ask, &s);
	assert_int_equal(s.memory_bytes[SIZING_SERVER], UINT64_MAX);
	assert_int_equal(s.by_ports.server_ports, 1);
	assert_int_equal(s.by_ports.room, UINT64_MAX);
	assert_true(s.fits);
	assert_true(s.clients >= UINT64_MAX / CAPACITY_INDEX_MOST);
	assert_int_equal(sizing_memory_bytes(UINT64_MAX, SIZING_BOTH, true), UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_shapes),
		cmocka_unit_test(test_memory_both_ways),
		cmocka_unit_test(test_held),
		cmocka_unit_test(test_what_ends_first),
		cmocka_unit_test(test_too_little_memory),
		cmocka_unit_test(test_runs),
		cmocka_unit_test(test_absurd),
	};

	return cmocka_run_group_tests_name("unit_sizing", tests, NULL, NULL);
}
