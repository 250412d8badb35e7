/* unit_compare: equal runs mark nothing, a ramp that is a fifth slower is marked; noise is what the
 * runs themselves show; of single numbers only more than 5 %. */
#include "out/compare.h"
#include "out/noise.h"

#include "filled.h"
#include "out/compare_text.h"
#include "stages_filled.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define RAMP_S 20

/* A run of 20 s whose connects a second go up and down by `spread` (a part of 1). */
static struct report *made(uint64_t rate_per_s, double spread)
{
	static struct sample sample;
	struct report *report = calloc(1, sizeof(*report));
	uint64_t connected = 0;

	assert_non_null(report);
	report->has_result = true;
	fill_result(&report->result, VERDICT_PASS);
	report->result.timing.rate_per_s = rate_per_s;
	for (uint64_t second = 0; second <= RAMP_S; second++) {
		figure_clear(&sample);
		sample.at_ns = second * SECOND;
		sample.has_run = true;
		sample.run.phase = LIVE_RAMP;
		figure_put(figure_at(FIGURE_RUN_CONNECTED), &sample, "", connected);
		assert_int_equal(track_add(&report->track, &sample), 0);
		double part = second % 2 ? 1 + spread : 1 - spread;

		/* Slower blocks as well as slower seconds. */
		part *= second / 4 % 2 ? 1 + spread : 1 - spread;
		connected += (uint64_t)((double)rate_per_s * part);
	}
	return report;
}

static void drop(struct report *report)
{
	report_free(report);
	free(report);
}

static const struct compare_row *row(const struct compare *c, const char *name)
{
	uint32_t i = 0;

	while (i < c->row_count && strcmp(c->rows[i].name, name) != 0)
		i++;
	if (i == c->row_count)
		fail_msg("no row '%s'", name);
	return &c->rows[i];
}

static struct compare *compared(const struct report *a, const struct report *b)
{
	static struct compare compare;

	compare_make(a, b, &compare);
	return &compare;
}

/* "All slab caches" and "other slab caches" are two things. */
static void test_slabs_of_one_alone(void **state)
{
	struct report *a = made(80000, 0.1), *b = made(80000, 0.1);
	const struct compare *c;

	(void)state;
	a->result.memory.bill.lines[BILL_SLABS].bytes = 60000000;
	b->result.memory.bill.lines[BILL_SLABS].bytes = INT64_C(7000000000);
	(void)row(compared(a, b), "  bill: other slab caches");
	b->result.memory.has_slabs = b->result.memory.bill.has_slabs = false;
	c = compared(a, b);
	for (uint32_t i = 0; i < c->row_count; i++)
		assert_null(strstr(c->rows[i].name, "slab caches"));
	drop(a);
	drop(b);
}

/* A ramp of five times as many connections is no worse for taking longer. */
static void test_sizes(void **state)
{
	struct report *a = made(80000, 0.1), *b = made(80000, 0.1);
	char line[256];

	(void)state;
	b->result.timing.ramp_ns = 5 * a->result.timing.ramp_ns;
	assert_int_equal(row(compared(a, b), "ramp, time")->mark, COMPARE_WORSE);
	b->result.target = 5 * a->result.target;
	b->result.timing.ramp_cpu_ns = 2 * a->result.timing.ramp_cpu_ns;
	assert_int_equal(row(compared(a, b), "ramp, time")->mark, COMPARE_OTHER);
	assert_int_equal(row(compared(a, b), "CPU time a connection")->mark, COMPARE_WORSE);
	compare_headline(compared(a, b), line, sizeof(line));
	assert_non_null(strstr(line, "; differs with the number of connections: 1"));
	drop(a);
	drop(b);
}

/* As many columns as every terminal has, what became of the runs, and no part of less than 0. */
static void test_text(void **state)
{
	struct report *a = made(80000, 0.1), *b = made(8000, 0.1);
	struct bill_line *line = &b->result.memory.bill.lines[BILL_DATA];
	char *text = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);

	(void)state;
	assert_non_null(to);
	fill_result(&b->result, VERDICT_FAIL);
	a->result.memory.bill.lines[BILL_DATA].bytes = INT64_C(-61000000);
	line->bytes = INT64_C(-725000000);
	compare_text(to, compared(a, b));
	fclose(to);
	for (const char *at = text; *at; at += strcspn(at, "\n") + 1)
		assert_true(strcspn(at, "\n") <= 80);
	assert_non_null(strstr(text, "\n   PASS: "));
	assert_non_null(strstr(text, "\n   FAIL: "));
	assert_non_null(strstr(text, " worse\n"));
	assert_non_null(strstr(text, "  bill: receive and send data "));
	assert_string_equal(
		compare_ratio_text(row(compared(a, b), "  bill: receive and send data")).text, "-");
	free(text);
	drop(a);
	drop(b);
}

