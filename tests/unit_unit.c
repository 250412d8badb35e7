/* unit_unit: tests of the parsers of what users type. */
#include "base/unit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#define UNTOUCHED UINT64_C(0x5a5a5a5a5a5a5a5a)

typedef int (*parser)(const char *s, uint64_t *out);

struct unit_case {
	const char *s;
	int rc;
	uint64_t value;
};

static void check(parser parse, const struct unit_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t value = UNTOUCHED;
		int rc = parse(cases[i].s, &value);

		if (rc != cases[i].rc)
			print_error("case \"%s\"\n", cases[i].s);
		assert_int_equal(rc, cases[i].rc);
		assert_int_equal(value, rc == 0 ? cases[i].value : UNTOUCHED);
	}
}

#define CHECK(parse, cases) check(parse, cases, sizeof(cases) / sizeof((cases)[0]))

/* Wrong for all four parsers, and too large for all of them. */
static void test_common(void **state)
{
	static const struct unit_case cases[] = {
		{"", -EINVAL, 0},
		{" 1", -EINVAL, 0},
		{"1 ", -EINVAL, 0},
		{"-1", -EINVAL, 0},
		{"+1", -EINVAL, 0},
		{"1e9", -EINVAL, 0},
		{"0x10", -EINVAL, 0},
		{".5G", -EINVAL, 0},
		{"1.", -EINVAL, 0},
		{"1.k", -EINVAL, 0},
		{"1..5k", -EINVAL, 0},
		{"1,000", -EINVAL, 0},
		{"k", -EINVAL, 0},
		{"1kk", -EINVAL, 0},
		{"inf", -EINVAL, 0},
		{"nan", -EINVAL, 0},
		{"1M ", -EINVAL, 0},
		{"1\n", -EINVAL, 0},
		{"0", 0, 0},
		{"0.0", 0, 0},
		{"000", 0, 0},
		{"1_0", -EINVAL, 0},
		{"1.-5", -EINVAL, 0},
		{"\xd9\xa1", -EINVAL, 0},
		{"99999999999999999999", -ERANGE, 0},
		{"18446744073709551616", -ERANGE, 0},
		{"99999999999999999999x", -EINVAL, 0},
	};

	(void)state;
	CHECK(unit_count, cases);
	CHECK(unit_rate, cases);
	CHECK(unit_size, cases);
	CHECK(unit_duration, cases);
}

static const struct unit_case count_cases[] = {
	{"1", 0, 1},
	{"1000000", 0, 1000000},
	{"007", 0, 7},
	{"10k", 0, 10000},
	{"2.5k", 0, 2500},
	{"1K", 0, 1000},
	{"1M", 0, 1000000},
	{"1.5M", 0, 1500000},
	{"1G", 0, 1000000000},
	{"0.1G", 0, 100000000},
	{"1.0", 0, 1},
	{"1.000000001G", 0, 1000000001},
	{"1.0000000010000000000000000000000000000G", 0, 1000000001},
	{"18446744073709551615", 0, UINT64_MAX},
	{"18446744073.709551615G", 0, UINT64_MAX},
	{"18446744073.709551616G", -ERANGE, 0},
	{"18446744074G", -ERANGE, 0},
	{"1.5", -EINVAL, 0},
	{"1.0001k", -EINVAL, 0},
	{"1.0000000001G", -EINVAL, 0},
	{"99999999999999999999.5", -EINVAL, 0},
	{"1T", -EINVAL, 0},
	{"1m", -EINVAL, 0},
};

static void test_count(void **state)
{
	static const struct unit_case only_count[] = {
		{"1/s", -EINVAL, 0},
		{"1k/s", -EINVAL, 0},
	};

	(void)state;
	CHECK(unit_count, count_cases);
	CHECK(unit_count, only_count);
}

static void test_rate(void **state)
{
	static const struct unit_case cases[] = {
		{"1/s", 0, 1},           {"10k/s", 0, 10000},
		{"1.5K/s", 0, 1500},     {"2M/s", 0, 2000000},
		{"1G/s", 0, 1000000000}, {"0.5/s", -EINVAL, 0},
		{"1/m", -EINVAL, 0},     {"1/", -EINVAL, 0},
		{"/s", -EINVAL, 0},      {"1/s/s", -EINVAL, 0},
		{"1 /s", -EINVAL, 0},    {"99999999999999999999/s", -ERANGE, 0},
	};

	(void)state;
	CHECK(unit_rate, count_cases);
	CHECK(unit_rate, cases);
}

static void test_size(void **state)
{
	static const struct unit_case cases[] = {
		{"512", 0, 512},
		{"512B", 0, 512},
		{"64k", 0, 65536},
		{"64K", 0, 65536},
		{"64KiB", 0, 65536},
		{"64KB", 0, 64000},
		{"1M", 0, 1048576},
		{"1MiB", 0, 1048576},
		{"1MB", 0, 1000000},
		{"2GiB", 0, UINT64_C(2147483648)},
		{"1.5G", 0, UINT64_C(1610612736)},
		{"1GB", 0, 1000000000},
		{"1T", 0, UINT64_C(1099511627776)},
		{"1TiB", 0, UINT64_C(1099511627776)},
		{"1TB", 0, UINT64_C(1000000000000)},
		/* one byte, and half of one */
		{"0.0000000000009094947017729282379150390625T", 0, 1},
		{"0.00000000000045474735088646411895751953125T", -EINVAL, 0},
		{"0.1KiB", -EINVAL, 0},
		{"1.5", -EINVAL, 0},
		{"16777215T", 0, UINT64_C(16777215) << 40},
		{"16777216T", -ERANGE, 0},
		{"1kib", -EINVAL, 0},
		{"1KiBB", -EINVAL, 0},
		{"1Ki", -EINVAL, 0},
		{"1s", -EINVAL, 0},
	};

	(void)state;
	CHECK(unit_size, cases);
}

