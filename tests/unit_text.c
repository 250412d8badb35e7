/* unit_text: tests of text (bounded appends, numbers for people) and of err. */
#include "base/err.h"
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef void (*number_text)(struct text *t, uint64_t n);

struct number_case {
	uint64_t n;
	const char *expected;
};

static void check_numbers(number_text add, const struct number_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char buffer[64];
		struct text t;

		text_init(&t, buffer, sizeof(buffer));
		add(&t, cases[i].n);
		assert_string_equal(buffer, cases[i].expected);
		assert_int_equal(t.len, strlen(buffer));
		assert_false(t.cut);
	}
}

#define CHECK_NUMBERS(add, cases) check_numbers(add, cases, sizeof(cases) / sizeof((cases)[0]))

static void test_add(void **state)
{
	char buffer[16] = "old";
	struct text t;

	(void)state;
	text_init(&t, buffer, sizeof(buffer));
	assert_string_equal(buffer, "");
	assert_int_equal(t.len, 0);
	text_add(&t, "%s=%d", "a", 1);
	text_add(&t, "%s", "");
	text_add(&t, " %c", 'x');
	assert_string_equal(buffer, "a=1 x");
	assert_int_equal(t.len, 5);
	assert_false(t.cut);
}

static void test_cut(void **state)
{
	char buffer[9] = "........";
	struct text t;

	(void)state;
	text_init(&t, buffer, 8);
	buffer[8] = '#';
	text_add(&t, "1234567");
	assert_false(t.cut);
	assert_int_equal(t.len, 7);
	text_add(&t, "%s", "");
	assert_false(t.cut);
	text_add(&t, "8");
	assert_true(t.cut);
	text_add(&t, "more");
	assert_true(t.cut);
	assert_int_equal(t.len, 7);
	assert_string_equal(t.at, "1234567");
	assert_int_equal(buffer[8], '#');

	text_init(&t, buffer, 1);
	text_add(&t, "x");
	assert_string_equal(t.at, "");
	assert_int_equal(t.len, 0);
	assert_true(t.cut);
}

static void test_count(void **state)
{
	static const struct number_case cases[] = {
		{0, "0"},
		{999, "999"},
		{1000, "1,000"},
		{1234567, "1,234,567"},
		{1000000000, "1,000,000,000"},
		{1002003, "1,002,003"},
		{UINT64_MAX, "18,446,744,073,709,551,615"},
	};

	(void)state;
	CHECK_NUMBERS(text_count, cases);
}

static void test_bytes(void **state)
{
	static const struct number_case cases[] = {
		{0, "0 B"},
		{512, "512 B"},
		{1023, "1023 B"},
		{1024, "1.0 KiB"},
		{8300, "8.1 KiB"},
		{1536, "1.5 KiB"},
		{1048575, "1.0 MiB"},
		{1048576 - 64, "1023.9 KiB"},
		{2147483648, "2.0 GiB"},
		{UINT64_C(1) << 40, "1.0 TiB"},
		{UINT64_C(1) << 60, "1.0 EiB"},
		{(UINT64_C(1) << 60) - 1, "1.0 EiB"},
		{UINT64_MAX, "16.0 EiB"},
	};

	(void)state;
	CHECK_NUMBERS(text_bytes, cases);
}

static void test_duration(void **state)
{
	static const struct number_case cases[] = {
		{0, "0 ns"},
		{850, "850 ns"},
		{999, "999 ns"},
		{1000, "1.00 us"},
		{12345, "12.3 us"},
		{9994, "9.99 us"},
		{9996, "10.0 us"},
		{99960, "100 us"},
		{999499, "999 us"},
		{999500, "1.00 ms"},
		{1500000, "1.50 ms"},
		{999999999, "1.00 s"},
		{UINT64_C(12500000000), "12.5 s"},
		{UINT64_C(59940000000), "59.9 s"},
		{UINT64_C(59960000000), "1m00s"},
		{UINT64_C(60000000000), "1m00s"},
		{UINT64_C(90000000000), "1m30s"},
		{UINT64_C(3599999999999), "59m59s"},
		{UINT64_C(3600000000000), "1h00m"},
		{UINT64_C(3700000000000), "1h01m"},
		{UINT64_MAX, "5124095h34m"},
	};

	(void)state;
	CHECK_NUMBERS(text_duration, cases);
}