static void test_equal_runs(void **state)
{
	struct report *a = made(80000, 0.1), *b = made(80000, 0.1);
	const struct compare *c = compared(a, b);
	char words[256];

	(void)state;
	assert_true(c->row_count > 15);
	assert_int_equal(c->setting_count, 0);
	assert_int_equal(c->marked, 0);
	compare_headline(c, words, sizeof(words));
	assert_non_null(strstr(words, "no difference exceeds noise"));
	drop(a);
	drop(b);
}

static void test_a_fifth_slower(void **state)
{
	struct report *a = made(80000, 0.05), *b = made(64000, 0.05);
	const struct compare_row *ramp;

	(void)state;
	ramp = row(compared(a, b), "ramp, connections/s");
	assert_int_equal(ramp->mark, COMPARE_WORSE);
	assert_string_equal(compare_ratio_text(ramp).text, "-20.0 %");
	assert_true(ramp->noise[0] > 0);
	ramp = row(compared(b, a), "ramp, connections/s");
	assert_int_equal(ramp->mark, COMPARE_BETTER);
	assert_string_equal(compare_ratio_text(ramp).text, "+25.0 %");
	drop(a);
	drop(b);
}

/* The same difference, where the runs go up and down by more than that. */
static void test_within_noise(void **state)
{
	struct report *a = made(80000, 0.5), *b = made(76000, 0.5);
	const struct compare_row *ramp = row(compared(a, b), "ramp, connections/s");

	(void)state;
	assert_int_equal(ramp->mark, COMPARE_SAME);
	assert_true(ramp->noise[0] > 4000);
	drop(a);
	drop(b);
}

/* 10, 12, 8, 10 of four blocks: mean 10, deviation 1.633, its error 0.816, t(3) = 3.182. */
static void test_noise_of_a_rate(void **state)
{
	static const uint64_t connected[] = {0, 10, 22, 30, 40};
	static struct sample sample;
	struct track track = {0};

	(void)state;
	for (uint64_t i = 0; i < 5; i++) {
		figure_clear(&sample);
		sample.at_ns = i * SECOND;
		sample.has_run = true;
		sample.run.phase = LIVE_RAMP;
		figure_put(figure_at(FIGURE_RUN_CONNECTED), &sample, "", connected[i]);
		assert_int_equal(track_add(&track, &sample), 0);
	}
	double noise = noise_of_rate(&track, FIGURE_RUN_CONNECTED, LIVE_RAMP);

	assert_true(fabs(noise - 3.182 * sqrt(8.0 / 3 / 4)) < 1e-6);
	assert_true(isnan(noise_of_rate(&track, FIGURE_RUN_CONNECTED, LIVE_HOLD)) != 0);
	track_free(&track);
}

/* The same of a quantile of each second's answers; never below what buckets tell. */
static void test_noise_of_latency(void **state)
{
	static const uint64_t p99_ns[] = {0, 10000, 12000, 8000, 10000};
	static struct sample sample;
	const struct quantiles all = {.count = 4, .p99_ns = 11000, .max_ns = 12800000};
	struct track track = {0};

	(void)state;
	for (uint64_t i = 0; i < 5; i++) {
		figure_clear(&sample);
		sample.at_ns = i * SECOND;
		sample.has_run = true;
		sample.run.phase = LIVE_HOLD;
		sample.latency = (struct quantiles){.count = i, .p99_ns = p99_ns[i], .max_ns = 7};
		assert_int_equal(track_add(&track, &sample), 0);
	}
	assert_true(fabs(noise_of_latency(&track, &all, 2) - 3182 * sqrt(8.0 / 3 / 4)) < 1e-3);
	assert_true(fabs(noise_of_latency(&track, &all, 5) - 100000) < 1e-3);
	track_free(&track);
}

/* Answers of two runs: one answers faster, and worse. */
static void test_stages(void **state)
{
	struct report *a = made(80000, 0.1), *b = made(80000, 0.1);
	struct result_stage *s = &b->result.stages[0];

	(void)state;
	a->result.stage_count = b->result.stage_count = 1;
	fill_traffic(&a->result.stages[0]);
	fill_traffic(s);
	s->traffic.rate_per_s *= 2;
	s->traffic.corrected.p99_ns *= 2;
	s->traffic.answers[ANSWER_MISSING] *= 2;
	assert_int_equal(row(compared(a, b), "answers/s")->mark, COMPARE_BETTER);
	assert_int_equal(row(compared(a, b), "latency p99")->mark, COMPARE_WORSE);
	assert_int_equal(row(compared(a, b), "latency p50")->mark, COMPARE_SAME);
	assert_int_equal(row(compared(a, b), "answers late or bad")->mark, COMPARE_WORSE);
	drop(a);
	drop(b);
}

