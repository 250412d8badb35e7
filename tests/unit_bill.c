/* unit_bill: a bill's names and sums, and how it is drawn: what is shown adds up. */
#include "out/bill.h"

#include "filled.h"
#include "out/bill_page.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COLUMNS 100

static char caught[16384];
static struct bill bill;

static int set_up(void **state)
{
	(void)state;
	fill_bill(&bill);
	return 0;
}

static void expect_text(const char *text)
{
	if (!strstr(caught, text))
		fail_msg("\"%s\" is not in:\n%s", text, caught);
}

static void expect_no_text(const char *text)
{
	if (strstr(caught, text))
		fail_msg("\"%s\" is in:\n%s", text, caught);
}

static FILE *start(void)
{
	FILE *to = tmpfile();

	assert_non_null(to);
	return to;
}

static void finish(FILE *to)
{
	size_t len;

	rewind(to);
	len = fread(caught, 1, sizeof(caught) - 1, to);
	caught[len] = '\0';
	fclose(to);
}

static void draw_shares(void)
{
	FILE *to = start();

	bill_print_shares(to, &bill, 15);
	finish(to);
}

static void draw_table(uint64_t memory_bytes)
{
	FILE *to = start();

	bill_print_table(to, &bill, memory_bytes);
	finish(to);
}

static void expect_width(void)
{
	for (const char *line = caught; *line;) {
		size_t len = strcspn(line, "\n");

		if (len > COLUMNS)
			fail_msg("%zu columns: %.*s", len, (int)len, line);
		line += len + (line[len] == '\n');
	}
}

/* --- names and sums ----------------------------------------------------------------------- */

static void names_differ(void **state)
{
	(void)state;
	for (int i = 0; i < BILL_LINE_COUNT; i++) {
		const char *name = bill_line_name((enum bill_line_id)i);

		assert_true(name[0] != '\0');
		assert_true(bill_line_title(&bill, (enum bill_line_id)i)[0] != '\0');
		for (int k = 0; k < i; k++)
			assert_string_not_equal(name, bill_line_name((enum bill_line_id)k));
	}
}

static void sums(void **state)
{
	(void)state;
	assert_true(bill_sum(&bill, 0, BILL_LINE_COUNT - 1) == bill.lost_bytes);
	assert_true(bill_sum(&bill, 0, BILL_SLABS) == 7800000000);
	assert_true(bill_sum(&bill, BILL_REQUEST, BILL_CONNTRACK) == BILL_UNKNOWN);
	assert_true(bill_add(INT64_MAX, 1) == INT64_MAX);
	assert_true(bill_add(-INT64_MAX, -1) == -INT64_MAX);
	assert_true(bill_add(-INT64_MAX, -2) == -INT64_MAX);
	assert_true(bill_add(5, -7) == -2);
	assert_true(bill_grown(5, 3) == -2);
	assert_true(bill_grown(UINT64_MAX, 3) == 0 && bill_grown(3, UINT64_MAX) == 0);
	assert_true(bill_share(100, 10, 3) == 30 && bill_share(100, 10, 11) == 100);
	assert_true(bill_share(100, 10, -1) == 0);
	assert_true(bill_share(INT64_MAX, INT64_MAX, INT64_MAX - 1) == INT64_MAX);
	assert_true(bill_share(-INT64_MAX, INT64_MAX, INT64_MAX - 1) == -INT64_MAX);
	bill_put(&bill, BILL_REQUEST, 5, BILL_UNKNOWN);
	bill_put(&bill, BILL_REQUEST, 6, 2);
	assert_true(bill.lines[BILL_REQUEST].bytes == 11 && bill.lines[BILL_REQUEST].objects == 2);
}

static void names_of_caches(void **state)
{
	struct bill_line *line = &bill.lines[BILL_BIND];

	(void)state;
	line->of[0] = '\0';
	bill_name(&bill, BILL_BIND, "a", "a");
	bill_name(&bill, BILL_BIND, "b", "x");
	bill_name(&bill, BILL_BIND, "c", "x");
	bill_name(&bill, BILL_BIND, "d", "y");
	assert_string_equal(line->of, "a, b + c in x, d in y");
	for (int i = 0; i < 30; i++)
		bill_name(&bill, BILL_BIND, "a_long_name", "a_long_name");
	assert_true(strlen(line->of) < sizeof(line->of));
	assert_string_equal(line->of + strlen(line->of) - 11, "a_long_name"); /* none is cut */
}

/* --- shares ------------------------------------------------------------------------------- */

/* The sum of all numbers that are drawn is twice the last one. */
static void assert_shown_adds_up(void)
{
	int64_t sum = 0, last = 0;

	for (char *at = caught; *at;) {
		char digits[32];
		size_t len = 0, skip = strspn(at, " \n");

		at += skip;
		for (; (*at >= '0' && *at <= '9') || *at == ',' || *at == '-'; at++) {
			if (*at != ',' && len < sizeof(digits) - 1)
				digits[len++] = *at;
		}
		digits[len] = '\0';
		if (len > 0) {
			last = strtoll(digits, NULL, 10);
			sum += last;
		}
		at += strcspn(at, " \n");
	}
	assert_true(sum == 2 * last);
}