static void test_duration(void **state)
{
	static const struct unit_case cases[] = {
		{"30s", 0, UINT64_C(30000000000)},
		{"30", 0, UINT64_C(30000000000)},
		{"500ms", 0, 500000000},
		{"10us", 0, 10000},
		{"100ns", 0, 100},
		{"2m", 0, UINT64_C(120000000000)},
		{"1h", 0, UINT64_C(3600000000000)},
		{"1.5s", 0, 1500000000},
		{"1.5", 0, 1500000000},
		{"0.000000001", 0, 1},
		{"0.25h", 0, UINT64_C(900000000000)},
		{"0s", 0, 0},
		{"0h", 0, 0},
		{"1.5ns", -EINVAL, 0},
		{"0.0000000001", -EINVAL, 0},
		{"10x", -EINVAL, 0},
		{"1d", -EINVAL, 0},
		{"1S", -EINVAL, 0},
		{"1m30s", -EINVAL, 0},
		{"18446744073.709551615", 0, UINT64_MAX},
		{"18446744073.709551616", -ERANGE, 0},
		{"18446744073709551615ns", 0, UINT64_MAX},
		{"5124096h", -ERANGE, 0},
	};

	(void)state;
	CHECK(unit_duration, cases);
}

static void check_ports(const char *s, int rc, uint16_t low, uint16_t high)
{
	uint16_t got_low = 12345, got_high = 54321;

	assert_int_equal(unit_ports(s, &got_low, &got_high), rc);
	assert_int_equal(got_low, rc == 0 ? low : 12345);
	assert_int_equal(got_high, rc == 0 ? high : 54321);
}

static void test_ports(void **state)
{
	static const char *const wrong[] = {
		"",     "-",  "8090-", "-8090", "8090-8091-8092", "8090,8091", "0",      "0-10",
		"10-9", "8k", " 80",   "80 ",   "80- 90",         "+80",       "80-+90", "0x50",
		"80.5",
	};

	(void)state;
	check_ports("8090", 0, 8090, 8090);
	check_ports("8090-8119", 0, 8090, 8119);
	check_ports("8090-8090", 0, 8090, 8090);
	check_ports("1-65535", 0, 1, 65535);
	check_ports("65536", -ERANGE, 0, 0);
	check_ports("80-65536", -ERANGE, 0, 0);
	check_ports("99999999999999999999", -ERANGE, 0, 0);
	check_ports("1-99999999999999999999", -ERANGE, 0, 0);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		check_ports(wrong[i], -EINVAL, 0, 0);
}

static void test_percent(void **state)
{
	static const struct unit_case cases[] = {
		{"0%", 0, 0},
		{"100%", 0, 1000000},
		{"100.0%", 0, 1000000},
		{"12.5%", 0, 125000},
		{"0.0001%", 0, 1},
		{"0.00010%", 0, 1},
		{"0.00001%", -EINVAL, 0},
		{"100.0001%", -ERANGE, 0},
		{"99999999999999999999%", -ERANGE, 0},
		{"%", -EINVAL, 0},
		{"1", -EINVAL, 0},
		{"1%%", -EINVAL, 0},
		{"-1%", -EINVAL, 0},
		{"1 %", -EINVAL, 0},
	};

	(void)state;
	CHECK(unit_percent, cases);
}

static void check_sizes(const char *s, int expected, uint64_t low, uint64_t high)
{
	uint64_t first = UNTOUCHED, second = UNTOUCHED;

	assert_int_equal(unit_sizes(s, &first, &second), expected);
	assert_int_equal(first, low);
	assert_int_equal(second, high);
}

static void test_sizes(void **state)
{
	(void)state;
	check_sizes("64", 0, 64, 64);
	check_sizes("0", 0, 0, 0);
	check_sizes("64-64", 0, 64, 64);
	check_sizes("1KiB-1MiB", 0, 1024, 1 << 20);
	check_sizes("", -EINVAL, UNTOUCHED, UNTOUCHED);
	check_sizes("-", -EINVAL, UNTOUCHED, UNTOUCHED);
	check_sizes("-64", -EINVAL, UNTOUCHED, UNTOUCHED);
	check_sizes("64-", -EINVAL, UNTOUCHED, UNTOUCHED);
	check_sizes("64-63", -EINVAL, UNTOUCHED, UNTOUCHED);
	check_sizes("1-2-3", -EINVAL, UNTOUCHED, UNTOUCHED);
	check_sizes("1-99999999999999999999", -ERANGE, UNTOUCHED, UNTOUCHED);
	check_sizes("99999999999999999999-1", -ERANGE, UNTOUCHED, UNTOUCHED);
	check_sizes("0000000000000000000000000000000000000000000000001-2", -EINVAL, UNTOUCHED,
	            UNTOUCHED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_common),   cmocka_unit_test(test_count),
		cmocka_unit_test(test_rate),     cmocka_unit_test(test_size),
		cmocka_unit_test(test_duration), cmocka_unit_test(test_ports),
		cmocka_unit_test(test_percent),  cmocka_unit_test(test_sizes),
	};

	return cmocka_run_group_tests_name("unit_unit", tests, NULL, NULL);
}