static void test_single_numbers(void **state)
{
	struct report *a = made(80000, 0.1), *b = made(80000, 0.1);

	(void)state;
	b->result.timing.teardown_ns = a->result.timing.teardown_ns * 104 / 100;
	assert_int_equal(row(compared(a, b), "close")->mark, COMPARE_SAME);
	b->result.timing.teardown_ns = a->result.timing.teardown_ns * 106 / 100;
	assert_int_equal(row(compared(a, b), "close")->mark, COMPARE_WORSE);
	assert_string_equal(compare_noise_text(row(compared(a, b), "close")).text, "no estimate");
	/* Something where there was nothing. */
	a->result.failed = 0;
	b->result.failed = 3;
	assert_int_equal(row(compared(a, b), "failed")->mark, COMPARE_WORSE);
	assert_string_equal(compare_ratio_text(row(compared(a, b), "failed")).text, "new");
	drop(a);
	drop(b);
}

/* Of a million, in batches of 16: the median is known to 1 %, what one in a thousand took is not.
 */
static void test_quantiles(void **state)
{
	struct report *a = made(80000, 0.1), *b = made(80000, 0.1);
	const struct compare *c;

	(void)state;
	b->result.timing.connect_p50_ns = a->result.timing.connect_p50_ns * 105 / 100;
	c = compared(a, b);
	assert_int_equal(row(c, "connect p50")->mark, COMPARE_WORSE);
	assert_true(isnan(row(c, "connect, longest")->noise[0]) != 0);
	double p50 = row(c, "connect p50")->noise[0] / row(c, "connect p50")->values[0];
	double p999 = row(c, "connect p99.9")->noise[0] / row(c, "connect p99.9")->values[0];

	assert_true(p50 > 0 && p50 < 0.03);
	assert_true(p999 > p50);
	/* 62,500 batches, of which 625 are beyond p99, give or take 48.77; what times these ranks
	 * have is read off the lines from p90 to p99 and from p99 to p99.9. */
	double p90 = row(c, "connect p90")->values[0], p99 = row(c, "connect p99")->values[0];
	double low = p99 * pow(p99 / p90, log10(625 / (625 + 48.77)));
	double high = p99 *
	              pow(row(c, "connect p99.9")->values[0] / p99, log10(625 / (625 - 48.77)));

	assert_true(fabs(row(c, "connect p99")->noise[0] - fmax((high - low) / 2, p99 / 128)) <
	            p99 * 1e-4);
	drop(a);
	drop(b);
}

static void test_memory(void **state)
{
	struct report *a = made(80000, 0.1), *b = made(80000, 0.1);
	const struct compare_row *memory;

	(void)state;
	/* 123.4 bytes a connection are not accounted for: 100 more are no difference. */
	b->result.memory.kernel_bytes = a->result.memory.kernel_bytes + INT64_C(50000000);
	memory = row(compared(a, b), "memory a connection");
	assert_int_equal(memory->mark, COMPARE_SAME);
	b->result.memory.kernel_bytes = a->result.memory.kernel_bytes + INT64_C(1000000000);
	assert_int_equal(row(compared(a, b), "memory a connection")->mark, COMPARE_WORSE);
	assert_int_equal(row(compared(a, b), "  of it kernel")->mark, COMPARE_WORSE);
	drop(a);
	drop(b);
}

static void test_settings(void **state)
{
	struct report *a = made(80000, 0.1), *b = made(80000, 0.1);
	const struct compare *c;

	(void)state;
	snprintf(a->command, sizeof(a->command), "megaconn lab");
	snprintf(b->command, sizeof(b->command), "megaconn lab --engine epoll");
	snprintf(b->result.client_engine, sizeof(b->result.client_engine), "epoll");
	c = compared(a, b);
	assert_int_equal(c->setting_count, 2);
	assert_string_equal(c->settings[0].name, "command");
	assert_string_equal(c->settings[1].name, "clients' engine");
	assert_string_equal(c->settings[1].values[1], "epoll");
	drop(a);
	drop(b);
}

/* Against a run that was killed: what it has, and nothing is marked for what it has not. */
static void test_without_result(void **state)
{
	struct report *a = made(80000, 0.1), *b = made(80000, 0.1);

	(void)state;
	b->has_result = false;
	memset(&b->result.established, 0xff, sizeof(b->result.established));
	memset(&b->result.timing, 0xff, sizeof(b->result.timing));
	b->result.memory.connections = 0;
	const struct compare *c = compared(a, b);

	assert_true(isnan(row(c, "ramp, connections/s")->values[1]) != 0);
	assert_int_equal(c->marked, 0);
	assert_string_equal(compare_value_text(row(c, "close"), 1).text, "-");
	drop(a);
	drop(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_equal_runs),      cmocka_unit_test(test_text),
		cmocka_unit_test(test_sizes),           cmocka_unit_test(test_slabs_of_one_alone),
		cmocka_unit_test(test_a_fifth_slower),  cmocka_unit_test(test_within_noise),
		cmocka_unit_test(test_noise_of_a_rate), cmocka_unit_test(test_noise_of_latency),
		cmocka_unit_test(test_stages),          cmocka_unit_test(test_single_numbers),
		cmocka_unit_test(test_quantiles),       cmocka_unit_test(test_memory),
		cmocka_unit_test(test_settings),        cmocka_unit_test(test_without_result),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
