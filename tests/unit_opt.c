/* unit_opt: tests of the option table: values, bounds, operands and every error text. */
#include "base/opt.h"

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
	bool help, verbose;
	uint64_t conns, rate, memory, hold;
	const char *file;
	int solution;
	struct opt_ports ports;
	struct opt_texts servers;
	uint64_t peers, churn;
	struct opt_sizes size;
	struct opt_percent part;
};

static const char *const solutions[] = {"1", "2", "mixed", NULL};

static const struct opt table[] = {
	{.name = "help", .letter = 'h', .offset = offsetof(struct values, help), .help = "this"},
	{.name = "verbose", .letter = 'v', .offset = offsetof(struct values, verbose)},
	{.name = "conns",
         .letter = 'n',
         .kind = OPT_COUNT,
         .min = 1,
         .max = 5000000,
         .offset = offsetof(struct values, conns),
         .value = "N",
         .help = "how many"},
	{.name = "rate",
         .kind = OPT_RATE,
         .max = 1000000,
         .offset = offsetof(struct values, rate),
         .help = "per second"},
	{.name = "memory",
         .kind = OPT_SIZE,
         .min = 4096,
         .max = 3 << 20,
         .offset = offsetof(struct values, memory),
         .help = "at most"},
	{.name = "hold",
         .letter = 't',
         .kind = OPT_DURATION,
         .min = 1500000000,
         .max = UINT64_C(7200000000000),
         .offset = offsetof(struct values, hold),
         .help = "wait"},
	{.name = "file",
         .letter = 'f',
         .kind = OPT_TEXT,
         .offset = offsetof(struct values, file),
         .value = "FILE",
         .help = "where to"},
	{.name = "solution",
         .kind = OPT_CHOICE,
         .choices = solutions,
         .offset = offsetof(struct values, solution),
         .help = "which"},
	{.name = "ports",
         .kind = OPT_PORTS,
         .offset = offsetof(struct values, ports),
         .help = "range"},
	{.name = "server",
         .letter = 's',
         .kind = OPT_TEXTS,
         .offset = offsetof(struct values, servers),
         .help = "more"},
	{.name = "peers",
         .kind = OPT_COUNT_MAX,
         .min = 2,
         .offset = offsetof(struct values, peers),
         .help = "most"},
	{.name = "churn",
         .kind = OPT_RATE_MAX,
         .min = 2,
         .offset = offsetof(struct values, churn),
         .help = "max"},
	{.name = "size",
         .kind = OPT_SIZES,
         .min = 1,
         .max = 65536,
         .offset = offsetof(struct values, size),
         .help = "two"},
	{.name = "part",
         .kind = OPT_PERCENT,
         .offset = offsetof(struct values, part),
         .help = "some"},
	{.name = "half",
         .kind = OPT_PERCENT,
         .min = 1,
         .max = 500000,
         .offset = offsetof(struct values, part),
         .help = "less"},
};

#define TABLE_COUNT (sizeof(table) / sizeof(table[0]))
#define ARGS_MAX    40

static char words[512];
static char *args[ARGS_MAX + 1];
static int arg_count;
static int operands;
static struct values values;
static struct err err;

/* Splits the line at single spaces into args[]. */
static void split(const char *line)
{
	char *at = words;

	assert_true((size_t)snprintf(words, sizeof(words), "%s", line) < sizeof(words));
	arg_count = 0;
	while (at) {
		assert_true(arg_count < ARGS_MAX);
		args[arg_count++] = at;
		at = strchr(at, ' ');
		if (at)
			*at++ = '\0';
	}
	args[arg_count] = NULL;
}

static int parse(const char *line)
{
	split(line);
	values = (struct values){.conns = 7, .solution = -1};
	err.text[0] = '\0';
	operands = -1;
	return opt_parse(table, TABLE_COUNT, "lab", arg_count, args, &values, &operands, &err);
}

static void check_error(const char *line, const char *expected)
{
	assert_int_equal(parse(line), -EINVAL);
	assert_string_equal(err.text, expected);
}

