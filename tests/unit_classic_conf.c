/* unit_classic_conf: megaconn.conf as it is shipped, n in both solutions, and what is found wrong
 * before anything starts. */
#include "cmd/classic_conf.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct classic_conf conf;
static struct err err;

static int parse(const char *text)
{
	err.text[0] = '\0';
	return classic_conf_parse("m.conf", text, strlen(text), &conf, &err);
}

static void check_n(const char *text, uint64_t n, uint64_t clients)
{
	if (parse(text) != 0 || conf.n != n || conf.clients.count != clients)
		fail_msg("\"%s\": %llu of %llu: %s", text, (unsigned long long)conf.n,
		         (unsigned long long)conf.clients.count, err.text);
}

static void check_error(const char *text, const char *expected)
{
	int rc = parse(text);

	if (rc != -EINVAL || strcmp(err.text, expected) != 0)
		fail_msg("\"%s\": %d, \"%s\", not \"%s\"", text, rc, err.text, expected);
}

static void check_defaults(void)
{
	assert_int_equal(conf.solution, 1);
	assert_string_equal(conf.server_ip, "127.0.0.1");
	assert_int_equal(conf.server_ports.low, 8090);
	assert_int_equal(conf.server_ports.high, 8119);
	assert_string_equal(conf.client_ips, "127.0.0.2-127.0.0.21");
	assert_int_equal(conf.client_ports.low, 10240);
	assert_int_equal(conf.client_ports.high, 65535);
	assert_string_equal(conf.device, "lo");
	assert_int_equal(conf.connections_per_ip, 50000);
	assert_int_equal(conf.connections, 0);
	assert_int_equal(conf.hold_ns, 300 * NS_PER_S);
	assert_int_equal(conf.rate_per_s, 0);
	assert_int_equal(conf.engine, CLASSIC_AUTO);
	assert_int_equal(conf.clients.count, 20);
	assert_int_equal(conf.n, 1000000);
	assert_int_equal(classic_conf_server_ports(&conf), 1);
}

/* The file says in words what the defaults are: both must stay the same. */
static void shipped_file_is_the_default(void **state)
{
	(void)state;
	assert_int_equal(parse(""), 0);
	check_defaults();
	memset(&conf, 0xff, sizeof(conf));
	if (classic_conf_read("megaconn.conf", &conf, &err) != 0)
		fail_msg("%s", err.text);
	check_defaults();
}

static void all_keys(void **state)
{
	(void)state;
	assert_int_equal(parse("[experiment]\nsolution = 2\nconnections-per-ip = 40k\n"
	                       "connections = 300k\nhold = 1m\nrate = 20k/s\nengine = epoll\n"
	                       "[server]\nserver-ip = 2001:db8::1\nserver-ports = 9000-9009\n"
	                       "[client]\nclient-ips = 2001:db8::2\nclient-ports = 1024-50000\n"
	                       "device = eth0.100\n"),
	                 0);
	assert_string_equal(conf.device, "eth0.100");
	assert_int_equal(conf.solution, 2);
	assert_int_equal(conf.connections_per_ip, 40000);
	assert_int_equal(conf.connections, 300000);
	assert_int_equal(conf.n, 300000);
	assert_int_equal(conf.hold_ns, 60 * NS_PER_S);
	assert_int_equal(conf.rate_per_s, 20000);
	assert_int_equal(conf.engine, CLASSIC_EPOLL);
	assert_string_equal(conf.server_ip, "2001:db8::1");
	assert_int_equal(classic_conf_server_ports(&conf), 10);
	assert_int_equal(conf.client_ports.low, 1024);
}

static void as_connect_takes_it(void **state)
{
	char target[CLASSIC_TARGET_BYTES], source[IP_TEXT_BYTES];

	(void)state;
	assert_int_equal(parse(""), 0);
	assert_string_equal(classic_conf_target(&conf, target), "127.0.0.1:8090-8090");
	assert_string_equal(classic_conf_source(&conf, source), "127.0.0.2-127.0.0.21");
	assert_int_equal(parse("[experiment]\nsolution = 2\n[server]\nserver-ip = ::1\n[client]\n"
	                       "client-ips = fd00::2-fd00::9\n"),
	                 0);
	assert_string_equal(classic_conf_target(&conf, target), "[::1]:8090-8119");
	assert_string_equal(classic_conf_source(&conf, source), "fd00::2");
}

