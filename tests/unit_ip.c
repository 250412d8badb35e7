/* unit_ip: addresses as text, as numbers and as socket addresses. */
#include "plan/ip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct ip parsed(const char *text)
{
	struct ip ip;

	assert_int_equal(ip_parse(text, &ip), 0);
	return ip;
}

static void check_text(const char *text, const char *expected)
{
	struct ip ip = parsed(text);
	char out[IP_TEXT_BYTES];

	assert_ptr_equal(ip_format(&ip, out), out);
	assert_string_equal(out, expected);
}

static void test_text(void **state)
{
	static const char *const wrong[] = {
		"",         " ",        "1.2.3",     "1.2.3.4.5",         "256.1.1.1",
		"01.2.3.4", "1.2.3.4 ", " 1.2.3.4",  "1.2.3.4/8",         "0x1.2.3.4",
		":",        ":::",      "1::2::3",   "2001:2::g",         "fe80::1%lo",
		"[::1]",    "12345::",  "localhost", "1:2:3:4:5:6:7:8:9",
	};
	struct ip ip, untouched;

	(void)state;
	check_text("198.18.0.1", "198.18.0.1");
	check_text("0.0.0.0", "0.0.0.0");
	check_text("255.255.255.255", "255.255.255.255");
	check_text("2001:2::1", "2001:2::1");
	check_text("::", "::");
	check_text("2001:0002:0:0:0:0:0:0001", "2001:2::1");
	check_text("::ffff:1.2.3.4", "::ffff:1.2.3.4");
	check_text("ABCD:ef01:2345:6789:abcd:ef01:2345:6789",
	           "abcd:ef01:2345:6789:abcd:ef01:2345:6789");
	memset(&ip, 0x5a, sizeof(ip));
	memcpy(&untouched, &ip, sizeof(ip)); /* its padding too */
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(ip_parse(wrong[i], &ip), -EINVAL);
		assert_memory_equal(&ip, &untouched, sizeof(ip));
	}
}

static void test_text_of_neither(void **state)
{
	struct ip ip = {.family = AF_UNSPEC};
	char out[IP_TEXT_BYTES];

	(void)state;
	assert_string_equal(ip_format(&ip, out), "?");
}

static void test_fields(void **state)
{
	static const uint8_t expected[16] = {198, 18, 0, 1};
	struct ip ip = parsed("198.18.0.1");

	(void)state;
	assert_int_equal(ip.family, AF_INET);
	assert_memory_equal(ip.bytes, expected, 16);
	ip = parsed("2001:2::1");
	assert_int_equal(ip.family, AF_INET6);
	assert_int_equal(ip.bytes[0], 0x20);
	assert_int_equal(ip.bytes[15], 1);
	/* A scope is never left from before. */
	ip.scope = 7;
	assert_int_equal(ip_parse("fe80::1", &ip), 0);
	assert_int_equal(ip.scope, 0);
}

static void test_scope(void **state)
{
	struct sockaddr_storage out;
	struct sockaddr_in6 in6;
	struct ip a = parsed("fe80::1"), b = a, next;
	char text[IP_TEXT_BYTES];

	(void)state;
	a.scope = 0x12345678;
	assert_true(ip_equal(&a, &b));
	assert_int_equal(ip_distance(&a, &b), 0);
	assert_int_equal(ip_distance(&b, &a), 0);
	next = ip_add(&a, 1);
	assert_int_equal(next.scope, 0x12345678);
	assert_string_equal(ip_format(&a, text), "fe80::1");
	assert_int_equal(ip_sockaddr(&a, 1, &out), sizeof(in6));
	memcpy(&in6, &out, sizeof(in6));
	assert_int_equal(in6.sin6_scope_id, 0x12345678);
}

static void check_public(const char *text, bool expected)
{
	struct ip ip = parsed(text);
	char mapped[64];

	if (ip_is_public(&ip) != expected)
		fail_msg("%s", text);
	if (ip.family == AF_INET6)
		return;
	/* The same, held by an IPv6 address; and by one that only looks like it. */
	snprintf(mapped, sizeof(mapped), "::ffff:%s", text);
	ip = parsed(mapped);
	if (ip_is_public(&ip) != expected)
		fail_msg("%s", mapped);
	snprintf(mapped, sizeof(mapped), "1::ffff:%s", text);
	ip = parsed(mapped);
	assert_true(ip_is_public(&ip));
}

/* The first and the last address of each block, and their neighbours outside. */
static const char *const local[] = {
	"0.0.0.0",
	"127.0.0.0",
	"127.255.255.255",
	"10.0.0.0",
	"10.255.255.255",
	"172.16.0.0",
	"172.31.255.255",
	"192.168.0.0",
	"192.168.255.255",
	"100.64.0.0",
	"100.127.255.255",
	"169.254.0.0",
	"169.254.255.255",
	"198.18.0.0",
	"198.19.255.255",
	"192.0.2.0",
	"192.0.2.255",
	"198.51.100.0",
	"198.51.100.255",
	"203.0.113.0",
	"203.0.113.255",
	"::",
	"::1",
	"fe80::",
	"fc00::",
	"2001:2::",
	"2001:db8::",
	"2001:2:0:ffff:ffff::1",
	"febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
	"fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
	"2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
};

