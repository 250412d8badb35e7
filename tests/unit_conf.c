/* unit_conf: tests of configuration files: values, what libinih would take silently, and every
 * error text with its line. */
#include "base/conf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct values {
	uint64_t count, rate, memory, hold;
	char text[12];
	char after_text; /* that a text overflows into */
	int choice;
	struct opt_ports ports;
};

static const char *const choices[] = {"auto", "uring", NULL};

#define AT(field) offsetof(struct values, field)
static const struct conf_key table[] = {
	{"main", "count", OPT_COUNT, AT(count), 0, 1, 5000000, NULL},
	{"main", "rate", OPT_RATE, AT(rate), 0, 0, 1000, NULL},
	{"main", "memory", OPT_SIZE, AT(memory), 0, 4096, 0, NULL},
	{"main", "hold", OPT_DURATION, AT(hold), 0, 1000000000, UINT64_C(60000000000), NULL},
	{"other", "text", OPT_TEXT, AT(text), sizeof(((struct values *)NULL)->text), 0, 0, NULL},
	{"other", "choice", OPT_CHOICE, AT(choice), 0, 0, 0, choices},
	{"other", "ports", OPT_PORTS, AT(ports), 0, 0, 0, NULL},
};
#define TABLE_COUNT (sizeof(table) / sizeof(table[0]))

static struct values values;
static struct conf_lines lines;
static struct err err;

static int parse_bytes(const char *text, size_t len)
{
	char *exact = malloc(len > 0 ? len : 1); /* so that ASan sees a read beyond the end */
	int rc;

	assert_non_null(exact);
	memcpy(exact, text, len);
	values = (struct values){.count = 7, .text = "default", .choice = -1, .after_text = 'x'};
	err.text[0] = '\0';
	rc = conf_parse(table, TABLE_COUNT, "a.conf", exact, len, &values, &lines, &err);
	free(exact);
	assert_int_equal(values.after_text, 'x');
	return rc;
}

static int parse(const char *text)
{
	return parse_bytes(text, strlen(text));
}

static void check_error(const char *text, const char *expected)
{
	int rc = parse(text);

	if (rc != -EINVAL || strcmp(err.text, expected) != 0)
		fail_msg("\"%s\": %d, \"%s\", not \"%s\"", text, rc, err.text, expected);
}

static void check_good(const char *text)
{
	if (parse(text) != 0)
		fail_msg("\"%s\": %s", text, err.text);
}

static void all_kinds(void **state)
{
	(void)state;
	check_good("[main]\ncount = 50k\nrate=10/s\nmemory = 64KiB\nhold = 1.5s\n"
	           "\n[other]\ntext = a b = c\nchoice = uring\nports = 8090-8119\n");
	assert_int_equal(values.count, 50000);
	assert_int_equal(values.rate, 10);
	assert_int_equal(values.memory, 65536);
	assert_int_equal(values.hold, 1500000000);
	assert_string_equal(values.text, "a b = c");
	assert_int_equal(values.choice, 1);
	assert_int_equal(values.ports.low, 8090);
	assert_int_equal(values.ports.high, 8119);
	assert_int_equal(lines.of[0], 2);
	assert_int_equal(lines.of[3], 5);
	assert_int_equal(lines.of[6], 10);
}

static void not_given_stays(void **state)
{
	static const char *const nothing[] = {
		"", "\n\n", "# x", "[main]", "[main]\n[other]\n", "\xef\xbb\xbf"};

	(void)state;
	for (size_t i = 0; i < sizeof(nothing) / sizeof(nothing[0]); i++) {
		check_good(nothing[i]);
		assert_int_equal(values.count, 7);
		assert_string_equal(values.text, "default");
		assert_int_equal(values.choice, -1);
		assert_int_equal(lines.of[0], 0);
	}
}

static void check_count(const char *text, uint64_t expected)
{
	check_good(text);
	if (values.count != expected)
		fail_msg("\"%s\": count %llu", text, (unsigned long long)values.count);
}

static void forms_of_lines(void **state)
{
	(void)state;
	check_count("[main]\ncount=5", 5);
	check_count("[main]\r\ncount = 5\r\n", 5);
	check_count("\xef\xbb\xbf[main]\ncount = 5\n", 5);
	check_count("[main] ; comment\ncount = 5 ; comment = 6\n", 5);
	check_count("[main] # comment\ncount = 5\t# comment ; more\n", 5);
	check_count("; a\n# b\n  # c\n\t; d\n[main]\n\tcount\t=\t5\t\n", 5);
	check_count("[other]\ntext = x\n[main]\ncount = 5\n[other]\nports = 1\n", 5);
	check_count("[main]\n#count = 6\ncount = 5\n", 5);
	check_good("[other]\ntext = a;b#c\n");
	assert_string_equal(values.text, "a;b#c");
	check_good("[other]\ntext = ::1\n");
	assert_string_equal(values.text, "::1");
}