static void test_err_set(void **state)
{
	struct err e = {{0}};
	char longer[2 * sizeof(e.text)];

	(void)state;
	assert_int_equal(err_set(&e, -EINVAL, "%s: %d", "bad", 7), -EINVAL);
	assert_string_equal(e.text, "bad: 7");
	assert_int_equal(err_set(NULL, -ENOMEM, "nobody reads %s", "this"), -ENOMEM);
	assert_int_equal(err_set(&e, -EIO, "two\nlines\x1b[0m"), -EIO);
	assert_string_equal(e.text, "two lines [0m");
	/* A caller may wrap the sentence that is already there. */
	assert_int_equal(err_set(&e, -EIO, "outer: %s", e.text), -EIO);
	assert_string_equal(e.text, "outer: two lines [0m");

	memset(longer, 'x', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(err_set(&e, -EIO, "%s", longer), -EIO);
	assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
}

/* What err_print writes to stderr. */
static void printed(const struct err *e, char *out, size_t size)
{
	int ends[2], saved;
	ssize_t len;

	assert_int_equal(pipe(ends), 0);
	saved = dup(STDERR_FILENO);
	assert_true(saved >= 0);
	assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
	err_print(e);
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	close(saved);
	close(ends[1]);
	len = read(ends[0], out, size - 1);
	close(ends[0]);
	assert_true(len >= 0);
	out[len] = '\0';
}

static void test_err_print(void **state)
{
	char out[2 * sizeof(struct err)];
	struct err e = {{0}};

	(void)state;
	printed(&e, out, sizeof(out));
	assert_string_equal(out, "");
	err_set(&e, -EINVAL, "no such thing: %%s");
	printed(&e, out, sizeof(out));
	assert_string_equal(out, "megaconn: no such thing: %s\n");
	memset(e.text, 'x', sizeof(e.text) - 1);
	printed(&e, out, sizeof(out));
	assert_int_equal(strlen(out), sizeof(e.text) - 1 + strlen("megaconn: \n"));
}

static void check_quote(const char *bytes, size_t len, const char *expected)
{
	assert_string_equal(text_quote(bytes, len).text, expected);
}

static void test_quote(void **state)
{
	char bytes[100], expected[200] = "";

	(void)state;
	check_quote("", 0, "");
	check_quote("198.18.0.1/24", 10, "198.18.0.1");
	check_quote(" ~", 2, " ~");
	check_quote("a\n\x1b[0m\x7f", 7, "a\\x0a\\x1b[0m\\x7f");
	check_quote("\xc2\x9b\0\xff", 4, "\\xc2\\x9b\\x00\\xff");
	check_quote("%s%n", 4, "%s%n");
	memset(bytes, 'x', sizeof(bytes));
	memset(expected, 'x', 48);
	check_quote(bytes, 48, expected);
	memcpy(expected + 48, "...", 4);
	check_quote(bytes, 49, expected);
	check_quote(bytes, sizeof(bytes), expected);
	/* The longest there is. */
	memset(bytes, 0xff, sizeof(bytes));
	assert_int_equal(strlen(text_quote(bytes, sizeof(bytes)).text), 48 * 4 + 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_add),       cmocka_unit_test(test_cut),
		cmocka_unit_test(test_count),     cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_duration),  cmocka_unit_test(test_err_set),
		cmocka_unit_test(test_err_print), cmocka_unit_test(test_quote),
	};

	return cmocka_run_group_tests_name("unit_text", tests, NULL, NULL);
}
