/* unit_pool: lists of addresses: what each form holds, in which order, and what is refused with
 * which words. */
#include "plan/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NOT_AN_ADDRESS ": not an address (try 198.18.0.1, 198.18.0.1-198.18.0.20 or 198.18.0.0/24)"
#define TOO_MANY       ": too many addresses, at most 16777216 (2^24) together"

static struct pool pool;
static struct err err;

static struct ip parsed(const char *text)
{
	struct ip ip;

	assert_int_equal(ip_parse(text, &ip), 0);
	return ip;
}

static void expect_at(uint32_t number, const char *expected)
{
	struct ip ip = pool_at(&pool, number);
	char text[IP_TEXT_BYTES];

	assert_string_equal(ip_format(&ip, text), expected);
	assert_int_equal(pool_index(&pool, &ip), number);
}

static void expect_outside(const char *text)
{
	struct ip ip = parsed(text);

	assert_int_equal(pool_index(&pool, &ip), -1);
}

static void expect_parsed(const char *text, uint32_t count)
{
	int code = pool_parse(text, &pool, &err);

	if (code != 0)
		fail_msg("%s: %s", text, err.text);
	assert_int_equal(pool.count, count);
}

/* A list of one range: its number of addresses, the first and the last, and the neighbours. */
static void expect_range(const char *text, uint32_t count, const char *first, const char *last)
{
	struct ip from = parsed(first), to = parsed(last), below, above;

	expect_parsed(text, count);
	assert_int_equal(pool.range_count, 1);
	assert_int_equal(pool.ranges[0].before, 0);
	expect_at(0, first);
	expect_at(count - 1, last);
	/* At an end of all addresses these are at the other end, and outside as well. */
	below = ip_add(&from, UINT64_MAX);
	above = ip_add(&to, 1);
	assert_int_equal(pool_index(&pool, &below), -1);
	assert_int_equal(pool_index(&pool, &above), -1);
}

/* Refused with these words; what was there stays. */
static void expect_refused(const char *text, const char *expected)
{
	struct pool before;
	int code;

	memcpy(&before, &pool, sizeof(pool));
	err.text[0] = '\0';
	code = pool_parse(text, &pool, &err);
	assert_string_equal(err.text, expected);
	assert_int_equal(code, -EINVAL);
	assert_memory_equal(&before, &pool, sizeof(pool));
	assert_int_equal(pool_parse(text, &pool, NULL), -EINVAL);
}

static void expect_not_address(const char *text)
{
	char expected[sizeof(err.text)];

	snprintf(expected, sizeof(expected), "%s%s", text, NOT_AN_ADDRESS);
	expect_refused(text, expected);
}

static void expect_too_many(const char *text, const char *item)
{
	char expected[sizeof(err.text)];

	snprintf(expected, sizeof(expected), "%s%s", item, TOO_MANY);
	expect_refused(text, expected);
}

/* Every number leads to an address that leads back, and no two are the same. */
static void check_bijection(void)
{
	uint32_t before = 0;

	for (uint32_t i = 0; i < pool.range_count; i++) {
		assert_int_equal(pool.ranges[i].before, before);
		assert_true(pool.ranges[i].count > 0);
		before += pool.ranges[i].count;
	}
	assert_int_equal(before, pool.count);
	for (uint32_t i = 0; i < pool.count; i++) {
		struct ip ip = pool_at(&pool, i);

		if (pool_index(&pool, &ip) != i)
			fail_msg("number %u", i);
	}
}

static void test_set(void **state)
{
	struct ip first = parsed("198.18.255.254");

	(void)state;
	memset(&pool, 0x5a, sizeof(pool));
	pool_set(&pool, &first, 3);
	assert_int_equal(pool.count, 3);
	assert_int_equal(pool.range_count, 1);
	expect_at(0, "198.18.255.254");
	expect_at(2, "198.19.0.0");
	expect_outside("198.18.255.253");
	expect_outside("198.19.0.1");
	expect_outside("2001:2::1");
	check_bijection();

	pool_set(&pool, &first, 0);
	assert_int_equal(pool.count, 0);
	assert_int_equal(pool.range_count, 0);
	assert_int_equal(pool_index(&pool, &first), -1);

	/* The whole of IPv4 but one. */
	first = parsed("0.0.0.0");
	pool_set(&pool, &first, UINT32_MAX);
	expect_at(0, "0.0.0.0");
	expect_at(UINT32_MAX - 1, "255.255.255.254");
	expect_outside("255.255.255.255");
}