static void test_count_max(void **state)
{
	(void)state;
	assert_int_equal(parse("lab --peers 1.5M"), 0);
	assert_int_equal(values.peers, 1500000);
	assert_int_equal(parse("lab --peers max"), 0);
	assert_true(values.peers == UINT64_MAX);
	check_error("lab --peers Max", "--peers Max: not a count (try 1000, 10k, 1M, or max)");
	check_error("lab --peers maxx", "--peers maxx: not a count (try 1000, 10k, 1M, or max)");
	check_error("lab --peers 1", "--peers 1: must be at least 2");
	check_error("lab -n max", "-n max: not a count (try 1000, 10k, 1M)");
}

static void test_rate_max(void **state)
{
	(void)state;
	assert_int_equal(parse("lab --churn 2.5k/s"), 0);
	assert_int_equal(values.churn, 2500);
	assert_int_equal(parse("lab --churn max"), 0);
	assert_true(values.churn == UINT64_MAX);
	check_error("lab --churn fast", "--churn fast: not a rate (try 1000, 10k/s, or max)");
	check_error("lab --churn 1", "--churn 1: must be at least 2/s");
}

static void test_sizes(void **state)
{
	(void)state;
	assert_int_equal(parse("lab"), 0);
	assert_true(values.size.low == 0 && values.size.high == 0);
	assert_int_equal(parse("lab --size 64"), 0);
	assert_true(values.size.low == 64 && values.size.high == 64);
	assert_int_equal(parse("lab --size 64-4KiB"), 0);
	assert_true(values.size.low == 64 && values.size.high == 4096);
	check_error("lab --size 64-", "--size 64-: not a size, or two (try 64, 64-4KiB)");
	check_error("lab --size 65-64", "--size 65-64: not a size, or two (try 64, 64-4KiB)");
	check_error("lab --size 0-64", "--size 0-64: must be at least 1");
	check_error("lab --size 1-65KiB", "--size 1-65KiB: must be at most 64KiB");
}

static void test_percent(void **state)
{
	(void)state;
	assert_int_equal(parse("lab"), 0);
	assert_false(values.part.is_given);
	assert_int_equal(parse("lab --part 0%"), 0);
	assert_true(values.part.is_given && values.part.parts == 0);
	assert_int_equal(parse("lab --part 0.001%"), 0);
	assert_int_equal(values.part.parts, 10);
	assert_int_equal(parse("lab --part 100%"), 0);
	assert_int_equal(values.part.parts, 1000000);
	check_error("lab --part 30", "--part 30: not a part (try 30%, 0.001%)");
	check_error("lab --part 100.1%", "--part 100.1%: must be at most 100%");
	check_error("lab --half 0%", "--half 0%: must be at least 0.0001%");
	check_error("lab --half 51%", "--half 51%: must be at most 50%");
}

static void test_values(void **state)
{
	(void)state;
	assert_int_equal(parse("lab -v --conns 1M --rate=10k/s --memory 64KiB --hold 90s -f out "
	                       "--solution mixed --ports 8090-8119"),
	                 0);
	assert_false(values.help);
	assert_true(values.verbose);
	assert_int_equal(values.conns, 1000000);
	assert_int_equal(values.rate, 10000);
	assert_int_equal(values.memory, 65536);
	assert_int_equal(values.hold, UINT64_C(90000000000));
	assert_string_equal(values.file, "out");
	assert_int_equal(values.solution, 2);
	assert_int_equal(values.ports.low, 8090);
	assert_int_equal(values.ports.high, 8119);
	assert_int_equal(operands, arg_count);

	assert_int_equal(parse("lab --solution=1 --conns 1 --conns 2"), 0);
	assert_int_equal(values.solution, 0);
	assert_int_equal(values.conns, 2);

	assert_int_equal(parse("lab"), 0);
	assert_int_equal(values.conns, 7);
	assert_int_equal(values.solution, -1);
	assert_null(values.file);
	assert_int_equal(operands, 1);
	assert_string_equal(err.text, "");
}

static void test_short(void **state)
{
	(void)state;
	assert_int_equal(parse("lab -hvn5 -t 2s -fx"), 0);
	assert_true(values.help && values.verbose);
	assert_int_equal(values.conns, 5);
	assert_int_equal(values.hold, UINT64_C(2000000000));
	assert_string_equal(values.file, "x");
}

