/* unit_topology: the plan of a host whose addresses, ports and listeners are known, since it is a
 * network namespace of the test's own. */
#include "run/topology.h"

#include "kernel/netlink.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define HERE "127.0.0.1:8090"

static bool has_namespace;
static struct tuple_plan plan;
static struct topology found;
static struct err err;

/* As an ordinary user in a user namespace, where that is allowed. */
static int enter(void **state)
{
	int flags = geteuid() ? CLONE_NEWUSER | CLONE_NEWNET : CLONE_NEWNET;

	(void)state;
	has_namespace = unshare(flags) == 0;
	return 0;
}

static void need_namespace(void)
{
	if (has_namespace)
		return;
	print_message("skipped: no network namespace is allowed here\n");
	skip();
}

static int choose(const struct topology_options *options)
{
	memset(&plan, 0, sizeof(plan));
	memset(&found, 0xff, sizeof(found));
	err.text[0] = '\0';
	return topology_choose(options, &plan, &found, &err);
}

static void expect(const struct topology_options *options)
{
	int failed = choose(options);

	if (failed != 0)
		fail_msg("%s: %s", strerror(-failed), err.text);
	assert_string_equal(err.text, "");
}

static void expect_refused(const struct topology_options *options, int code, const char *says)
{
	assert_int_equal(choose(options), code);
	if (!strstr(err.text, says))
		fail_msg("not '%s' in: %s", says, err.text);
	assert_null(strchr(err.text, '\n'));
}