/* A link-local address keeps its interface through the pool. */
static void test_set_scope(void **state)
{
	struct ip first = parsed("fe80::1"), at;

	(void)state;
	first.scope = 3;
	pool_set(&pool, &first, 10);
	at = pool_at(&pool, 9);
	assert_int_equal(at.scope, 3);
	at.scope = 0;
	assert_int_equal(pool_index(&pool, &at), 9);
}

static void test_addresses_and_ranges(void **state)
{
	(void)state;
	expect_range("198.18.0.1", 1, "198.18.0.1", "198.18.0.1");
	expect_range("198.18.0.1-198.18.0.20", 20, "198.18.0.1", "198.18.0.20");
	expect_range("198.18.0.1-20", 20, "198.18.0.1", "198.18.0.20");
	expect_range("198.18.0.1-1", 1, "198.18.0.1", "198.18.0.1");
	expect_range("198.18.0.0-255", 256, "198.18.0.0", "198.18.0.255");
	expect_range("198.18.0.250-198.18.1.5", 12, "198.18.0.250", "198.18.1.5");
	expect_range("255.255.255.254-255.255.255.255", 2, "255.255.255.254", "255.255.255.255");
	expect_range("0.0.0.0-0.0.0.1", 2, "0.0.0.0", "0.0.0.1");
	expect_range("10.0.0.0-10.255.255.255", 1U << 24, "10.0.0.0", "10.255.255.255");
	expect_range("2001:2::1", 1, "2001:2::1", "2001:2::1");
	expect_range("2001:2::1-2001:2::20", 32, "2001:2::1", "2001:2::20");
	expect_range("2001:2::ffff:ffff:ffff:fffe-2001:2::ffff:ffff:ffff:ffff", 2,
	             "2001:2::ffff:ffff:ffff:fffe", "2001:2::ffff:ffff:ffff:ffff");
	expect_range("2001:2::-2001:2::ff:ffff", 1U << 24, "2001:2::", "2001:2::ff:ffff");
	/* The longest an item can be. */
	expect_range("2001:0002:0000:0000:0000:ffff:198.118.100.101-"
	             "2001:0002:0000:0000:0000:ffff:198.118.100.201",
	             101, "2001:2::ffff:c676:6465", "2001:2::ffff:c676:64c9");
}

static void test_prefixes(void **state)
{
	(void)state;
	expect_range("198.18.0.0/24", 254, "198.18.0.1", "198.18.0.254");
	expect_range("198.18.0.0/30", 2, "198.18.0.1", "198.18.0.2");
	expect_range("198.18.0.0/31", 2, "198.18.0.0", "198.18.0.1");
	expect_range("198.18.0.7/32", 1, "198.18.0.7", "198.18.0.7");
	expect_range("198.18.0.128/25", 126, "198.18.0.129", "198.18.0.254");
	expect_range("198.18.0.0/15", 131070, "198.18.0.1", "198.19.255.254");
	expect_range("10.0.0.0/8", (1U << 24) - 2, "10.0.0.1", "10.255.255.254");
	expect_range("255.255.255.254/31", 2, "255.255.255.254", "255.255.255.255");
	expect_range("2001:2::/120", 255, "2001:2::1", "2001:2::ff");
	expect_range("2001:2::/126", 3, "2001:2::1", "2001:2::3");
	expect_range("2001:2::8/127", 2, "2001:2::8", "2001:2::9");
	expect_range("2001:2::8/128", 1, "2001:2::8", "2001:2::8");
	expect_range("2001:2::/104", (1U << 24) - 1, "2001:2::1", "2001:2::ff:ffff");
	expect_range("2001:2::ffff:ffff:ff00:0/104", (1U << 24) - 1, "2001:2::ffff:ffff:ff00:1",
	             "2001:2::ffff:ffff:ffff:ffff");
}

