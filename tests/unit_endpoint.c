/* unit_endpoint: hosts and ports as users write them, and what is said of what cannot be split. */
#include "plan/endpoint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ANY "0.0.0.0"

static struct endpoint endpoint;
static struct err err;

static void expect_with(const char *text, const char *default_host, const char *host, uint16_t low,
                        uint16_t high)
{
	int code = endpoint_parse(text, default_host, &endpoint, &err);

	if (code != 0)
		fail_msg("%s: %s", text, err.text);
	assert_string_equal(endpoint.host, host);
	assert_int_equal(endpoint.port_low, low);
	assert_int_equal(endpoint.port_high, high);
}

/* Whether or not there is a default, since the text has a host. */
static void expect(const char *text, const char *host, uint16_t low, uint16_t high)
{
	expect_with(text, NULL, host, low, high);
	expect_with(text, ANY, host, low, high);
}

static void expect_refused_with(const char *text, const char *default_host, const char *expected)
{
	struct endpoint before;
	int code;

	memset(&endpoint, 0x5a, sizeof(endpoint));
	memcpy(&before, &endpoint, sizeof(endpoint));
	err.text[0] = '\0';
	code = endpoint_parse(text, default_host, &endpoint, &err);
	assert_string_equal(err.text, expected);
	assert_int_equal(code, -EINVAL);
	assert_memory_equal(&before, &endpoint, sizeof(endpoint));
	assert_int_equal(endpoint_parse(text, default_host, &endpoint, NULL), -EINVAL);
}

static void expect_refused(const char *text, const char *expected)
{
	expect_refused_with(text, NULL, expected);
	expect_refused_with(text, ANY, expected);
}

static void test_forms(void **state)
{
	(void)state;
	expect("198.18.0.1:8090", "198.18.0.1", 8090, 8090);
	expect("198.18.0.1:8090-8119", "198.18.0.1", 8090, 8119);
	expect("localhost:80", "localhost", 80, 80);
	expect("a:1", "a", 1, 1);
	expect("my-host.example:65535", "my-host.example", 65535, 65535);
	expect("8090:1-65535", "8090", 1, 65535);
	expect("[::1]:8090", "::1", 8090, 8090);
	expect("[::]:8090-8091", "::", 8090, 8091);
	expect("[2001:2::198.18.0.1]:1", "2001:2::198.18.0.1", 1, 1);
	expect("[fe80::1%eth0]:8090", "fe80::1%eth0", 8090, 8090);
	expect("[fe80::1%1]:7-7", "fe80::1%1", 7, 7);
}

static void test_default_host(void **state)
{
	(void)state;
	expect_with("8090", ANY, ANY, 8090, 8090);
	expect_with(":8090", ANY, ANY, 8090, 8090);
	expect_with("8090-8119", "::", "::", 8090, 8119);
	expect_with(":8090-8119", "::", "::", 8090, 8119);
	expect_with(":1", "", "", 1, 1);
	expect_refused_with(":8090", NULL, ":8090: the host is missing (try 127.0.0.1:8090)");
	expect_refused_with("8090", NULL, "8090: the host is missing (try 127.0.0.1:8090)");
	expect_refused_with("8090-8119", NULL,
	                    "8090-8119: the host is missing (try 127.0.0.1:8090)");
	expect_refused_with(":", NULL, ":: the host is missing (try 127.0.0.1:8090)");
	expect_refused_with("", NULL, "an address and a port are missing (try 127.0.0.1:8090)");
	expect_refused_with("", ANY, "an address and a port are missing (try 8090)");
}

static void test_no_port(void **state)
{
	static const char *const without[] = {"localhost",   "localhost:", "198.18.0.1",
	                                      "198.18.0.1:", "a-b",        "8090x"};
	char expected[sizeof(err.text)];

	(void)state;
	for (size_t i = 0; i < sizeof(without) / sizeof(without[0]); i++) {
		snprintf(expected, sizeof(expected), "%s: the port is missing (try 127.0.0.1:8090)",
		         without[i]);
		expect_refused(without[i], expected);
	}
	expect_refused_with(":", ANY, ":: the port is missing (try 127.0.0.1:8090)");
	expect_refused("[::1]", "[::1]: the port is missing (try [::1]:8090)");
	expect_refused("[::1]:", "[::1]:: the port is missing (try 127.0.0.1:8090)");
}

static void check_bad_ports(const char *before, const char *default_host)
{
	static const char *const ports[] = {
		"0", "65536", "8119-8090",  "8090-",          "-8090",
		"-", "0-1",   "8090-65536", "8090-8091-8092", "99999999999999999999999"};
	char text[64], expected[sizeof(err.text)];

	for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
		snprintf(text, sizeof(text), "%s%s", before, ports[i]);
		snprintf(expected, sizeof(expected),
		         "%s: \"%s\" is not a port or a range of ports within 1-65535 (try 8090, "
		         "8090-8119)",
		         text, ports[i]);
		expect_refused_with(text, default_host, expected);
	}
}