/* libinih would make the second line a further value of `text`. */
static void indented_lines_stand_alone(void **state)
{
	(void)state;
	check_good("[other]\ntext = a\n  choice = uring\n");
	assert_string_equal(values.text, "a");
	assert_int_equal(values.choice, 1);
	check_error("[other]\ntext = a\n  more\n", "a.conf:3: more: not of the form key = value");
	check_good("  [main]\n  count = 5\n  [other]\n  text = b\n");
	assert_int_equal(values.count, 5);
	assert_string_equal(values.text, "b");
}

static void bad_values(void **state)
{
	(void)state;
	check_error("[main]\n\ncount = 5x\n",
	            "a.conf:3: count 5x: not a count (try 1000, 10k, 1M)");
	check_error("[main]\ncount = 0", "a.conf:2: count 0: must be at least 1");
	check_error("[main]\ncount = 6M", "a.conf:2: count 6M: must be at most 5000000");
	check_error("[main]\ncount = 99999999999999999999",
	            "a.conf:2: count 99999999999999999999: must be at most 5000000");
	check_error("[main]\nrate = fast",
	            "a.conf:2: rate fast: not a rate (try 1000, 10k/s, 1M/s)");
	check_error("[main]\nrate = 1001", "a.conf:2: rate 1001: must be at most 1000/s");
	check_error("[main]\nmemory = 5", "a.conf:2: memory 5: must be at least 4KiB");
	check_error("[main]\nhold = 10x",
	            "a.conf:2: hold 10x: not a duration (try 30s, 500ms, 2m)");
	check_error("[main]\nhold = 2m", "a.conf:2: hold 2m: must be at most 1m");
	check_error("[other]\nchoice = warp", "a.conf:2: choice warp: must be one of auto, uring");
	check_error("[other]\nports = 90-80",
	            "a.conf:2: ports 90-80: not a port or a range of ports within 1-65535 "
	            "(try 8090, 8090-8119)");
	check_error("[other]\ntext = twelve bytes",
	            "a.conf:2: text: the value is too long (at most 11 bytes)");
	check_good("[other]\ntext = elevenbytes");
	check_error("[main]\ncount =\n", "a.conf:2: count: needs a value (or take the line out)");
	check_error("[other]\ntext = ; b\n",
	            "a.conf:2: text: needs a value (or take the line out)");
}

static void bad_names(void **state)
{
	(void)state;
	check_error("[main]\ncuont = 5\n",
	            "a.conf:2: unknown key cuont in [main] (count, rate, memory, hold)");
	check_error("[other]\ncount = 5\n", "a.conf:2: count belongs in [main]");
	check_error("count = 5\n[main]\n", "a.conf:1: count belongs in [main]");
	check_error("x = 5\n", "a.conf:1: x stands before the first section ([main], [other])");
	check_error("[man]\ncount = 5\n",
	            "a.conf:1: unknown section [man] (there are [main], [other])");
	check_error("[ main ]\n", "a.conf:1: unknown section [ main ] (there are [main], [other])");
	check_error("[main\n", "a.conf:1: unknown section [main (there are [main], [other])");
	check_error("[\n", "a.conf:1: unknown section [ (there are [main], [other])");
	check_error("[]\n", "a.conf:1: unknown section [] (there are [main], [other])");
	check_error("[main] count = 5\n",
	            "a.conf:1: unknown section [main] count = 5 (there are [main], [other])");
	check_error("[Main]\n", "a.conf:1: unknown section [Main] (there are [main], [other])");
}

static void bad_lines(void **state)
{
	(void)state;
	check_error("[main]\n\n# c\ncount\n", "a.conf:4: count: not of the form key = value");
	check_error("[main]\ncount: 5\n", "a.conf:2: count: 5: not of the form key = value");
	check_error("[main]\na:b = 5\n", "a.conf:2: a:b = 5: not of the form key = value");
	check_error("\xef\xbb\xbf\xef\xbb\xbf# c\n",
	            "a.conf:1: \\xef\\xbb\\xbf# c: not of the form key = value");
	check_error("[main]\n= 5\n", "a.conf:2: = 5: not of the form key = value");
	check_error("[main]\ncount = 5\nrate = 5\n count = 5\n",
	            "a.conf:4: count is given twice (first in line 2)");
	check_error("[main]\ncount = 5\n[other]\n[main]\ncount = 6\n",
	            "a.conf:5: count is given twice (first in line 2)");
	check_error("[main]\ncount = 5\x1b[0m\n",
	            "a.conf:2: byte 0x1b: this is no text (is it the right file?)");
	check_error("[main]\n# \x7f\n",
	            "a.conf:2: byte 0x7f: this is no text (is it the right file?)");
	check_error("[main]\rcount = 5\r",
	            "a.conf:1: byte 0x0d: this is no text (is it the right file?)");
	assert_int_equal(parse_bytes("[main]\ncount\0 = 5", 17), -EINVAL);
	assert_string_equal(err.text,
	                    "a.conf:2: byte 0x00: this is no text (is it the right file?)");
}