/* Numbers go through the items in the order given, whatever their addresses. */
static void test_lists(void **state)
{
	(void)state;
	expect_parsed("198.18.0.100,198.18.0.1-20,198.18.0.64/30,198.18.1.0-198.18.1.1", 25);
	assert_int_equal(pool.range_count, 4);
	expect_at(0, "198.18.0.100");
	expect_at(1, "198.18.0.1");
	expect_at(20, "198.18.0.20");
	expect_at(21, "198.18.0.65");
	expect_at(22, "198.18.0.66");
	expect_at(23, "198.18.1.0");
	expect_at(24, "198.18.1.1");
	expect_outside("198.18.0.0");
	expect_outside("198.18.0.21");
	expect_outside("198.18.0.64");
	expect_outside("198.18.0.67");
	expect_outside("198.18.0.99");
	expect_outside("198.18.0.101");
	expect_outside("198.18.1.2");
	check_bijection();
	/* Neighbours do not overlap; the broadcast address that a prefix leaves out is free. */
	expect_parsed("198.18.0.0/24,198.18.0.255,198.18.0.0,198.18.1.0/24", 510);
	check_bijection();
	/* Other networks in IPv6, whose low 64 bits are alike. */
	expect_parsed("2001:2::1-2001:2::9,2001:2:0:1::1-2001:2:0:1::9,2001:2:0:2::/125", 25);
	expect_at(9, "2001:2:0:1::1");
	expect_at(18, "2001:2:0:2::1");
	expect_outside("2001:2:0:3::1");
	check_bijection();
}

/* Writes "198.18.0.1,198.18.2.1-3,...": `items` ranges of three addresses, falling. */
static void write_list(char *text, size_t size, unsigned int items)
{
	size_t len = 0;

	for (unsigned int i = 0; i < items; i++)
		len += (size_t)snprintf(text + len, size - len, "%s198.18.%u.1-3", i > 0 ? "," : "",
		                        200 - i);
	assert_true(len < size);
}

static void test_most_ranges(void **state)
{
	char text[2048];

	(void)state;
	for (unsigned int items = 1; items <= POOL_RANGES_MAX; items++) {
		write_list(text, sizeof(text), items);
		expect_parsed(text, 3 * items);
		assert_int_equal(pool.range_count, items);
		check_bijection();
	}
	write_list(text, sizeof(text), POOL_RANGES_MAX + 1);
	expect_refused(text, "198.18.136.1-3: more than 64 items in a list (join neighbours: "
	                     "198.18.0.1-20)");
}

static void test_most_addresses(void **state)
{
	(void)state;
	/* 2^24 exactly, in three items, and one more. */
	expect_parsed("10.0.0.0/8,11.0.0.1,11.0.0.2", 1U << 24);
	expect_at((1U << 24) - 1, "11.0.0.2");
	expect_too_many("10.0.0.0/8,11.0.0.1-3", "11.0.0.1-3");
	expect_too_many("10.0.0.0/8,11.0.0.1,11.0.0.2,11.0.0.3", "11.0.0.3");
	expect_too_many("10.0.0.0/8,12.0.0.0/8", "12.0.0.0/8");
	expect_too_many("10.0.0.0-11.0.0.0", "10.0.0.0-11.0.0.0");
	expect_too_many("0.0.0.0-255.255.255.255", "0.0.0.0-255.255.255.255");
	expect_too_many("10.0.0.0/7", "10.0.0.0/7");
	expect_too_many("0.0.0.0/0", "0.0.0.0/0");
	expect_too_many("2001:2::/103", "2001:2::/103");
	expect_too_many("2001:2::/64", "2001:2::/64");
	expect_too_many("::/0", "::/0");
	expect_too_many("2001:2::-2001:2::100:0", "2001:2::-2001:2::100:0");
	expect_too_many("2001:2::-2001:2::ffff:ffff:ffff:ffff",
	                "2001:2::-2001:2::ffff:ffff:ffff:ffff");
}

