/* unit_prom: a sample as Prometheus is given it: every row of the table under its name, escaped,
 * in base units, and a histogram that adds up. docs/metrics.md lists every one of them. */
#include "out/prom.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static struct sample sample;
static char *text;

static void write_sample(void)
{
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	prom_write(out, &sample);
	assert_int_equal(fclose(out), 0);
}

static int set_up(void **state)
{
	(void)state;
	figure_clear(&sample);
	sample.unix_ns = UINT64_C(1700000000500000000);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	free(text);
	text = NULL;
	return 0;
}

static void assert_line(const char *line)
{
	const char *at = strstr(text, line);

	if (!at) {
		fail_msg("'%s' is not in:\n%s", line, text);
		return;
	}
	assert_true(at == text || at[-1] == '\n');
	assert_true(at[strlen(line)] == '\n');
}

static void nothing_known(void **state)
{
	(void)state;
	write_sample();
	assert_string_equal(
		text, "# HELP megaconn_build_info 1; the program's version is the label.\n"
		      "# TYPE megaconn_build_info gauge\n"
		      "megaconn_build_info{version=\"0.1.0\"} 1\n"
		      "# HELP megaconn_sample_timestamp_seconds When these numbers were taken, in "
		      "seconds since 1970.\n"
		      "# TYPE megaconn_sample_timestamp_seconds gauge\n"
		      "megaconn_sample_timestamp_seconds 1700000000.5\n");
}

/* Each row alone, so that nothing else can stand for it. */
static void every_figure(void **state)
{
	(void)state;
	for (int i = 0; i < FIGURE_COUNT; i++) {
		const struct figure *f = figure_at((enum figure_id)i);
		const char *label = f->family == FIGURE_ONE         ? ""
		                    : f->family == FIGURE_BY_CAUSE  ? "reset"
		                    : f->family == FIGURE_BY_ANSWER ? "good"
		                                                    : "7";
		const char *value = f->unit == FIGURE_NS ? "0.0000015" : "1500";
		bool is_counter = f->kind == FIGURE_COUNTER;
		char name[PROM_NAME_BYTES], line[512];

		figure_clear(&sample);
		assert_true(figure_put(f, &sample, label, 1500));
		write_sample();
		prom_name(f, name);
		assert_int_equal(strcmp(name + strlen(name) - 6, "_total") == 0, is_counter);
		snprintf(line, sizeof(line), "# TYPE %s %s", name,
		         is_counter ? "counter" : "gauge");
		assert_line(line);
		snprintf(line, sizeof(line), "# HELP %s %s", name, f->help);
		assert_line(line);
		if (f->family == FIGURE_ONE)
			snprintf(line, sizeof(line), "%s %s", name, value);
		else
			snprintf(line, sizeof(line), "%s{%s=\"%s\"} %s", name, figure_label_name(f),
			         label, value);
		assert_line(line);
		free(text);
		text = NULL;
	}
}

