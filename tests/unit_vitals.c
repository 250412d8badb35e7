/* unit_vitals: the parsers of kernel/vitals.h on captured and hand-written files, whole and cut at
 * every byte; cut files are exact-size copies, so that the address sanitizer sees a read too far.
 */
#include "fixture.h"

#include "kernel/vitals.h"

#include "base/clock.h"
#include "base/span.h"
#include "kernel/probe.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HZ          100
#define TICK_NS     (NS_PER_S / HZ)
#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

static char text[64 * 1024];
static struct probe_cpus cpus, cut_cpus;

static size_t load(const char *name)
{
	return fixture_load(name, text, sizeof(text));
}

static char *exact_copy(const char *from, size_t len)
{
	char *copy = malloc(len ? len : 1);

	assert_non_null(copy);
	memcpy(copy, from, len);
	return copy;
}

/* --- CPUs --------------------------------------------------------------------------------- */

static void stat_6_18(void **state)
{
	(void)state;
	assert_int_equal(vitals_parse_stat(text, load("stat"), HZ, &cpus), 0);
	assert_int_equal(cpus.count, 2);
	assert_string_equal(cpus.cpus[0].name, "0");
	assert_string_equal(cpus.cpus[1].name, "1");
	assert_int_equal(cpus.cpus[0].busy_ns,
	                 (360249 + 6042 + 880121 + 0 + 222881 + 4386) * TICK_NS);
	assert_int_equal(cpus.cpus[0].softirq_ns, 222881 * TICK_NS);
	assert_int_equal(cpus.cpus[0].idle_ns, (3427999 + 2367) * TICK_NS);
	assert_int_equal(cpus.cpus[1].softirq_ns, 221156 * TICK_NS);
}

/* The line "softirq" counts, and is no CPU's; another HZ is another time. */
static void stat_3_10(void **state)
{
	(void)state;
	assert_int_equal(vitals_parse_stat(text, load("stat_3.10"), 250, &cpus), 0);
	assert_int_equal(cpus.count, 2);
	assert_int_equal(cpus.cpus[1].busy_ns, (10200 + 60 + 4500 + 300) * (NS_PER_S / 250));
	assert_int_equal(cpus.cpus[1].softirq_ns, 300 * (NS_PER_S / 250));
}

static void stat_texts(void **state)
{
	static const struct {
		const char *text;
		uint32_t count;
		uint64_t busy_ns, softirq_ns, idle_ns;
	} cases[] = {
		{"cpu0 1 2 3 4\n", 1, 6 * TICK_NS, PROBE_UNKNOWN, 4 * TICK_NS},
		{"cpu0 1 2 3 4 5 6 7\n", 1, 19 * TICK_NS, 7 * TICK_NS, 9 * TICK_NS},
		/* guest time, in user time already, and what is yet to come */
		{"cpu7 1 2 3 4 5 6 7 8 9 10 11 12\n", 1, 27 * TICK_NS, 7 * TICK_NS, 9 * TICK_NS},
		{"cpu0 18446744073709551615 0 0 4\n", 1, PROBE_UNKNOWN, PROBE_UNKNOWN, 4 * TICK_NS},
		{"cpu0 18446744073709551615 1 0 4\n", 0, 0, 0, 0},
		{"cpu0 0 0 0 18446744073709551615 1\n", 0, 0, 0, 0},
		{"cpu0 1 2 3\n", 0, 0, 0, 0},
		{"cpu 1 2 3 4\n", 0, 0, 0, 0},
		{"cpux 1 2 3 4\n", 0, 0, 0, 0},
		{"cpu0 1 2 -3 4\n", 0, 0, 0, 0},
		{"cpu0 1 2 3 4", 0, 0, 0, 0}, /* cut */
		{"", 0, 0, 0, 0},
		{"\n", 0, 0, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		size_t len = strlen(cases[i].text);
		char *copy = exact_copy(cases[i].text, len);
		int result = vitals_parse_stat(copy, len, HZ, &cpus);

		free(copy);
		if (result != (cases[i].count > 0 ? 0 : -EINVAL) || cpus.count != cases[i].count)
			fail_msg("%s: %d, %u CPUs", cases[i].text, result, cpus.count);
		if (cpus.count == 0)
			continue;
		assert_int_equal(cpus.cpus[0].busy_ns, cases[i].busy_ns);
		assert_int_equal(cpus.cpus[0].softirq_ns, cases[i].softirq_ns);
		assert_int_equal(cpus.cpus[0].idle_ns, cases[i].idle_ns);
	}
}

static void stat_too_many(void **state)
{
	size_t at = 0;

	(void)state;
	for (int i = 0; i < PROBE_CPUS_MAX + 3; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "cpu%d 1 2 3 4\n", i);
	assert_int_equal(vitals_parse_stat(text, at, HZ, &cpus), 0);
	assert_int_equal(cpus.count, PROBE_CPUS_MAX);
	assert_string_equal(cpus.cpus[PROBE_CPUS_MAX - 1].name, "255");
}

static void stat_cut(void **state)
{
	size_t len = load("stat");

	(void)state;
	assert_int_equal(vitals_parse_stat(text, len, HZ, &cpus), 0);
	for (size_t cut = 0; cut <= len; cut++) {
		char *copy = exact_copy(text, cut);
		int result = vitals_parse_stat(copy, cut, HZ, &cut_cpus);

		free(copy);
		assert_int_equal(result, cut_cpus.count > 0 ? 0 : -EINVAL);
		assert_true(cut_cpus.count <= cpus.count);
		for (uint32_t i = 0; i < cut_cpus.count; i++)
			assert_int_equal(cut_cpus.cpus[i].busy_ns, cpus.cpus[i].busy_ns);
	}
}

/* --- packet queues and files -------------------------------------------------------------- */

static void softnet(void **state)
{
	struct probe_vitals v;

	(void)state;
	memset(&v, 0xff, sizeof(v));
	assert_int_equal(vitals_parse_softnet(text, load("softnet_stat"), &v), 0);
	assert_int_equal(v.backlog_drops, 0xdbbb + 0x19b90);
	assert_int_equal(v.squeezes, 0xdf + 0xdf);
	assert_true(v.files == PROBE_UNKNOWN);
	assert_int_equal(vitals_parse_softnet(text, load("softnet_stat_3.10"), &v), 0);
	assert_int_equal(v.backlog_drops, 16);
	assert_int_equal(v.squeezes, 0xe4f + 0xc31);
}

static void softnet_texts(void **state)
{
	static const char *const bad[] = {
		"",
		"\n",
		"1 2\n",
		"1 2 3", /* cut */
		"x 2 3\n",
		"1 2 -3\n",
		"1 2 fffffffffffffffff\n",
		"1 ffffffffffffffff 1\n1 1 1\n",
	};
	struct probe_vitals v = {0};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		char *copy = exact_copy(bad[i], strlen(bad[i]));

		if (vitals_parse_softnet(copy, strlen(bad[i]), &v) != -EINVAL)
			fail_msg("\"%s\" should be refused", bad[i]);
		free(copy);
	}
	assert_int_equal(v.backlog_drops, 0);
	assert_int_equal(v.squeezes, 0);
}