static void both_solutions_make_the_same(void **state)
{
	(void)state;
	check_n("[experiment]\nsolution = 1\n", 1000000, 20);
	check_n("[experiment]\nsolution = 2\n", 1000000, 20);
	check_n("[experiment]\nsolution = 1\nconnections = 10k\n", 10000, 20);
	check_n("[experiment]\nsolution = 2\nconnections = 10k\n", 10000, 20);
	check_n("[experiment]\nsolution = 1\nconnections = 1M\n", 1000000, 20);
	check_n("[experiment]\nsolution = 2\nconnections = 1500k\n", 1500000, 20);
	check_n("[experiment]\nconnections = 1\n[client]\nclient-ips = 10.0.0.2\n", 1, 1);
}

static void forms_of_client_ips(void **state)
{
	(void)state;
	check_n("[client]\nclient-ips = 10.0.0.2\n", 50000, 1);
	check_n("[client]\nclient-ips = 10.0.0.2,10.0.0.9\n", 100000, 2);
	check_n("[client]\nclient-ips = 10.0.0.2, 10.0.0.4-10.0.0.6, 10.1.0.0/29\n", 500000, 10);
	check_n("[client]\nclient-ips = 10.0.0.0/24\n", 12700000, 254);
	check_n("[client]\nclient-ips = 10.0.0.0/31\n", 100000, 2);
	check_n("[client]\nclient-ips = 10.0.0.0/32\n", 50000, 1);
	check_n("[server]\nserver-ip = ::1\n[client]\nclient-ips = ::1 ,\tfd00::/120\n", 12800000,
	        256);
}

/* plan/pool says what is wrong with them; here it is only that it is said with its line. */
static void bad_client_ips(void **state)
{
	static const char *const bad[] = {
		"10.0.0",           "10.0.0.2-",          "10.0.0.9-10.0.0.2", "10.0.0.0/33",
		"10.0.0.1/24",      "fd00::/64",          "localhost",         ",",
		"10.0.0.2,",        "10.0.0.2,,10.0.0.3", "10.0.0.2 10.0.0.3", "10.0.0.2, 10.0.0.2",
		"10.0.0.2,fd00::1",
	};
	char text[128];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text), "[client]\nclient-ips = %s\n", bad[i]);
		if (parse(text) != -EINVAL || strncmp(err.text, "m.conf:2: client-ips ", 21) != 0)
			fail_msg("\"%s\": %s", bad[i], err.text);
	}
	check_error("[client]\nclient-ips = fd00::1\n",
	            "m.conf:2: client-ips and server-ip 127.0.0.1: one is IPv4, the other IPv6, "
	            "which do not meet");
	/* The one that is to be changed is not in the file. */
	check_error("[server]\nserver-ip = ::1\n",
	            "m.conf: client-ips and server-ip ::1: one is IPv4, the other IPv6, which do "
	            "not meet");
	assert_int_equal(classic_conf_parse("m", "[client]\nclient-ips = x\n", 24, &conf, NULL),
	                 -EINVAL);
}