/* A value may look like an option, an operand, or nothing. */
static void test_odd_values(void **state)
{
	(void)state;
	assert_int_equal(parse("lab --file --conns"), 0);
	assert_string_equal(values.file, "--conns");
	assert_int_equal(values.conns, 7);
	assert_int_equal(parse("lab --file="), 0);
	assert_string_equal(values.file, "");
	assert_int_equal(parse("lab --file  x"), 0);
	assert_string_equal(values.file, "");
	assert_string_equal(args[operands], "x");
	assert_int_equal(parse("lab --file=--file=x"), 0);
	assert_string_equal(values.file, "--file=x");
	assert_int_equal(parse("lab --file -- x"), 0);
	assert_string_equal(values.file, "--");
	assert_string_equal(args[operands], "x");
}

static void test_texts(void **state)
{
	(void)state;
	assert_int_equal(parse("lab"), 0);
	assert_int_equal(values.servers.count, 0);
	assert_int_equal(parse("lab --server a -sb x -s c --server=d --server= --server a -v"), 0);
	assert_int_equal(values.servers.count, 6);
	assert_string_equal(values.servers.at[0], "a");
	assert_string_equal(values.servers.at[1], "b");
	assert_string_equal(values.servers.at[2], "c");
	assert_string_equal(values.servers.at[3], "d");
	assert_string_equal(values.servers.at[4], "");
	assert_string_equal(values.servers.at[5], "a");
	assert_null(values.servers.at[6]);
	assert_true(values.verbose);
	assert_string_equal(args[operands], "x");
	/* The words themselves, not copies. */
	assert_true(values.servers.at[0] >= words && values.servers.at[0] < words + sizeof(words));
	check_error("lab -s", "-s: needs a value");
	check_error("lab -s a --server", "--server: needs a value");
}

static void test_most_texts(void **state)
{
	(void)state;
	assert_int_equal(parse("lab -s1 -s2 -s3 -s4 -s5 -s6 -s7 -s8 -s9 -s10 -s11 -s12 -s13 -s14 "
	                       "-s15 -s16"),
	                 0);
	assert_int_equal(values.servers.count, OPT_TEXTS_MAX);
	assert_string_equal(values.servers.at[15], "16");
	check_error("lab -s1 -s2 -s3 -s4 -s5 -s6 -s7 -s8 -s9 -s10 -s11 -s12 -s13 -s14 -s15 -s16 "
	            "--server seventeen",
	            "--server seventeen: given more than 16 times");
	/* Neither written beyond its end nor counted. */
	assert_int_equal(values.servers.count, OPT_TEXTS_MAX);
	assert_string_equal(values.servers.at[15], "16");
}

/* Defaults that were there before stay in front. */
static void test_texts_with_defaults(void **state)
{
	static const struct opt one = {.name = "server", .kind = OPT_TEXTS};
	struct opt_texts texts = {.at = {"first"}, .count = 1};

	(void)state;
	split("lab --server second");
	assert_int_equal(opt_parse(&one, 1, "lab", arg_count, args, &texts, &operands, &err), 0);
	assert_int_equal(texts.count, 2);
	assert_string_equal(texts.at[0], "first");
	assert_string_equal(texts.at[1], "second");
}

static void test_operands(void **state)
{
	(void)state;
	assert_int_equal(parse("lab one --conns 3 two -v - -- --rate -x"), 0);
	assert_int_equal(values.conns, 3);
	assert_true(values.verbose);
	assert_int_equal(arg_count - operands, 5);
	assert_string_equal(args[operands], "one");
	assert_string_equal(args[operands + 1], "two");
	assert_string_equal(args[operands + 2], "-");
	assert_string_equal(args[operands + 3], "--rate");
	assert_string_equal(args[operands + 4], "-x");
	/* An error after operands must name the right word. */
	check_error("lab one two --hold 10x three",
	            "--hold 10x: not a duration (try 30s, 500ms, 2m)");
	check_error("lab one --foo two", "unknown option --foo (see 'megaconn lab --help')");
}