static void files(void **state)
{
	static const char *const bad[] = {"", "\n", "600", "x\t0\t1\n", "-1 0 1\n"};
	struct probe_vitals v;

	(void)state;
	memset(&v, 0xff, sizeof(v));
	assert_int_equal(vitals_parse_files("600\t0\t2466170\n", 14, &v), 0);
	assert_int_equal(v.files, 600);
	assert_true(v.squeezes == PROBE_UNKNOWN);
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_int_equal(vitals_parse_files(bad[i], strlen(bad[i]), &v), -EINVAL);
	assert_int_equal(v.files, 600);
}

static void read_here(void **state)
{
	struct probe_vitals v;

	(void)state;
	assert_int_equal(vitals_read_cpus(&cpus), 0);
	assert_in_range(cpus.count, 1, PROBE_CPUS_MAX);
	assert_true(cpus.cpus[0].busy_ns > 0 && cpus.cpus[0].idle_ns != PROBE_UNKNOWN);
	assert_true(cpus.cpus[0].softirq_ns <= cpus.cpus[0].busy_ns);
	vitals_read(&v);
	assert_in_range(v.files, 3, 1U << 30);
	assert_true(v.backlog_drops != PROBE_UNKNOWN && v.squeezes != PROBE_UNKNOWN);
	assert_true((v.conntrack == PROBE_UNKNOWN) == (v.conntrack_max == PROBE_UNKNOWN));
}

static void spans(void **state)
{
	static const char words[] = " a\tbc  12 ";
	struct span rest = span_of(words, sizeof(words) - 1), word;
	char copy[2];
	uint64_t n;

	(void)state;
	assert_false(span_next_line(&rest, &word));
	assert_true(span_next_word(&rest, &word) && span_is(&word, "a"));
	assert_true(span_next_word(&rest, &word) && span_len(&word) == 2);
	span_copy(&word, copy, sizeof(copy));
	assert_string_equal(copy, "b");
	assert_true(span_next_number(&rest, &n) && n == 12);
	assert_false(span_next_word(&rest, &word));
	rest = span_of(NULL, 0);
	assert_false(span_next_line(&rest, &word) || span_next_word(&rest, &word));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stat_6_18),     cmocka_unit_test(stat_3_10),
		cmocka_unit_test(stat_texts),    cmocka_unit_test(stat_too_many),
		cmocka_unit_test(stat_cut),      cmocka_unit_test(softnet),
		cmocka_unit_test(softnet_texts), cmocka_unit_test(files),
		cmocka_unit_test(read_here),     cmocka_unit_test(spans),
	};

	return cmocka_run_group_tests_name("unit_vitals", tests, NULL, NULL);
}