static const char *const public[] = {
	"0.0.0.1",
	"126.255.255.255",
	"128.0.0.0",
	"9.255.255.255",
	"11.0.0.0",
	"172.15.255.255",
	"172.32.0.0",
	"192.167.255.255",
	"192.169.0.0",
	"100.63.255.255",
	"100.128.0.0",
	"169.253.255.255",
	"169.255.0.0",
	"198.17.255.255",
	"198.20.0.0",
	"192.0.1.255",
	"192.0.3.0",
	"198.51.99.255",
	"198.51.101.0",
	"203.0.112.255",
	"203.0.114.0",
	"224.0.0.1",
	"255.255.255.255",
	"8.8.8.8",
	"::2",
	"fec0::",
	"fe7f::1",
	"fe00::",
	"2001:2:1::",
	"2001:1::1",
	"2001:db9::",
	"2001:db7:ffff::",
	"2606:4700::1",
	"ff02::1",
	"::10.0.0.1",
	"::fffe:10.0.0.1",
	"fbff:ffff::",
	"1::",
};

static void test_public(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(local) / sizeof(local[0]); i++)
		check_public(local[i], false);
	for (size_t i = 0; i < sizeof(public) / sizeof(public[0]); i++)
		check_public(public[i], true);
}

static void check_add(const char *text, uint64_t n, const char *expected)
{
	struct ip ip = parsed(text), sum = ip_add(&ip, n), right = parsed(expected);
	char out[IP_TEXT_BYTES];

	assert_string_equal(ip_format(&sum, out), expected);
	assert_true(ip_equal(&sum, &right));
}

static void test_add(void **state)
{
	(void)state;
	check_add("198.18.0.1", 0, "198.18.0.1");
	check_add("198.18.0.255", 1, "198.18.1.0");
	check_add("198.18.0.0", 131071, "198.19.255.255");
	check_add("255.255.255.255", 1, "0.0.0.0");
	check_add("1.2.3.4", UINT64_C(1) << 32, "1.2.3.4");
	check_add("1.2.3.4", UINT64_MAX, "1.2.3.3");
	check_add("2001:2::1", 65535, "2001:2::1:0");
	check_add("2001:2::ffff:ffff:ffff:ffff", 1, "2001:2::");
	check_add("2001:2::", UINT64_MAX, "2001:2::ffff:ffff:ffff:ffff");
}

static void check_distance(const char *first, const char *ip, int64_t expected)
{
	struct ip a = parsed(first), b = parsed(ip);

	assert_true(ip_distance(&a, &b) == expected);
}

static void test_distance(void **state)
{
	(void)state;
	check_distance("198.18.0.1", "198.18.0.1", 0);
	check_distance("198.18.0.1", "198.18.1.0", 255);
	check_distance("198.18.0.1", "198.18.0.0", -1);
	check_distance("0.0.0.0", "255.255.255.255", UINT32_MAX);
	check_distance("198.18.0.1", "2001:2::1", -1);
	check_distance("2001:2::1", "2001:2::1:0", 65535);
	check_distance("2001:2::1", "2001:2::", -1);
	check_distance("2001:2::1", "2001:3::2", -1);
	check_distance("2001:3::1", "2001:2::2", -1);
	check_distance("2001:2::", "2001:2::7fff:ffff:ffff:ffff", INT64_MAX);
	check_distance("2001:2::", "2001:2::ffff:ffff:ffff:ffff", INT64_MAX);
}

static void test_equal(void **state)
{
	struct ip a = parsed("0.0.0.0"), b = parsed("::"), c = parsed("0.0.0.1");

	(void)state;
	assert_true(ip_equal(&a, &a));
	assert_false(ip_equal(&a, &b));
	assert_false(ip_equal(&a, &c));
}

static void test_sockaddr(void **state)
{
	struct sockaddr_storage out;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct ip ip = parsed("198.18.0.1");

	(void)state;
	memset(&out, 0xff, sizeof(out));
	assert_int_equal(ip_sockaddr(&ip, 8090, &out), sizeof(in));
	memcpy(&in, &out, sizeof(in));
	assert_int_equal(in.sin_family, AF_INET);
	assert_int_equal(ntohs(in.sin_port), 8090);
	assert_int_equal(ntohl(in.sin_addr.s_addr), 0xc6120001);

	ip = parsed("2001:2::1");
	memset(&out, 0xff, sizeof(out));
	assert_int_equal(ip_sockaddr(&ip, 65535, &out), sizeof(in6));
	memcpy(&in6, &out, sizeof(in6));
	assert_int_equal(in6.sin6_family, AF_INET6);
	assert_int_equal(ntohs(in6.sin6_port), 65535);
	assert_memory_equal(&in6.sin6_addr, ip.bytes, 16);
	assert_int_equal(in6.sin6_scope_id, 0);
	assert_int_equal(in6.sin6_flowinfo, 0);
}

static void test_loopback(void **state)
{
	static const char *const yes[] = {"127.0.0.0", "127.0.0.1", "127.255.255.255", "::1"};
	static const char *const no[] = {
		"126.255.255.255", "128.0.0.0", "0.0.0.1", "::", "::2", "1::1"};
	struct ip ip;

	(void)state;
	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		assert_int_equal(ip_parse(yes[i], &ip), 0);
		assert_true(ip_is_loopback(&ip));
	}
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
		assert_int_equal(ip_parse(no[i], &ip), 0);
		assert_false(ip_is_loopback(&ip));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),     cmocka_unit_test(test_text_of_neither),
		cmocka_unit_test(test_fields),   cmocka_unit_test(test_add),
		cmocka_unit_test(test_distance), cmocka_unit_test(test_equal),
		cmocka_unit_test(test_sockaddr), cmocka_unit_test(test_scope),
		cmocka_unit_test(test_public),   cmocka_unit_test(test_loopback),
	};

	return cmocka_run_group_tests_name("unit_ip", tests, NULL, NULL);
}
