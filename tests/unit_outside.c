/* unit_outside: sources for clients with a TCP of their own, on a host whose addresses and routes
 * are known, since it is a network namespace of the test's own. */
#include "run/outside.h"

#include "kernel/channel.h"
#include "kernel/netlink.h"
#include "kernel/route.h"

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define ALL  131070
#define HERE "10.9.0.1" /* the server, away from all sources */

static bool has_namespace;
static struct tuple_plan plan;
static struct err err;

static struct ip ip_of(const char *text)
{
	struct ip ip;

	assert_int_equal(ip_parse(text, &ip), 0);
	return ip;
}

static void add(const char *text)
{
	struct ip ip = ip_of(text);

	assert_int_equal(netlink_add_addresses("lo", &ip, 1), 0);
}

static int enter(void **state)
{
	int flags = geteuid() ? CLONE_NEWUSER | CLONE_NEWNET : CLONE_NEWNET;

	(void)state;
	has_namespace = unshare(flags) == 0;
	if (!has_namespace)
		return 0;
	if (netlink_link_up("lo") != 0)
		return -1;
	add(HERE);
	add("2001:2::1");
	return 0;
}

static void need_namespace(void)
{
	if (has_namespace)
		return;
	print_message("skipped: no network namespace is allowed here\n");
	skip();
}

static int choose(const char *target, const char *sources, bool allow_public)
{
	const struct outside_options options = {.are_given = sources, .allow_public = allow_public};

	memset(&plan, 0, sizeof(plan));
	err.text[0] = '\0';
	plan.target = ip_of(target);
	plan.target_port_count = 1;
	if (sources)
		assert_int_equal(pool_parse(sources, &plan.sources, &err), 0);
	return outside_choose(&options, &plan, &err);
}

static void expect(const char *target, const char *sources, uint32_t count)
{
	if (choose(target, sources, false) != 0)
		fail_msg("%s", err.text);
	assert_int_equal(plan.sources.count, count);
	assert_int_equal(plan.source_count, count);
	assert_int_equal(plan.port_count, 65535 - 1024 + 1);
	/* Ranges follow each other, and are counted through. */
	for (uint32_t i = 0, before = 0; i < plan.sources.range_count; i++) {
		assert_int_equal(plan.sources.ranges[i].before, before);
		assert_true(plan.sources.ranges[i].count > 0);
		before += plan.sources.ranges[i].count;
	}
}

static bool has(const char *text)
{
	struct ip ip = ip_of(text);

	return pool_index(&plan.sources, &ip) >= 0;
}

static void expect_refused(const char *target, const char *sources, int code, const char *says)
{
	assert_int_equal(choose(target, sources, false), code);
	if (!strstr(err.text, says))
		fail_msg("not '%s' in: %s", says, err.text);
	assert_null(strchr(err.text, '\n'));
}

static void test_targets(void **state)
{
	(void)state;
	need_namespace();
	expect(HERE, "198.18.0.1", 1);
	expect("2001:2::1", "2001:2:0:1::9", 1);
	expect_refused("127.0.0.1", "198.18.0.1", -EADDRNOTAVAIL, "martian");
	expect_refused("127.9.9.9", "198.18.0.1", -EADDRNOTAVAIL, "addr up 198.19.0.1 --dev lo");
	expect_refused("::1", "2001:2:0:1::9", -EADDRNOTAVAIL, "addr up 2001:2::1 --dev lo");
	expect_refused("fe80::1", "2001:2:0:1::9", -EADDRNOTAVAIL, "from its own link alone");
	expect_refused("10.9.0.2", "198.18.0.1", -EADDRNOTAVAIL, "10.9.0.2 is not an address of");
}

static void test_given(void **state)
{
	(void)state;
	need_namespace();
	expect(HERE, "198.18.0.0/15", ALL);
	expect(HERE, "10.8.0.1-10.8.0.9,192.168.7.1", 10);
	expect_refused(HERE, "10.9.0.0/24", -EADDRINUSE,
	               "source IP 10.9.0.1 is an address of this");
	expect_refused(HERE, "127.0.0.9", -EADDRINUSE, "source IP 127.0.0.9 is an address of this");
	expect_refused(HERE, "192.168.0.1,9.9.9.1-9.9.9.9", -EPERM, "source IP 9.9.9.1 may be");
	expect_refused(HERE, "224.0.0.1", -EINVAL, "no host's address");
	assert_int_equal(choose(HERE, "9.9.9.1-9.9.9.9", true), 0);
}