static void test_form_errors(void **state)
{
	(void)state;
	check_error("lab --hold 10x", "--hold 10x: not a duration (try 30s, 500ms, 2m)");
	check_error("lab --hold=10x", "--hold 10x: not a duration (try 30s, 500ms, 2m)");
	check_error("lab -t 10x", "-t 10x: not a duration (try 30s, 500ms, 2m)");
	check_error("lab -n 1e6", "-n 1e6: not a count (try 1000, 10k, 1M)");
	check_error("lab --rate 1/m", "--rate 1/m: not a rate (try 1000, 10k/s, 1M/s)");
	check_error("lab --memory 1s", "--memory 1s: not a size (try 512, 64KiB, 2GiB)");
	check_error("lab --ports 1-", "--ports 1-: not a port or a range of ports within 1-65535 "
	                              "(try 8090, 8090-8119)");
	check_error("lab --ports 1-65536", "--ports 1-65536: not a port or a range of ports within "
	                                   "1-65535 (try 8090, 8090-8119)");
	check_error("lab --solution 3", "--solution 3: must be one of 1, 2, mixed");
	check_error("lab --solution mix", "--solution mix: must be one of 1, 2, mixed");
	check_error("lab --solution=", "--solution : must be one of 1, 2, mixed");
	check_error("lab -n 0123456789012345678901234567890123456789012345678901234567890123456x",
	            "-n 012345678901234567890123456789012345678901234567...: "
	            "not a count (try 1000, 10k, 1M)");
}

static void test_bounds(void **state)
{
	(void)state;
	check_error("lab -n 0", "-n 0: must be at least 1");
	check_error("lab --conns 5000001", "--conns 5000001: must be at most 5000000");
	check_error("lab --conns 99999999999999999999",
	            "--conns 99999999999999999999: must be at most 5000000");
	check_error("lab --rate 2M", "--rate 2M: must be at most 1000000/s");
	check_error("lab --memory 1k", "--memory 1k: must be at least 4KiB");
	check_error("lab --memory 4M", "--memory 4M: must be at most 3MiB");
	check_error("lab --hold 1s", "--hold 1s: must be at least 1500ms");
	check_error("lab --hold 3h", "--hold 3h: must be at most 2h");
	assert_int_equal(parse("lab -n 1 --memory 4k --hold 1.5s --rate 0"), 0);
	assert_int_equal(parse("lab -n 5M --memory 3M --hold 2h --rate 1M"), 0);
}

static void test_unbounded(void **state)
{
	static const struct opt one = {.name = "size", .kind = OPT_SIZE};
	uint64_t size = 0;

	(void)state;
	split("lab --size 18446744073709551615");
	assert_int_equal(opt_parse(&one, 1, "lab", arg_count, args, &size, &operands, &err), 0);
	assert_int_equal(size, UINT64_MAX);
	split("lab --size 18446744073709551616");
	assert_int_equal(opt_parse(&one, 1, "lab", arg_count, args, &size, &operands, &err),
	                 -EINVAL);
	assert_string_equal(err.text, "--size 18446744073709551616: must be at most "
	                              "18446744073709551615");
	/* With one option in the table getopt_long would take any of its beginnings, even none. */
	split("lab --=5");
	assert_int_equal(opt_parse(&one, 1, NULL, arg_count, args, &size, &operands, &err),
	                 -EINVAL);
	assert_string_equal(err.text, "unknown option -- (see 'megaconn --help')");
}

static void test_unknown(void **state)
{
	(void)state;
	check_error("lab --foo", "unknown option --foo (see 'megaconn lab --help')");
	check_error("lab --foo=1", "unknown option --foo (see 'megaconn lab --help')");
	check_error("lab --foo 1 --conns 2", "unknown option --foo (see 'megaconn lab --help')");
	check_error("lab -x", "unknown option -x (see 'megaconn lab --help')");
	check_error("lab -vxn", "unknown option -x (see 'megaconn lab --help')");
	check_error("lab -:", "unknown option -: (see 'megaconn lab --help')");
	check_error("lab -\n", "unknown option -  (see 'megaconn lab --help')");
	check_error("lab -\xff", "unknown option -\xff (see 'megaconn lab --help')");
}