static void test_not_addresses(void **state)
{
	static const char *const wrong[] = {
		"198.18.0.300",
		"198.18.0",
		"localhost",
		" 198.18.0.1",
		"198.18.0.1 ",
		"198.18.0.1;198.18.0.2",
		"-",
		"/",
		"-20",
		"/24",
		"198.18.0.1-",
		"198.18.0.1-256",
		"198.18.0.1-1000",
		"198.18.0.1-020",
		"198.18.0.1-0x2",
		"198.18.0.1-+2",
		"198.18.0.1-2-3",
		"198.18.0.1--3",
		"198.18.0.1-18.20",
		"198.18.0.1-198.18.0.300",
		"198.18.0.1-198.18.1.0/24",
		"2001:2::1-20",
		"2001:2::1-2001:2::g",
		"2001:2::1%lo",
		"[2001:2::1]",
		"198.18.0/24",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		expect_not_address(wrong[i]);
	/* Only the item in question is named. */
	expect_refused("198.18.0.1,x,198.18.0.2", "x" NOT_AN_ADDRESS);
	expect_refused("198.18.0.1,198.18.0.2-5,y", "y" NOT_AN_ADDRESS);
}

static void test_nothing(void **state)
{
	(void)state;
	expect_refused("", "an address is missing (try 198.18.0.1)");
	expect_refused(",", ",: an address is missing (try 198.18.0.1)");
	expect_refused("198.18.0.1,", "198.18.0.1,: an address is missing (try 198.18.0.1)");
	expect_refused(",198.18.0.1", ",198.18.0.1: an address is missing (try 198.18.0.1)");
	expect_refused("198.18.0.1,,198.18.0.2",
	               "198.18.0.1,,198.18.0.2: an address is missing (try 198.18.0.1)");
}

static void test_bad_prefixes(void **state)
{
	static const char *const ipv4[] = {"198.18.0.0/33",    "198.18.0.0/",    "198.18.0.0/-1",
	                                   "198.18.0.0/08",    "198.18.0.0/999", "198.18.0.0/2x",
	                                   "198.18.0.0/24/24", "198.18.0.0/0000"};
	static const char *const ipv6[] = {"2001:2::/129", "2001:2::/", "2001:2::/1200"};
	char expected[sizeof(err.text)];

	(void)state;
	for (size_t i = 0; i < sizeof(ipv4) / sizeof(ipv4[0]); i++) {
		snprintf(expected, sizeof(expected), "%s: the length of an IPv4 prefix is 0 to 32",
		         ipv4[i]);
		expect_refused(ipv4[i], expected);
	}
	for (size_t i = 0; i < sizeof(ipv6) / sizeof(ipv6[0]); i++) {
		snprintf(expected, sizeof(expected), "%s: the length of an IPv6 prefix is 0 to 128",
		         ipv6[i]);
		expect_refused(ipv6[i], expected);
	}
	expect_refused("198.18.0.5/24",
	               "198.18.0.5/24: has bits set behind the prefix (try 198.18.0.0/24)");
	expect_refused("198.18.0.1/31",
	               "198.18.0.1/31: has bits set behind the prefix (try 198.18.0.0/31)");
	expect_refused("198.19.0.0/14",
	               "198.19.0.0/14: has bits set behind the prefix (try 198.16.0.0/14)");
	expect_refused("0.0.0.1/0", "0.0.0.1/0: has bits set behind the prefix (try 0.0.0.0/0)");
	expect_refused("2001:2::1/120",
	               "2001:2::1/120: has bits set behind the prefix (try 2001:2::/120)");
	expect_refused("2001:2::9/125",
	               "2001:2::9/125: has bits set behind the prefix (try 2001:2::8/125)");
	expect_refused("ff::/1", "ff::/1: has bits set behind the prefix (try ::/1)");
}

static void test_bad_ranges(void **state)
{
	(void)state;
	expect_refused("198.18.0.20-198.18.0.1",
	               "198.18.0.20-198.18.0.1: reversed: the lower address stands first");
	expect_refused("198.18.0.20-19",
	               "198.18.0.20-19: reversed: the lower address stands first");
	expect_refused("2001:2::2-2001:2::1",
	               "2001:2::2-2001:2::1: reversed: the lower address stands first");
	expect_refused("2001:3::1-2001:2::2",
	               "2001:3::1-2001:2::2: reversed: the lower address stands first");
	expect_refused("198.18.0.1-2001:2::1", "198.18.0.1-2001:2::1: one end is an IPv4 address, "
	                                       "the other an IPv6 one");
	expect_refused("2001:2::1-198.18.0.1", "2001:2::1-198.18.0.1: one end is an IPv4 address, "
	                                       "the other an IPv6 one");
	/* Two neighbours, but counting does not carry into the upper half. */
	expect_refused("2001:2::ffff:ffff:ffff:ffff-2001:2:0:1::",
	               "2001:2::ffff:ffff:ffff:ffff-2001:2:0:1::: leaves its /64: write a range "
	               "for each");
}

static void test_families(void **state)
{
	(void)state;
	expect_refused("198.18.0.1,2001:2::1",
	               "2001:2::1: IPv6 among IPv4 addresses: give one family");
	expect_refused("2001:2::1,198.18.0.1",
	               "198.18.0.1: IPv4 among IPv6 addresses: give one family");
}

static void test_overlaps(void **state)
{
	(void)state;
	expect_refused("198.18.0.1,198.18.0.1",
	               "198.18.0.1: overlaps 198.18.0.1, which is given before it");
	expect_refused("198.18.0.1-20,198.18.0.20",
	               "198.18.0.20: overlaps 198.18.0.1-198.18.0.20, which are given before it");
	expect_refused("198.18.0.20,198.18.0.1-20",
	               "198.18.0.1-20: overlaps 198.18.0.20, which is given before it");
	expect_refused("198.18.1.1,198.18.0.10-20,198.18.0.0/24",
	               "198.18.0.0/24: overlaps 198.18.0.10-198.18.0.20, which are given before "
	               "it");
	expect_refused("198.18.0.0/24,198.18.0.254-198.18.1.1",
	               "198.18.0.254-198.18.1.1: overlaps 198.18.0.1-198.18.0.254, which are given "
	               "before it");
	expect_refused("2001:2::5,2001:2::/125",
	               "2001:2::/125: overlaps 2001:2::5, which is given before it");
	/* The last address there is has no successor to overlap with. */
	expect_parsed("255.255.255.0-255,0.0.0.0-255", 512);
	check_bijection();
}

/* What a user typed cannot break the line or drive the terminal, however long it is. */
static void test_quoting(void **state)
{
	char text[2000], expected[sizeof(err.text)];

	(void)state;
	expect_refused("198.18.0.1\n\x1b[31m", "198.18.0.1\\x0a\\x1b[31m" NOT_AN_ADDRESS);
	expect_refused("\xff", "\\xff" NOT_AN_ADDRESS);
	expect_refused("%s%n", "%s%n" NOT_AN_ADDRESS);
	memset(text, '1', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	snprintf(expected, sizeof(expected), "%.48s...%s", text, NOT_AN_ADDRESS);
	expect_refused(text, expected);
	text[1000] = '-';
	expect_refused(text, expected);
	text[1000] = '/';
	expect_refused(text, expected);
}

/* Each slice of a list has its addresses in their order, whatever ranges they are in. */
static void test_slice(void **state)
{
	static const char list[] = "198.18.0.1-5,198.18.1.7,198.18.2.0/29";
	struct pool all;

	(void)state;
	expect_parsed(list, 12);
	all = pool;
	for (uint32_t first = 0; first < all.count; first++) {
		for (uint32_t count = 1; first + count <= all.count; count++) {
			pool = all;
			pool_slice(&pool, first, count);
			assert_int_equal(pool.count, count);
			for (uint32_t i = 0; i < count; i++) {
				struct ip ip = pool_at(&all, first + i);
				char text[IP_TEXT_BYTES];

				expect_at(i, ip_format(&ip, text));
			}
			if (first > 0)
				expect_outside("198.18.0.1");
			if (first + count < all.count)
				expect_outside("198.18.2.6");
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_set_scope),
		cmocka_unit_test(test_addresses_and_ranges),
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_most_ranges),
		cmocka_unit_test(test_most_addresses),
		cmocka_unit_test(test_not_addresses),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_bad_prefixes),
		cmocka_unit_test(test_bad_ranges),
		cmocka_unit_test(test_families),
		cmocka_unit_test(test_overlaps),
		cmocka_unit_test(test_slice),
		cmocka_unit_test(test_quoting),
	};

	return cmocka_run_group_tests_name("unit_pool", tests, NULL, NULL);
}