static void test_ports(void **state)
{
	struct outside_options options = {.are_given = true, .port_low = 2000, .port_high = 2009};

	(void)state;
	need_namespace();
	expect(HERE, "198.18.0.1", 1);
	assert_int_equal(outside_choose(&options, &plan, &err), 0);
	assert_int_equal(plan.port_count, 10);
	assert_int_equal(plan.ports[0], 2000);
}

/* What this host has is cut out, wherever it lies. */
static void test_chosen(void **state)
{
	struct ip last;

	(void)state;
	need_namespace();
	expect(HERE, NULL, ALL);
	last = pool_at(&plan.sources, ALL - 1);
	assert_true(ip_equal(&last, &(struct ip){.family = AF_INET, .bytes = {198, 19, 255, 254}}));
	expect("2001:2::1", NULL, ALL);
	assert_true(has("2001:2:0:1::1"));
	add("198.18.0.1");
	add("198.18.7.9");
	add("198.19.255.254");
	expect(HERE, NULL, ALL - 3);
	assert_int_equal(plan.sources.range_count, 2);
	assert_false(has("198.18.0.1") || has("198.18.7.9") || has("198.19.255.254"));
	assert_true(has("198.18.0.2") && has("198.18.7.8") && has("198.18.7.10"));
	assert_true(has("198.19.255.253"));
	add("2001:2:0:1::5");
	expect("2001:2::1", NULL, ALL - 1);
	assert_false(has("2001:2:0:1::5"));
	assert_true(has("2001:2:0:1::4") && has("2001:2:0:1::6"));
}

static void route(const char *text, uint8_t len, bool is_added)
{
	struct ip ip = ip_of(text);
	const struct route_prefix prefix = route_prefix_of(&ip, len);
	struct channel c;

	assert_int_equal(channel_open(&c), 0);
	assert_int_equal(is_added ? route_add_local(&c, &prefix) : route_delete_local(&c, &prefix),
	                 0);
	channel_close(&c);
}

/* Networks, that begin before, within and end behind. */
static void test_networks(void **state)
{
	(void)state;
	need_namespace();
	route("198.18.64.0", 18, true);
	expect(HERE, NULL, ALL - 3 - 16384);
	assert_true(has("198.18.63.255") && has("198.18.128.0"));
	assert_false(has("198.18.64.0") || has("198.18.127.255"));
	route("198.18.0.0", 16, true);
	expect(HERE, NULL, 65536 - 2);
	assert_true(has("198.19.0.0") && !has("198.18.255.255"));
	route("198.0.0.0", 8, true);
	expect_refused(HERE, NULL, -EADDRINUSE, "all of 198.18.0.0/15 is this host's");
	route("198.0.0.0", 8, false);
	route("198.18.0.0", 16, false);
	route("198.18.64.0", 18, false);
	expect(HERE, NULL, ALL - 3);
}

/* As many pieces as a pool can have, and no more. */
static void test_many_pieces(void **state)
{
	(void)state;
	need_namespace();
	for (int i = 0; i < 200; i += 2) {
		struct ip first = ip_of("198.18.9.0"), ip = ip_add(&first, (uint64_t)i);

		assert_int_equal(netlink_add_addresses("lo", &ip, 1), 0);
	}
	assert_int_equal(choose(HERE, NULL, false), 0);
	assert_in_range(plan.sources.range_count, 1, POOL_RANGES_MAX);
	assert_true(plan.sources.count > 0);
	for (int i = 0; i < 200; i += 2) {
		struct ip first = ip_of("198.18.9.0"), ip = ip_add(&first, (uint64_t)i);

		assert_int_equal(pool_index(&plan.sources, &ip), -1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_targets),  cmocka_unit_test(test_given),
		cmocka_unit_test(test_ports),    cmocka_unit_test(test_chosen),
		cmocka_unit_test(test_networks), cmocka_unit_test(test_many_pieces),
	};

	return cmocka_run_group_tests_name("unit_outside", tests, enter, NULL);
}