static void bad_values(void **state)
{
	(void)state;
	check_error("[experiment]\nconnections-per-ip = 5x\n",
	            "m.conf:2: connections-per-ip 5x: not a count (try 1000, 10k, 1M)");
	check_error("[experiment]\nsolution = 3\n", "m.conf:2: solution 3: must be one of 1, 2");
	check_error("[experiment]\nengine = warp\n",
	            "m.conf:2: engine warp: must be one of auto, uring, epoll");
	check_error(
		"[server]\nserver-ip = 10.0.0.1\nhttp = 9464\n[client]\nclient-ips = 10.0.0.2\n",
		"m.conf:3: http 9464: who asks on 10.0.0.1 says a token: token = ... in both "
		"hosts' files, such as openssl rand -hex 16 makes");
	check_error(
		"[server]\ntoken = short\n",
		"m.conf:2: token: 16 to 256 of A-Z a-z 0-9 . _ ~ -, such as openssl rand -hex 16 "
		"makes");
	check_error("[server]\nserver-ip = localhost\n",
	            "m.conf:2: server-ip localhost: not an address (try 127.0.0.1, 10.0.0.1)");
	check_error(
		"[server]\nport = 8090\n",
		"m.conf:2: unknown key port in [server] (server-ip, server-ports, http, token)");
	check_error("[client]\nserver-ip = 127.0.0.1\n", "m.conf:2: server-ip belongs in [server]");
	check_error("[network]\n",
	            "m.conf:1: unknown section [network] (there are [experiment], [server], "
	            "[client])");
}

static void what_does_not_fit(void **state)
{
	(void)state;
	check_error("[experiment]\nconnections = 2M\n",
	            "m.conf:2: connections 2000000: 20 client IPs x 50000 connections-per-ip are "
	            "1000000: give more client-ips");
	check_error("[client]\nclient-ports = 20000-60000\n",
	            "m.conf:2: 50000 connections per client IP need as many client-ports, and "
	            "20000-60000 are 40001: widen them, or give more client-ips");
	check_error("[experiment]\nsolution = 2\n[server]\nserver-ports = 8090-8099\n",
	            "m.conf:4: solution 2 makes 1000000 connections from one client IP to 10 "
	            "ports, 100000 to each, and client-ports are 55296: give more server-ports");
	check_error("[client]\nclient-ips = 10.0.0.0/8\n",
	            "m.conf:2: 16777214 client IPs x 50000 connections-per-ip are more than "
	            "1000000000: give fewer");
	/* As many as fit exactly, and one more. */
	check_n("[experiment]\nsolution = 2\nconnections = 1658880\n", 1658880, 20);
	assert_int_equal(parse("[experiment]\nsolution = 2\nconnections = 1658881\n"), -EINVAL);
	check_n("[experiment]\nconnections-per-ip = 55296\n", 1105920, 20);
	assert_int_equal(parse("[experiment]\nconnections-per-ip = 55297\n"), -EINVAL);
	check_n("[experiment]\nconnections = 1M\n[client]\nclient-ips = 10.0.0.0/8\n", 1000000,
	        16777214);
}

static void missing_file(void **state)
{
	(void)state;
	assert_int_equal(classic_conf_read("/none/m.conf", &conf, &err), -ENOENT);
	assert_string_equal(err.text,
	                    "/none/m.conf: no such file: start where megaconn.conf is, or name it "
	                    "(--config FILE, make CONFIG=FILE)");
	assert_int_equal(classic_conf_read("/", &conf, &err), -EISDIR);
}

static void counts_over_http(void **state)
{
	char text[CLASSIC_TARGET_BYTES];

	(void)state;
	assert_int_equal(parse(""), 0);
	assert_string_equal(classic_conf_http(&conf, text), "");
	assert_int_equal(parse("[server]\nhttp = 9464\n"), 0); /* on a loopback address */
	assert_string_equal(classic_conf_http(&conf, text), "127.0.0.1:9464");
	assert_int_equal(parse("[server]\nserver-ip = fd00::1\nhttp = 1\ntoken = "
	                       "0123456789abcdef\n[client]\nclient-ips = fd00::2\n"),
	                 0);
	assert_string_equal(classic_conf_http(&conf, text), "[fd00::1]:1");
	assert_string_equal(conf.token, "0123456789abcdef");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_over_http),
		cmocka_unit_test(shipped_file_is_the_default),
		cmocka_unit_test(all_keys),
		cmocka_unit_test(as_connect_takes_it),
		cmocka_unit_test(both_solutions_make_the_same),
		cmocka_unit_test(forms_of_client_ips),
		cmocka_unit_test(bad_client_ips),
		cmocka_unit_test(bad_values),
		cmocka_unit_test(what_does_not_fit),
		cmocka_unit_test(missing_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
