/* unit_address_list: ranges by number, runs of marks as lines and back, and lines that no `addr up`
 * has written; prefixes of kernel/route. */
#include "kernel/address_list.h"
#include "kernel/route.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#define ROOM 8

static struct err err;

static struct ip ip_of(const char *text)
{
	struct ip ip;

	assert_int_equal(ip_parse(text, &ip), 0);
	return ip;
}

static void assert_ip(struct ip ip, const char *expected)
{
	char text[IP_TEXT_BYTES];

	assert_string_equal(ip_format(&ip, text), expected);
}

static void numbers_and_addresses(void **state)
{
	const struct range at[] = {{ip_of("10.0.0.250"), 10, 0},
	                           {ip_of("10.9.0.1"), 1, 10},
	                           {ip_of("10.0.0.1"), 5, 11}};
	const struct ranges ranges = {.at = at, .count = 3, .addresses = 16};
	struct ip outside = ip_of("10.0.1.4");

	(void)state;
	assert_ip(ranges_at(&ranges, 0), "10.0.0.250");
	assert_ip(ranges_at(&ranges, 9), "10.0.1.3");
	assert_ip(ranges_at(&ranges, 10), "10.9.0.1");
	assert_ip(ranges_at(&ranges, 15), "10.0.0.5");
	for (uint32_t i = 0; i < 16; i++) {
		struct ip ip = ranges_at(&ranges, i);

		assert_int_equal(ranges_index(&ranges, &ip), i);
	}
	assert_int_equal(ranges_index(&ranges, &outside), -1);
}

/* ---- writing -------------------------------------------------------------------------------- */

static void assert_format(const struct address_list *list, const uint8_t *marks,
                          const char *expected)
{
	char buffer[1024];
	struct text text;
	uint32_t lines = 0;

	text_init(&text, buffer, sizeof(buffer));
	address_list_format(list, marks, 1, &text);
	assert_string_equal(buffer, expected);
	for (const char *c = buffer; *c != '\0'; c++)
		lines += *c == '\n';
	assert_int_equal(address_list_lines(list, marks, 1), lines);
	assert_in_range(text.len, 0, lines * ADDRESS_LIST_LINE_BYTES);
}

static void runs_become_lines(void **state)
{
	const struct range at[] = {{ip_of("10.0.0.1"), 4, 0}, {ip_of("10.0.0.5"), 3, 4}};
	const struct address_list list = {.link = 3,
	                                  .link_name = "eth0.7",
	                                  .prefix_len = 24,
	                                  .ranges = {.at = at, .count = 2, .addresses = 7}};

	(void)state;
	/* A run ends with its range, also where the next one goes on from there. */
	assert_format(&list, (const uint8_t[]){1, 1, 1, 1, 1, 1, 1},
	              "link 3 eth0.7\naddresses 24 10.0.0.1 4\naddresses 24 10.0.0.5 3\n");
	assert_format(&list, (const uint8_t[]){0, 1, 2, 1, 1, 1, 0},
	              "link 3 eth0.7\naddresses 24 10.0.0.2 1\naddresses 24 10.0.0.4 1\n"
	              "addresses 24 10.0.0.5 2\n");
	assert_format(&list, (const uint8_t[]){0, 0, 0, 0, 0, 0, 0}, "link 3 eth0.7\n");
}

static void longest_line_fits(void **state)
{
	const struct range at[] = {{ip_of("2001:2222:3333:4444:5555:6666:7777:8888"), 2, 0}};
	struct address_list list = {.link = INT32_MAX,
	                            .link_name = "fifteen-letters",
	                            .prefix_len = 128,
	                            .ranges = {.at = at, .count = 1, .addresses = 2}};

	(void)state;
	assert_format(&list, (const uint8_t[]){1, 1},
	              "link 2147483647 fifteen-letters\n"
	              "addresses 128 2001:2222:3333:4444:5555:6666:7777:8888 2\n");
	list.is_anyip = true;
	list.prefix_len = 64;
	assert_format(&list, (const uint8_t[]){1, 0},
	              "link 2147483647 fifteen-letters\n"
	              "anyip 64 2001:2222:3333:4444:5555:6666:7777:8888\n");
}

/* ---- reading -------------------------------------------------------------------------------- */

static int parse(const char *lines, struct address_list *out)
{
	static struct range room[ROOM];

	err.text[0] = '\0';
	return address_list_parse(lines, strlen(lines), room, ROOM, out, &err);
}

static void lines_become_ranges(void **state)
{
	struct address_list list;

	(void)state;
	assert_int_equal(
		parse("link 3 eth0.7\naddresses 24 10.0.0.2 1\naddresses 24 10.0.0.4 9\n", &list),
		0);
	assert_int_equal(list.link, 3);
	assert_string_equal(list.link_name, "eth0.7");
	assert_int_equal(list.prefix_len, 24);
	assert_false(list.is_anyip);
	assert_int_equal(list.ranges.count, 2);
	assert_int_equal(list.ranges.addresses, 10);
	assert_ip(ranges_at(&list.ranges, 9), "10.0.0.12");
	assert_int_equal(parse("link 1 lo\nanyip 64 2001:2::\n", &list), 0);
	assert_true(list.is_anyip);
	assert_int_equal(list.prefix_len, 64);
	assert_int_equal(list.ranges.addresses, 1);
}