static void test_abbreviations(void **state)
{
	static const char *const lines[] = {
		"lab --hol 3s",
		"lab --hol=3s",
		"lab --hol",
		"lab a --hol 3s b",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		check_error(lines[i], "unknown option --hol (see 'megaconn lab --help')");
	check_error("lab --h", "unknown option --h (see 'megaconn lab --help')");
	check_error("lab --verb", "unknown option --verb (see 'megaconn lab --help')");
	check_error("lab --verb=1", "unknown option --verb (see 'megaconn lab --help')");
	check_error("lab --conns2 1", "unknown option --conns2 (see 'megaconn lab --help')");
	check_error("lab --Conns 1", "unknown option --Conns (see 'megaconn lab --help')");
}

static void test_missing_and_unneeded(void **state)
{
	(void)state;
	check_error("lab --rate", "--rate: needs a value");
	check_error("lab -n", "-n: needs a value");
	check_error("lab -vn", "-n: needs a value");
	check_error("lab --verbose=1", "--verbose: takes no value");
	check_error("lab --help=", "--help: takes no value");
}

/* Each call starts afresh, also after one that ended in the middle of a word. */
static void test_many_calls(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		check_error("lab -vxn 3 -n", "unknown option -x (see 'megaconn lab --help')");
		assert_int_equal(parse("lab a -n 3 b"), 0);
		assert_int_equal(values.conns, 3);
		assert_int_equal(arg_count - operands, 2);
		assert_int_equal(parse("lab b"), 0);
		assert_string_equal(args[operands], "b");
	}
	operands = -1;
	assert_int_equal(opt_parse(table, TABLE_COUNT, "lab", 0, args, &values, &operands, &err),
	                 0);
	assert_int_equal(operands, 0);
}

static void test_table_errors(void **state)
{
	static const struct opt many[65];
	static const struct opt odd = {.name = "odd", .kind = OPT_KIND_COUNT};
	int unused = 0;

	(void)state;
	split("lab --odd 1");
	assert_int_equal(opt_parse(many, 65, "lab", arg_count, args, &unused, &operands, &err),
	                 -EINVAL);
	assert_int_equal(opt_parse(&odd, 1, "lab", arg_count, args, &unused, &operands, &err),
	                 -EINVAL);
}

/* Runs opt_print_help with stdout in a pipe. */
static void print_help_into(char *out, size_t size)
{
	int ends[2], saved;
	ssize_t len;

	fflush(stdout);
	assert_int_equal(pipe(ends), 0);
	saved = dup(STDOUT_FILENO);
	assert_true(saved >= 0);
	assert_true(dup2(ends[1], STDOUT_FILENO) >= 0);
	opt_print_help(table, TABLE_COUNT);
	fflush(stdout);
	assert_true(dup2(saved, STDOUT_FILENO) >= 0);
	close(saved);
	close(ends[1]);
	len = read(ends[0], out, size - 1);
	close(ends[0]);
	assert_true(len >= 0);
	out[len] = '\0';
}

static void test_help(void **state)
{
	char out[2048];

	(void)state;
	print_help_into(out, sizeof(out));
	assert_string_equal(out, "  -h, --help                this\n"
	                         "  -v, --verbose             \n"
	                         "  -n, --conns N             how many\n"
	                         "      --rate RATE           per second\n"
	                         "      --memory SIZE         at most\n"
	                         "  -t, --hold DURATION       wait\n"
	                         "  -f, --file FILE           where to\n"
	                         "      --solution 1|2|mixed  which\n"
	                         "      --ports PORTS         range\n"
	                         "  -s, --server TEXT         more\n"
	                         "      --peers N             most\n"
	                         "      --churn RATE          max\n"
	                         "      --size SIZE           two\n"
	                         "      --part P%             some\n"
	                         "      --half P%             less\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_count_max),     cmocka_unit_test(test_rate_max),
		cmocka_unit_test(test_sizes),         cmocka_unit_test(test_percent),
		cmocka_unit_test(test_values),        cmocka_unit_test(test_short),
		cmocka_unit_test(test_odd_values),    cmocka_unit_test(test_operands),
		cmocka_unit_test(test_form_errors),   cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_unbounded),     cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_abbreviations), cmocka_unit_test(test_missing_and_unneeded),
		cmocka_unit_test(test_many_calls),    cmocka_unit_test(test_table_errors),
		cmocka_unit_test(test_help),          cmocka_unit_test(test_texts),
		cmocka_unit_test(test_most_texts),    cmocka_unit_test(test_texts_with_defaults),
	};

	/* It would end the options at the first operand. */
	unsetenv("POSIXLY_CORRECT");
	return cmocka_run_group_tests_name("unit_opt", tests, NULL, NULL);
}
