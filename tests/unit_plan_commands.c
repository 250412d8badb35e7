/* unit_plan_commands: the printed command lines mean what was planned: pools and endpoints parse,
 * and have as many addresses and ports as were counted. */
#include "cmd/plan_commands.h"

#include "base/unit.h"
#include "plan/endpoint.h"
#include "plan/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#define GIB         (UINT64_C(1) << 30)

static struct plan_command commands[PLAN_COMMANDS_MOST];
static uint32_t command_count;
static struct sizing sizing;

static void plan(const struct sizing_ask *ask)
{
	sizing_work(ask, &sizing);
	command_count = plan_commands(ask, &sizing, 1, (uint16_t)ask->source_ports, commands);
	assert_true(command_count <= PLAN_COMMANDS_MOST);
	for (uint32_t i = 0; i < command_count; i++)
		assert_true(strlen(commands[i].line) + 1 < sizeof(commands[i].line));
}

/* The command of a place that begins so, or NULL. */
static const char *find(enum plan_place place, const char *beginning)
{
	for (uint32_t i = 0; i < command_count; i++) {
		if (commands[i].place == place &&
		    strncmp(commands[i].line, beginning, strlen(beginning)) == 0)
			return commands[i].line;
	}
	return NULL;
}

/* The word after `before`, which must be there. */
static const char *word_after(const char *line, const char *before, char word[160])
{
	const char *at = line ? strstr(line, before) : NULL;

	if (!at)
		fail_msg("no '%s' in %s", before, line ? line : "(no such command)");
	assert_int_equal(sscanf(at + strlen(before), "%159s", word), 1);
	return word;
}

static uint64_t count_after(const char *line, const char *before)
{
	char word[160];
	uint64_t n = 0;

	assert_int_equal(unit_count(word_after(line, before, word), &n), 0);
	return n;
}

static void expect_pool(const char *text, uint64_t count)
{
	static struct pool pool;
	struct err err = {""};

	if (pool_parse(text, &pool, &err) != 0)
		fail_msg("%s", err.text);
	assert_int_equal(pool.count, count);
}

static void expect_endpoint(const char *text, uint64_t ports)
{
	struct endpoint endpoint;
	struct ip ip;
	struct err err = {""};

	if (endpoint_parse(text, NULL, &endpoint, &err) != 0)
		fail_msg("%s", err.text);
	assert_int_equal(ip_parse(endpoint.host, &ip), 0);
	assert_false(ip_is_public(&ip));
	assert_int_equal(endpoint.port_high - endpoint.port_low + 1, ports);
}

static void expect_pair(enum plan_place server, enum plan_place client, uint64_t sources,
                        uint64_t ports)
{
	const char *serve = find(server, "megaconn serve "),
		   *connect = find(client, "megaconn connect ");
	char listen[160], target[160], word[160];
	uint16_t low, high;

	expect_endpoint(word_after(serve, "--listen ", listen), ports);
	expect_endpoint(word_after(connect, "connect ", target), ports);
	assert_string_equal(listen, target);
	assert_int_equal(count_after(serve, " -n "), sizing.server_n);
	assert_int_equal(count_after(connect, " -n "), sizing.client_n);
	expect_pool(word_after(connect, "--source ", word), sources);
	assert_int_equal(unit_ports(word_after(connect, "--ports ", word), &low, &high), 0);
	assert_true(sources * ports * (high - low + 1U) >= sizing.client_n);
}

static struct sizing_ask asking(uint64_t n, uint64_t sources, uint32_t server_ports, bool is_ipv6)
{
	return (struct sizing_ask){
		.n = n,
		.sources = sources,
		.server_ports = server_ports,
		.source_ports = 28232,
		.nofile = SIZING_NOFILE_USUAL,
		.is_ipv6 = is_ipv6,
	};
}

static void test_both_ways(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		const struct sizing_ask ask = asking(10000000, 0, 1, i != 0);
		char word[160];

		plan(&ask);
		expect_pair(PLAN_SERVER, PLAN_CLIENT, 355, 1);
		expect_pair(PLAN_PORTS_SERVER, PLAN_PORTS_CLIENT, 1, 355);
		expect_pool(word_after(find(PLAN_CLIENT, "megaconn addr"), "addr up ", word), 355);
		expect_pool(word_after(find(PLAN_SERVER, "megaconn addr"), "addr up ", word), 1);
		assert_int_equal(count_after(find(PLAN_CLIENT, "megaconn tune"), "apply -n "),
		                 10000000);
		assert_int_equal(count_after(find(PLAN_LAB, "megaconn lab"), " -n "), 10000000);
		assert_int_equal(strstr(find(PLAN_LAB, "megaconn lab"), "--ipv6") != NULL, i != 0);
	}
}

static void test_ports_at_the_end(void **state)
{
	const uint32_t ports[] = {1, 2, 57446, 57447, 65535};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(ports); i++) {
		const struct sizing_ask ask = asking(1000, 0, ports[i], false);

		plan(&ask);
		expect_pair(PLAN_SERVER, PLAN_CLIENT, 1, ports[i]);
		assert_null(find(PLAN_PORTS_SERVER, ""));
	}
}

static void test_n_is_exact(void **state)
{
	const uint64_t counts[] = {1,       999,     1000,    1001,       123456,
	                           1000000, 1500000, 1000001, 1000000000, UINT64_C(1) << 30};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(counts); i++) {
		const struct sizing_ask ask = asking(counts[i], 0, 1, false);

		plan(&ask);
		assert_int_equal(count_after(find(PLAN_LAB, "megaconn lab"), " -n "), counts[i]);
		assert_int_equal(count_after(find(PLAN_SERVER, "megaconn serve"), " -n "),
		                 counts[i]);
	}
}

static void test_large_and_none(void **state)
{
	struct sizing_ask ask = asking(SIZING_N_MOST, 0, 1, true);

	(void)state;
	plan(&ask);
	expect_pair(PLAN_SERVER, PLAN_CLIENT, 38033, 1);
	assert_null(find(PLAN_LAB, ""));
	ask = asking(2000000, 0, 1, false);
	ask.source_ports = 1;
	plan(&ask);
	expect_pair(PLAN_SERVER, PLAN_CLIENT, sizing.client_sources, 1);
	assert_true(sizing.client_sources <= SIZING_RUN_SOURCES);
	ask.memory_bytes = 1;
	plan(&ask);
	assert_int_equal(command_count, 0);
}

/* What memory holds of one end and of both differs. */
static void test_lab_has_both_ends(void **state)
{
	struct sizing_ask ask = asking(10000000, 0, 1, false);

	(void)state;
	ask.memory_bytes = 64 * GIB;
	plan(&ask);
	assert_int_equal(count_after(find(PLAN_LAB, "megaconn lab"), " -n "), 7725858);
	assert_int_equal(count_after(find(PLAN_SERVER, "megaconn serve"), " -n "), 10000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_ways),         cmocka_unit_test(test_ports_at_the_end),
		cmocka_unit_test(test_n_is_exact),        cmocka_unit_test(test_large_and_none),
		cmocka_unit_test(test_lab_has_both_ends),
	};

	return cmocka_run_group_tests_name("unit_plan_commands", tests, NULL, NULL);
}