static void lines_that_no_up_has_written(void **state)
{
	static const char *const wrong[] = {
		"",
		"link 3 eth0\n",
		"link 3 eth0",
		"addresses 32 10.0.0.1 1\n",
		"link 0 eth0\naddresses 32 10.0.0.1 1\n",
		"link 03 eth0\naddresses 32 10.0.0.1 1\n",
		"link 3 a/b\naddresses 32 10.0.0.1 1\n",
		"link 3 eth0 more\naddresses 32 10.0.0.1 1\n",
		"link 3 sixteen-letters-\naddresses 32 10.0.0.1 1\n",
		"link 99999999999 eth0\naddresses 32 10.0.0.1 1\n",
		"link 3 eth0\naddresses 32 10.0.0.1 1",
		"link 3 eth0\naddresses 32 10.0.0.1 0\n",
		"link 3 eth0\naddresses 32 10.0.0.1 -1\n",
		"link 3 eth0\naddresses 32 10.0.0.1\n",
		"link 3 eth0\naddresses 32 10.0.0.1 1 \n",
		"link 3 eth0\naddresses 32 10.0.0.1 1 1\n",
		"link 3 eth0\naddresses 33 10.0.0.1 1\n",
		"link 3 eth0\naddresses 0 10.0.0.1 1\n",
		"link 3 eth0\naddresses 129 2001:2::1 1\n",
		"link 3 eth0\naddresses 32 10.0.0 1\n",
		"link 3 eth0\naddresses 32 255.255.255.250 7\n",
		"link 3 eth0\naddresses 128 2001:2:0:0:ffff:ffff:ffff:ffff 2\n",
		"link 3 eth0\nadresses 32 10.0.0.1 1\n",
		"link 3 eth0\nanyip 24 10.0.0.0 1\n",
		"link 3 eth0\n\n",
		"link 3 eth0\naddresses 32 10.0.0.1 1\naddresses 24 10.0.0.2 1\n",
		"link 3 eth0\naddresses 32 10.0.0.1 1\naddresses 32 2001:2::1 1\n",
		"link 3 eth0\naddresses 24 10.0.0.1 1\nanyip 24 10.0.0.0\n",
		"link 3 eth0\nanyip 24 10.0.0.0\nanyip 24 10.0.1.0\n",
		"link 3 eth0\naddresses 32 1.0.0.1 2147483647\naddresses 32 200.0.0.1 9\n",
	};
	struct address_list list;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		if (parse(wrong[i], &list) != -EBADMSG || err.text[0] == '\0')
			fail_msg("taken: %s", wrong[i]);
	}
}

static void more_ranges_than_room(void **state)
{
	char lines[1024] = "link 3 eth0\n";
	struct address_list list;

	(void)state;
	for (int i = 0; i < ROOM; i++)
		strncat(lines, "addresses 32 10.0.0.1 1\n", sizeof(lines) - strlen(lines) - 1);
	assert_int_equal(parse(lines, &list), 0);
	strncat(lines, "addresses 32 10.0.0.1 1\n", sizeof(lines) - strlen(lines) - 1);
	assert_int_equal(parse(lines, &list), -E2BIG);
}

/* ---- prefixes ------------------------------------------------------------------------------- */

static void prefixes(void **state)
{
	static const struct {
		const char *ip;
		uint8_t len;
		const char *first;
	} cases[] = {
		{"10.1.2.255", 32, "10.1.2.255"},
		{"10.1.2.255", 31, "10.1.2.254"},
		{"10.1.2.255", 24, "10.1.2.0"},
		{"10.255.2.3", 9, "10.128.0.0"},
		{"10.1.2.3", 8, "10.0.0.0"},
		{"2001:2:0:ffff::1", 64, "2001:2:0:ffff::"},
		{"2001:2:0:ffff::1", 49, "2001:2:0:8000::"},
		{"2001:2:0:ffff::1", 128, "2001:2:0:ffff::1"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ip ip = ip_of(cases[i].ip), other = ip_of("192.168.0.1");
		struct route_prefix prefix = route_prefix_of(&ip, cases[i].len);

		assert_ip(prefix.first, cases[i].first);
		assert_int_equal(prefix.len, cases[i].len);
		assert_true(route_prefix_has(&prefix, &ip));
		assert_false(route_prefix_has(&prefix, &other));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_and_addresses),
		cmocka_unit_test(runs_become_lines),
		cmocka_unit_test(longest_line_fits),
		cmocka_unit_test(lines_become_ranges),
		cmocka_unit_test(lines_that_no_up_has_written),
		cmocka_unit_test(more_ranges_than_room),
		cmocka_unit_test(prefixes),
	};

	return cmocka_run_group_tests_name("unit_address_list", tests, NULL, NULL);
}