static void shares_add_up(void **state)
{
	(void)state;
	draw_shares();
	assert_shown_adds_up();
	expect_text("  7,791 = lost by memory\n");
	expect_no_text("smaller ones");
	expect_width();
	bill.lines[BILL_PERCPU].bytes = 490000; /* 0.4 + 0.49 of a byte each */
	bill.lines[BILL_STACKS].bytes = 300000;
	bill.lines[BILL_TCP].bytes += 400000;
	draw_shares();
	assert_shown_adds_up();
	expect_text("smaller ones, rounding");
	expect_no_text("per-CPU");
}

static void shares_of_unknown(void **state)
{
	(void)state;
	bill.lines[BILL_RESIDUAL].bytes = BILL_UNKNOWN;
	draw_shares();
	expect_text("= what is known");
	bill.has_slabs = false;
	draw_shares();
	expect_text("all slab caches");
	for (int i = 0; i < BILL_LINE_COUNT; i++)
		bill.lines[i].bytes = BILL_UNKNOWN;
	draw_shares();
	assert_string_equal(caught, "");
	bill.connections = 0;
	draw_shares();
	assert_string_equal(caught, "");
}

static void shares_of_any_size(void **state)
{
	static const int64_t values[] = {0, 1, -1, INT64_MAX, -INT64_MAX, 999999, -500000};

	(void)state;
	for (size_t v = 0; v < sizeof(values) / sizeof(values[0]); v++) {
		for (int i = 0; i < BILL_LINE_COUNT; i++)
			bill.lines[i].bytes = values[v];
		draw_shares();
		draw_table(1);
		draw_table(UINT64_MAX);
		expect_text("sum");
		bill.connections = v % 2 ? 1 : INT64_MAX;
		json_decref(bill_json(&bill));
	}
}

/* One rounding, whoever shows it, and no -0. */
static void each(void **state)
{
	(void)state;
	assert_true(bill_each(901120, 20000) > 45.09 && bill_each(901120, 20000) < 45.11);
	assert_true(!signbit(bill_each(-4096, 100000)));
	assert_true(bill_each_whole(856064, 20000) == 43);
	assert_true(bill_each_whole(-856064, 20000) == -43);
	assert_true(bill_each_whole(INT64_MAX, 1) == INT64_MAX);
	assert_true(bill_each_whole(-INT64_MAX, INT64_MAX) == -1);
}

/* --- table, page, JSON -------------------------------------------------------------------- */

static void table(void **state)
{
	(void)state;
	draw_table(16 * GIB);
	expect_text(
		"  TCP socket                2,000,003    5,040,000,000   5,040   29.34 %  TCP\n");
	expect_text("  bind buckets *            1,000,007      133,000,000     133    0.77 %\n");
	expect_text("\n* bind buckets: tcp_bind2_bucket in eventpoll_epi\n");
	expect_text("  residual                                -123,400,000    -123   -0.72 %\n");
	expect_text("  sum                                    7,790,900,000   7,791   45.35 %\n");
	expect_no_text("conn");
	expect_width();
	bill.has_slabs = false;
	bill.lines[BILL_SLABS].bytes = 344000000;
	draw_table(0);
	expect_text("  all slab caches                          344,000,000                  \n");
	expect_no_text("sum");
	expect_no_text("%");
}

static void page(void **state)
{
	struct bill_page p = {
		.bill = bill, .memory_bytes = 16 * GIB, .inuse = 250000, .time_wait = 7};
	FILE *to = start();

	(void)state;
	bill_page_print(to, &p);
	finish(to);
	expect_text("1,000,000 TCP sockets on this machine, all network namespaces together: ");
	expect_text("this network namespace: 250,000 in use, 7 in TIME_WAIT; its share is about ");
	p.bill.has_slabs = false;
	p.netns = "a\nb";
	p.inuse = BILL_PAGE_UNKNOWN;
	to = start();
	bill_page_print(to, &p);
	finish(to);
	expect_text("root's");
	expect_no_text("network namespace a");
	expect_no_text("18,446");
	p.inuse = 5;
	p.time_wait = BILL_PAGE_UNKNOWN;
	to = start();
	bill_page_print(to, &p);
	finish(to);
	expect_text("network namespace a\\x0ab: 5 in use\n");
}

static void json(void **state)
{
	json_t *array = bill_json(&bill);
	const json_t *line;

	(void)state;
	assert_int_equal(json_array_size(array), BILL_LINE_COUNT);
	line = json_array_get(array, BILL_BIND);
	assert_string_equal(json_string_value(json_object_get(line, "line")), "bind");
	assert_string_equal(json_string_value(json_object_get(line, "title")), "bind buckets");
	assert_int_equal(json_integer_value(json_object_get(line, "bytes")), 133000000);
	assert_int_equal(json_integer_value(json_object_get(line, "objects")), 1000007);
	assert_true(json_is_true(json_object_get(line, "shared")));
	assert_true(json_real_value(json_object_get(line, "bytes_per_connection")) > 132.9);
	line = json_array_get(array, BILL_PERCPU);
	assert_true(json_is_null(json_object_get(line, "bytes")));
	assert_true(json_is_null(json_object_get(line, "bytes_per_connection")));
	assert_true(json_is_null(json_object_get(line, "objects")));
	json_decref(array);
	bill.connections = 0;
	array = bill_json(&bill);
	assert_true(json_is_null(array));
	json_decref(array);
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(names_differ),
		TEST(sums),
		TEST(names_of_caches),
		TEST(shares_add_up),
		TEST(shares_of_unknown),
		TEST(shares_of_any_size),
		TEST(each),
		TEST(table),
		TEST(page),
		TEST(json),
	};

	return cmocka_run_group_tests_name("unit_bill", tests, NULL, NULL);
}