/* The first one is told, and lines after it change nothing. */
static void first_error_wins(void **state)
{
	(void)state;
	check_error("[main]\ncount = x\nrate = y\nnothing\n",
	            "a.conf:2: count x: not a count (try 1000, 10k, 1M)");
	check_error("[main]\nnothing\ncount = x\n",
	            "a.conf:2: nothing: not of the form key = value");
	assert_int_equal(values.count, 7);
}

static void long_lines(void **state)
{
	char text[1200];
	int len;

	(void)state;
	len = snprintf(text, sizeof(text), "# %0500d\n[main]\ncount = 5 ; %0300d\nrate = 3\n", 0,
	               0);
	assert_true(len < (int)sizeof(text));
	check_good(text);
	assert_int_equal(values.count, 5);
	assert_int_equal(values.rate, 3);
	assert_int_equal(lines.of[1], 4);

	snprintf(text, sizeof(text), "[main]\ncount = %0190d\nrate = 3\n", 5);
	check_good(text);
	assert_int_equal(values.count, 5);
	snprintf(text, sizeof(text), "[main]\ncount = %0191d\nrate = 3\n", 5);
	check_error(text, "a.conf:2: the line is too long: 199 bytes (at most 198)");
	snprintf(text, sizeof(text), "[main]\ncount = %0900d\nrate = 3\n", 5);
	check_error(text, "a.conf:2: the line is too long: 908 bytes (at most 198)");
}

static void check_file(const char *text, size_t len, int expected)
{
	char path[] = "/tmp/megaconn-unit-conf-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0 && write(fd, text, len) == (ssize_t)len);
	close(fd);
	values = (struct values){.count = 7};
	int rc = conf_read(table, TABLE_COUNT, path, &values, NULL, &err);

	unlink(path);
	assert_int_equal(rc, expected);
}

static void files(void **state)
{
	static char large[CONF_BYTES_MOST + 1];

	(void)state;
	check_file("[main]\ncount = 9\n", 17, 0);
	assert_int_equal(values.count, 9);
	check_file("[main]\ncount = x\n", 17, -EINVAL);
	assert_non_null(strstr(err.text, ":2: count x: not a count"));
	memset(large, '\n', sizeof(large));
	check_file(large, sizeof(large) - 1, 0);
	check_file(large, sizeof(large), -EFBIG);
	assert_int_equal(conf_read(table, TABLE_COUNT, "/none.conf", &values, NULL, &err), -ENOENT);
	assert_string_equal(err.text, "/none.conf: cannot be read: No such file or directory");
	assert_int_equal(conf_read(table, TABLE_COUNT, "/", &values, NULL, &err), -EISDIR);
}

static void blame(void **state)
{
	char path[400];

	(void)state;
	err_set(&err, 0, "wrong");
	assert_int_equal(conf_blame("b.conf", 12, -ERANGE, &err), -ERANGE);
	assert_string_equal(err.text, "b.conf:12: wrong");
	assert_int_equal(conf_blame("c", 0, -1, &err), -1);
	assert_string_equal(err.text, "c: b.conf:12: wrong");
	assert_int_equal(conf_blame("c", 0, -1, NULL), -1);
	memset(path, 'p', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	err_set(&err, 0, "wrong");
	conf_blame(path, 3, 0, &err);
	assert_memory_equal(err.text, "...ppp", 6);
	assert_string_equal(err.text + strlen(err.text) - 10, "p:3: wrong");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_kinds),      cmocka_unit_test(not_given_stays),
		cmocka_unit_test(forms_of_lines), cmocka_unit_test(indented_lines_stand_alone),
		cmocka_unit_test(bad_values),     cmocka_unit_test(bad_names),
		cmocka_unit_test(bad_lines),      cmocka_unit_test(first_error_wins),
		cmocka_unit_test(long_lines),     cmocka_unit_test(files),
		cmocka_unit_test(blame),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