static void numbers(void **state)
{
	static const struct {
		uint64_t busy_ns;
		const char *line;
	} table[] = {
		{0, "megaconn_cpu_busy_seconds_total{cpu=\"0\"} 0"},
		{1, "megaconn_cpu_busy_seconds_total{cpu=\"0\"} 0.000000001"},
		{10000000, "megaconn_cpu_busy_seconds_total{cpu=\"0\"} 0.01"},
		{UINT64_C(3000000000), "megaconn_cpu_busy_seconds_total{cpu=\"0\"} 3"},
		{UINT64_MAX - 1,
	         "megaconn_cpu_busy_seconds_total{cpu=\"0\"} 18446744073.709551614"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		figure_clear(&sample);
		figure_put(figure_at(FIGURE_CPU_BUSY), &sample, "0", table[i].busy_ns);
		write_sample();
		assert_line(table[i].line);
		free(text);
		text = NULL;
	}
}

/* Names of caches are the kernel's modules': anything may be in them. */
static void escaped(void **state)
{
	(void)state;
	figure_put(figure_at(FIGURE_SLAB), &sample, "a\"b\\c\nd", 4096);
	figure_put(figure_at(FIGURE_SLAB), &sample, ":A-0000192", 8192);
	write_sample();
	assert_line("megaconn_slab_bytes{cache=\"a\\\"b\\\\c\\nd\"} 4096");
	assert_line("megaconn_slab_bytes{cache=\":A-0000192\"} 8192");
	assert_null(strstr(text, "megaconn_slab_objects")); /* of which nothing is known */
}

static void phase(void **state)
{
	(void)state;
	sample.has_run = true;
	sample.run.phase = LIVE_HOLD;
	write_sample();
	assert_line("megaconn_run_phase{phase=\"hold\"} 1");
	assert_line("megaconn_run_phase{phase=\"ramp\"} 0");
	assert_null(strstr(text, "connect_duration")); /* none has connected */
}

/* The number after a text. */
static uint64_t number_after(const char *words)
{
	const char *at = strstr(text, words);

	assert_non_null(at);
	return strtoull(at + strlen(words), NULL, 10);
}

static void connect_times(void **state)
{
	uint64_t before = 0;
	double bound_before = 0;
	int buckets = 0;

	(void)state;
	sample.has_run = true;
	for (int i = 0; i < 100; i++)
		hist_record(&sample.connect, 40000); /* below the first bound */
	for (int i = 0; i < 10; i++)
		hist_record(&sample.connect, 1003519); /* on a bound: it is in */
	hist_record(&sample.connect, 1003520);         /* above it: in the next */
	hist_record(&sample.connect, UINT64_C(90000000000));
	hist_record(&sample.connect, HIST_MAX_NS + 1); /* 18 minutes */
	write_sample();
	assert_line("# TYPE megaconn_connect_duration_seconds histogram");
	assert_line("megaconn_connect_duration_seconds_bucket{le=\"0.000050175\"} 100");
	assert_line("megaconn_connect_duration_seconds_bucket{le=\"0.000501759\"} 100");
	assert_line("megaconn_connect_duration_seconds_bucket{le=\"0.001003519\"} 110");
	assert_line("megaconn_connect_duration_seconds_bucket{le=\"0.002506751\"} 111");
	assert_line("megaconn_connect_duration_seconds_bucket{le=\"60.129542143\"} 111");
	assert_line("megaconn_connect_duration_seconds_bucket{le=\"+Inf\"} 113");
	assert_line("megaconn_connect_duration_seconds_count 113");
	assert_in_range(number_after("megaconn_connect_duration_seconds_sum "), 1189 * 996 / 1000,
	                1190 * 1004 / 1000);
	for (const char *at = text; (at = strstr(at, "_bucket{le=\"")); buckets++) {
		double bound = strtod(at += strlen("_bucket{le=\""), NULL);
		uint64_t count = strtoull(strstr(at, "} ") + 2, NULL, 10);

		assert_true(bound > bound_before && count >= before);
		bound_before = bound;
		before = count;
	}
	assert_int_equal(buckets, 20);
}

/* Of answers likewise: the corrected latency. */
static void latency(void **state)
{
	(void)state;
	sample.has_run = true;
	hist_add(&sample.corrected, 400000, 7);
	write_sample();
	assert_line("# TYPE megaconn_latency_seconds histogram");
	assert_line("megaconn_latency_seconds_bucket{le=\"0.000250879\"} 0");
	assert_line("megaconn_latency_seconds_bucket{le=\"0.000501759\"} 7");
	assert_line("megaconn_latency_seconds_count 7");
	assert_null(strstr(text, "connect_duration"));
}

/* --- docs/metrics.md ------------------------------------------------------------------------ */

/* A row of its table for each metric, with the words of the table of figures, and none besides. */
static void documented(void **state)
{
	static char page[65536];
	FILE *in = fopen("docs/metrics.md", "r");
	int rows = 0;

	(void)state;
	assert_non_null(in);
	size_t len = fread(page, 1, sizeof(page) - 1, in);

	fclose(in);
	assert_in_range(len, 1, sizeof(page) - 2);
	for (int i = 0; i < FIGURE_COUNT; i++) {
		const struct figure *f = figure_at((enum figure_id)i);
		char name[PROM_NAME_BYTES], row[512];

		snprintf(row, sizeof(row), "| `%s` | %s | %s | %s |\n", prom_name(f, name),
		         f->kind == FIGURE_COUNTER ? "counter" : "gauge",
		         figure_label_name(f) ? figure_label_name(f) : "", f->help);
		if (!strstr(page, row))
			fail_msg("docs/metrics.md has no row\n%s", row);
	}
	for (const char *at = page; (at = strstr(at, "\n| `megaconn_")); at++)
		rows++;
	assert_int_equal(rows, FIGURE_COUNT + 5); /* and those that are not in the table */
}

#define PROM_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PROM_TEST(nothing_known), PROM_TEST(every_figure), PROM_TEST(numbers),
		PROM_TEST(escaped),       PROM_TEST(phase),        PROM_TEST(connect_times),
		PROM_TEST(latency),       PROM_TEST(documented),
	};

	return cmocka_run_group_tests_name("unit_prom", tests, NULL, NULL);
}