static void test_bad_ports(void **state)
{
	(void)state;
	check_bad_ports("localhost:", NULL);
	check_bad_ports("localhost:", ANY);
	check_bad_ports("[::1]:", NULL);
	check_bad_ports(":", ANY);
	check_bad_ports("", ANY);
	expect_refused("localhost:http", "localhost:http: \"http\" is not a port or a range of "
	                                 "ports within 1-65535 (try 8090, 8090-8119)");
	expect_refused("localhost: 80", "localhost: 80: \" 80\" is not a port or a range of "
	                                "ports within 1-65535 (try 8090, 8090-8119)");
	expect_refused("localhost:+80", "localhost:+80: \"+80\" is not a port or a range of "
	                                "ports within 1-65535 (try 8090, 8090-8119)");
	expect_refused("[::1]::80", "[::1]::80: \":80\" is not a port or a range of ports within "
	                            "1-65535 (try 8090, 8090-8119)");
}

static void test_ipv6_without_brackets(void **state)
{
	static const char *const bare[] = {
		"::1",   "::1:8090",   "2001:2::1",           "::",         "::1-2", "fe80::1%lo",
		"a:b:1", "host:80:81", "2001:2::1:8090-8119", "x[::1]:8090"};
	char expected[sizeof(err.text)];

	(void)state;
	for (size_t i = 0; i < sizeof(bare) / sizeof(bare[0]); i++) {
		snprintf(expected, sizeof(expected),
		         "%s: an IPv6 address needs brackets: write [::1]:8090", bare[i]);
		expect_refused(bare[i], expected);
	}
}

static void test_brackets(void **state)
{
	static const char *const others[] = {
		"[]:8090",         "[localhost]:8090",  "[127.0.0.1]:8090",
		"[[::1]]:8090",    "[ ::1]:8090",       "[%lo]:8090",
		"[fe80::1%]:8090", "[127.0.0.1%lo]:80", "[1:2:3]:80"};
	char expected[sizeof(err.text)];

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		snprintf(expected, sizeof(expected),
		         "%s: what stands in brackets must be an IPv6 address (try [::1]:8090)",
		         others[i]);
		expect_refused(others[i], expected);
	}
	expect_refused("[", "[: the bracket is not closed (try [::1]:8090)");
	expect_refused("[::1:8090", "[::1:8090: the bracket is not closed (try [::1]:8090)");
	expect_refused("[::1]8090", "[::1]8090: a colon must follow the bracket (try [::1]:8090)");
	expect_refused("[::1].:8090",
	               "[::1].:8090: a colon must follow the bracket (try [::1]:8090)");
}

static void test_host_length(void **state)
{
	char text[ENDPOINT_HOST_BYTES + 16], host[ENDPOINT_HOST_BYTES + 1];
	char expected[sizeof(err.text)];

	(void)state;
	memset(host, 'h', sizeof(host));
	host[ENDPOINT_HOST_BYTES - 1] = '\0';
	snprintf(text, sizeof(text), "%s:80", host);
	expect(text, host, 80, 80);
	expect_with(":80", host, host, 80, 80);

	host[ENDPOINT_HOST_BYTES - 1] = 'h';
	host[ENDPOINT_HOST_BYTES] = '\0';
	snprintf(text, sizeof(text), "%s:80", host);
	snprintf(expected, sizeof(expected), "%.48s...: the host is too long, at most 255 bytes",
	         host);
	expect_refused(text, expected);
	expect_refused_with(":80", host, ":80: the host is too long, at most 255 bytes");

	/* A scope may be as long as it likes, but not longer than the host. */
	snprintf(text, sizeof(text), "[fe80::1%%%.*s]:1", ENDPOINT_HOST_BYTES - 9, host);
	assert_int_equal(endpoint_parse(text, NULL, &endpoint, &err), 0);
	assert_int_equal(strlen(endpoint.host), ENDPOINT_HOST_BYTES - 1);
	snprintf(text, sizeof(text), "[fe80::1%%%.*s]:1", ENDPOINT_HOST_BYTES - 8, host);
	assert_int_equal(endpoint_parse(text, NULL, &endpoint, &err), -EINVAL);
	assert_non_null(strstr(err.text, "too long"));
}

static void test_odd_bytes(void **state)
{
	(void)state;
	expect_refused("a b:80", "a b:80: not a host: it has blanks or unprintable bytes");
	expect_refused(" :80", " :80: not a host: it has blanks or unprintable bytes");
	expect_refused("a\x1b[0m:80",
	               "a\\x1b[0m:80: not a host: it has blanks or unprintable bytes");
	expect_refused("\xc3\xa4:80",
	               "\\xc3\\xa4:80: not a host: it has blanks or unprintable bytes");
	expect_refused("a\x7f:80", "a\\x7f:80: not a host: it has blanks or unprintable bytes");
	expect_refused("[fe80::1%\n]:80",
	               "[fe80::1%\\x0a]:80: not a host: it has blanks or unprintable bytes");
	expect_refused("a:80\n", "a:80\\x0a: \"80\\x0a\" is not a port or a range of ports within "
	                         "1-65535 (try 8090, 8090-8119)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_default_host),
		cmocka_unit_test(test_no_port),
		cmocka_unit_test(test_bad_ports),
		cmocka_unit_test(test_ipv6_without_brackets),
		cmocka_unit_test(test_brackets),
		cmocka_unit_test(test_host_length),
		cmocka_unit_test(test_odd_bytes),
	};

	return cmocka_run_group_tests_name("unit_endpoint", tests, NULL, NULL);
}