static int listen_at(const char *address, uint16_t port)
{
	struct sockaddr_storage at;
	struct ip ip;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(ip_parse(address, &ip), 0);
	socklen_t len = ip_sockaddr(&ip, port, &at);

	assert_int_equal(bind(fd, (const struct sockaddr *)&at, len), 0);
	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

/* The first test: what a new namespace is. */
static void test_link_down(void **state)
{
	struct topology_options options = {.target = HERE, .allow_missing = true};

	(void)state;
	need_namespace();
	expect(&options);
	assert_int_equal(found.sources_missing, 1);
	assert_int_equal(plan.source_count, 1);
	assert_true(ip_equal(&plan.sources.ranges[0].first, &plan.target));
	assert_int_equal(found.ports.low, 32768);
	assert_int_equal(found.ports.high, 60999);
	options.allow_missing = false;
	assert_true(choose(&options) < 0);
	assert_true(err.text[0] != '\0');
	options.allow_missing = true;
	options.target = "198.18.0.1:80"; /* only what is here can be taken for granted */
	assert_true(choose(&options) < 0);
	assert_int_equal(netlink_link_up("lo"), 0);
}

static void test_loopback(void **state)
{
	struct topology_options options = {.target = "127.0.0.1:8090-8092"};

	(void)state;
	need_namespace();
	expect(&options);
	assert_int_equal(plan.target_port_low, 8090);
	assert_int_equal(plan.target_port_count, 3);
	assert_int_equal(plan.source_count, 1);
	assert_int_equal(plan.port_count, 28232);
	assert_true(found.is_own_target);
	assert_true(found.is_loopback);
	assert_false(found.ports.are_given);
	assert_int_equal(found.sources_missing, 0);
	assert_int_equal(found.neighbours, 0);
	assert_int_equal(found.ports.targets_within, 0);
	options.source = "127.0.0.2-127.0.0.5,127.1.0.0/16"; /* all of 127.0.0.0/8 is here */
	expect(&options);
	assert_int_equal(plan.source_count, 4 + 65534);
	assert_int_equal(found.sources_missing, 0);
	options = (struct topology_options){.target = "[::1]:8090", .family = AF_INET6};
	expect(&options);
	assert_true(found.is_own_target);
	assert_false(found.is_loopback);
	assert_int_equal(plan.sources.ranges[0].first.family, AF_INET6);
}

static void test_sources_missing(void **state)
{
	struct topology_options options = {.target = HERE, .source = "198.18.0.1-8"};
	struct ip first;

	(void)state;
	need_namespace();
	assert_int_equal(ip_parse("198.18.0.1", &first), 0);
	assert_int_equal(netlink_add_addresses("lo", &first, 4), 0);
	expect_refused(&options, -EADDRNOTAVAIL, "source IP 198.18.0.5 is not an address of");
	options.source = "198.18.0.1-4";
	expect(&options);
	assert_int_equal(found.sources_missing, 0);
	options.allow_missing = true;
	options.source = "198.18.0.1-8";
	expect(&options);
	assert_int_equal(found.sources_missing, 4);
	assert_int_equal(plan.source_count, 8);
	/* Of a large range the ends are looked at; none is there, be their number odd or even. */
	options.source = "198.18.64.1-198.18.84.1";
	expect(&options);
	assert_int_equal(plan.source_count, 5121);
	assert_int_equal(found.sources_missing, 5121);
	options.source = "198.18.64.0/18";
	expect(&options);
	assert_int_equal(found.sources_missing, 16382);
	/* One end. */
	options.source = "198.18.0.1-198.18.20.1";
	expect(&options);
	assert_int_equal(found.sources_missing, 5121 / 2);
}

static void test_ports(void **state)
{
	struct topology_options options = {.target = HERE, .port_low = 20000, .port_high = 20006};
	int listener;

	(void)state;
	need_namespace();
	expect(&options);
	assert_true(found.ports.are_given);
	assert_int_equal(plan.port_count, 7);
	assert_int_equal(found.ports.listening, 0);
	listener = listen_at("127.0.0.9", 20003);
	expect(&options);
	assert_int_equal(plan.port_count, 6);
	assert_int_equal(found.ports.listening, 1);
	assert_int_equal(found.ports.first_listening, 20003);
	assert_int_equal(found.ports.taken, 0);
	assert_int_equal(plan.position_of[20003], 0);
	options.port_low = options.port_high = 20003;
	expect_refused(&options, -EADDRINUSE, "no source port is left in 20003-20003");
	options.allow_missing = true;
	expect(&options);
	assert_int_equal(plan.port_count, 0);
	close(listener);
	/* The server's own ports: not from its own address. */
	options = (struct topology_options){
		.target = "127.0.0.1:20001-20002", .port_low = 20000, .port_high = 20006};
	expect(&options);
	assert_int_equal(found.ports.targets_within, 2);
	assert_int_equal(plan.port_count, 5);
	assert_int_equal(found.ports.taken, 2);
	options.source = "127.0.0.2";
	expect(&options);
	assert_int_equal(found.ports.targets_within, 2);
	assert_int_equal(plan.port_count, 7);
}

static void test_reserved(void **state)
{
	const struct topology_options options = {.target = HERE};
	int fd;

	(void)state;
	need_namespace();
	fd = open("/proc/sys/net/ipv4/ip_local_reserved_ports", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "50000-50009,1000", 16) != 16) {
		print_message("skipped: no port can be reserved here\n");
		skip();
	}
	expect(&options);
	assert_int_equal(found.ports.reserved, 10);
	assert_int_equal(plan.port_count, 28222);
	assert_int_equal(write(fd, "\n", 1), 1);
	close(fd);
}

static void test_public(void **state)
{
	struct topology_options options = {
		.target = "8.8.8.8:80", .source = "127.0.0.1", .allow_missing = true};

	(void)state;
	need_namespace();
	expect_refused(&options, -EPERM, "--allow-public");
	options.allow_public = true;
	expect(&options);
	assert_false(found.is_own_target);
	assert_false(found.is_loopback);
	options.target = "0.0.0.0:80";
	expect_refused(&options, -EINVAL, "is no host's address");
	options.target = "127.0.0.1";
	assert_int_equal(choose(&options), -EINVAL);
	options.target = HERE;
	options.source = "127.0.0.1-";
	assert_int_equal(choose(&options), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_link_down),       cmocka_unit_test(test_loopback),
		cmocka_unit_test(test_sources_missing), cmocka_unit_test(test_ports),
		cmocka_unit_test(test_reserved),        cmocka_unit_test(test_public),
	};

	return cmocka_run_group_tests_name("unit_topology", tests, enter, NULL);
}
