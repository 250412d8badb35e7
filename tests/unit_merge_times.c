/* unit_merge_times: quantiles, stages and seconds of several hosts, added up. */
#include "filled.h"
/* both before merged.h, whose r they would hide */
#include "stages_filled.h"

#include "merged.h"
#include "out/merge_grid.h"
#include "out/merge_sum.h"

#include <stdlib.h>

static uint64_t seed = 1;

static uint64_t draw(uint64_t below)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (seed >> 16) % below;
}

/* --- times -------------------------------------------------------------------------------- */

static void set_connect(const struct hist *h)
{
	struct quantiles q = quantiles_of(h);

	r.timing.connect_p50_ns = q.p50_ns;
	r.timing.connect_p90_ns = q.p90_ns;
	r.timing.connect_p99_ns = q.p99_ns;
	r.timing.connect_p999_ns = q.p999_ns;
	r.timing.connect_max_ns = q.max_ns;
}

/* The log of a record, which knows of a maximum only its bucket. */
static void log_times(struct hist *to, const struct hist *from)
{
	static struct hist none;

	hist_subtract(to, from, &none);
}

static void draw_times(struct hist *one, struct hist *all)
{
	uint64_t scale = 1 + draw(1000000);

	memset(one, 0, sizeof(*one));
	for (uint64_t i = 0; i < 200 + draw(2000); i++) {
		uint64_t ns = 1000 + draw(scale) * (1 + draw(50));

		hist_record(one, ns);
		hist_record(all, ns);
	}
}

static void expect_same(const struct quantiles *a, const struct quantiles *b)
{
	for (int i = 0; i < QUANTILES_EACH; i++)
		assert_int_equal(quantiles_at(a, i), quantiles_at(b, i));
	assert_int_equal(a->count, b->count);
}

/* One stage of traffic and churn. */
static void make_stage(struct hist *one, struct hist *all)
{
	struct result_stage *s = &r.stages[0];

	memset(s, 0, sizeof(*s));
	r.stage_count = 1;
	snprintf(s->name, sizeof(s->name), "hold");
	s->has_traffic = s->has_churn = true;
	s->traffic.kind = TRAFFIC_ECHO;
	for (int i = 0; i < MERGE_LOG_COUNT; i++) {
		draw_times(&one[i], &all[i]);
		log_times(&logs.stages[0][i], &one[i]);
	}
	s->churn.connect = quantiles_of(&one[MERGE_CONNECT]);
	s->traffic.corrected = quantiles_of(&one[MERGE_CORRECTED]);
	s->traffic.uncorrected = quantiles_of(&one[MERGE_UNCORRECTED]);
}

/* As if all samples had been in one histogram. */
static void quantiles_are_those_of_all_samples(void **state)
{
	static struct hist ramp, ramps, one[MERGE_LOG_COUNT], all[MERGE_LOG_COUNT];

	(void)state;
	merge_begin(&m);
	for (uint32_t k = 1; k <= 20; k++) {
		make(k, 20);
		draw_times(&ramp, &ramps);
		set_connect(&ramp);
		log_times(&logs.ramp, &ramp);
		logs.has_connect = logs.has_latency = true;
		make_stage(one, all);
		assert_int_equal(take(), 0);
	}
	expect(VERDICT_PASS, "20 shards");
	assert_int_equal(m.note_count, 0);
	struct quantiles q = quantiles_of(&ramps);

	assert_int_equal(m.result.timing.connect_p50_ns, q.p50_ns);
	assert_int_equal(m.result.timing.connect_p90_ns, q.p90_ns);
	assert_int_equal(m.result.timing.connect_p99_ns, q.p99_ns);
	assert_int_equal(m.result.timing.connect_p999_ns, q.p999_ns);
	assert_int_equal(m.result.timing.connect_max_ns, q.max_ns);
	q = quantiles_of(&all[MERGE_CONNECT]);
	expect_same(&m.result.stages[0].churn.connect, &q);
	q = quantiles_of(&all[MERGE_CORRECTED]);
	expect_same(&m.result.stages[0].traffic.corrected, &q);
	q = quantiles_of(&all[MERGE_UNCORRECTED]);
	expect_same(&m.result.stages[0].traffic.uncorrected, &q);
}

/* A log that is not of this result, or is cut, is not believed. */
static void logs_that_do_not_fit_make_times_unknown(void **state)
{
	static struct hist ramp, ramps;

	(void)state;
	for (int damage = 0; damage < 3; damage++) {
		merge_begin(&m);
		for (uint32_t k = 1; k <= 2; k++) {
			make(k, 2);
			draw_times(&ramp, &ramps);
			set_connect(&ramp);
			log_times(&logs.ramp, &ramp);
			logs.has_connect = damage > 0 || k == 1;
			if (k == 2 && damage == 1)
				hist_add(&logs.ramp, 1, logs.ramp.count);
			if (k == 2 && damage == 2)
				r.timing.connect_max_ns *= 2;
			assert_int_equal(take(), 0);
		}
		expect(VERDICT_PASS, "2 shards");
		assert_true(m.result.timing.connect_max_ns == RESULT_UNKNOWN);
		assert_true(m.result.timing.connect_p50_ns == RESULT_UNKNOWN);
		assert_int_equal(m.note_count, 2);
		assert_non_null(strstr(m.notes[0], damage == 0 ? "a result without its logs"
		                                               : "do not have all the times"));
	}
}

/* --- stages ------------------------------------------------------------------------------- */

static void stages_are_added(void **state)
{
	static struct result one;

	(void)state;
	fill_result(&one, VERDICT_PASS);
	fill_living(&one);
	one.shard.number = 1;
	merge_sum_begin(&r, &one);
	one.shard.number = 2;
	assert_true(merge_sum_fits(&r, &one));
	merge_sum(&r, &one);
	assert_int_equal(r.stage_count, one.stage_count);
	for (uint32_t i = 0; i < one.stage_count; i++) {
		const struct result_stage *a = &r.stages[i], *b = &one.stages[i];

		assert_int_equal(a->duration_ns, b->duration_ns);
		assert_int_equal(a->open_after, 2 * b->open_after);
		assert_int_equal(a->traffic.said, 2 * b->traffic.said);
		assert_int_equal(a->churn.closed, 2 * b->churn.closed);
		assert_int_equal(a->storm.cut, 2 * b->storm.cut);
	}
	one.stages[0].has_traffic = !one.stages[0].has_traffic;
	assert_false(merge_sum_fits(&r, &one));
}

static void limits_are_of_the_shard_that_had_them(void **state)
{
	static struct result one;

	(void)state;
	fill_result(&one, VERDICT_PASS);
	one.stage_count = 1;
	one.stages[0] = (struct result_stage){.name = "hold", .has_traffic = true};
	one.shard.number = 1;
	merge_sum_begin(&r, &one);
	one.shard.number = 2;
	merge_sum(&r, &one);
	assert_string_equal(r.stages[0].traffic.why, "each shard held its rate");
	one.shard.number = 3;
	one.stages[0].traffic.limited = LIMITED_TARGET;
	snprintf(one.stages[0].traffic.why, sizeof(one.stages[0].traffic.why), "slow answers");
	merge_sum(&r, &one);
	assert_string_equal(r.stages[0].traffic.why, "shard 3: slow answers");
	one.shard.number = 4;
	one.stages[0].traffic.limited = LIMITED_TOOL;
	snprintf(one.stages[0].traffic.why, sizeof(one.stages[0].traffic.why), "no CPU");
	merge_sum(&r, &one);
	assert_string_equal(r.stages[0].traffic.why, "shard 4: no CPU");
	assert_int_equal(r.stages[0].traffic.limited, LIMITED_TOOL);
	one.stages[0].traffic.limited = LIMITED_NOT;
	merge_sum(&r, &one);
	assert_string_equal(r.stages[0].traffic.why, "shard 4: no CPU");
}

/* --- seconds ------------------------------------------------------------------------------ */

static uint64_t *numbers;

static void add_sample(struct merge_grid *g, struct merge_host *host, uint64_t ms, uint64_t open,
                       uint64_t connected)
{
	static struct sample s;

	memset(&s, 0, sizeof(s));
	s.has_run = true;
	s.unix_ns = BEGAN + ms * NS_PER_MS;
	s.run.phase = open > 0 ? LIVE_HOLD : LIVE_RAMP;
	s.run.clients_open = open;
	s.run.connected = connected;
	host->numbers = numbers;
	assert_int_equal(merge_grid_add(g, host, &s), 0);
}

static void expect_second(const struct merge_grid *g, uint32_t second, uint64_t open,
                          uint64_t connected)
{
	static struct sample s;

	assert_true(second < g->count);
	merge_grid_sample(g, second, &s);
	assert_int_equal(s.unix_ns, BEGAN + second * NS_PER_S);
	assert_int_equal(s.run.clients_open, open);
	assert_int_equal(s.run.connected, connected);
	assert_true(s.memory_left_bytes == PROBE_UNKNOWN);
}

/* Where no result says when it began: a second before the first sample, not in 1970. */
static void a_grid_begins_with_its_first_sample(void **state)
{
	struct merge_grid g = {0};
	struct merge_host one = {0};

	(void)state;
	numbers = calloc(merge_grid_columns(), sizeof(*numbers));
	assert_non_null(numbers);
	add_sample(&g, &one, 1200, 10, 10);
	assert_int_equal(g.start_s, BEGAN / NS_PER_S);
	assert_in_range(g.count, 1, 3);
	merge_grid_end(&g, &one);
	merge_grid_free(&g);
	free(numbers);
}

/* Each second has what was last known of each host; what has ended has nothing open. */
static void hosts_are_added_second_by_second(void **state)
{
	struct merge_grid g = {.start_s = BEGAN / NS_PER_S};
	struct merge_host one = {0}, two = {0};

	(void)state;
	numbers = calloc(merge_grid_columns(), sizeof(*numbers));
	assert_non_null(numbers);
	add_sample(&g, &one, 200, 0, 0);
	add_sample(&g, &one, 1200, 10, 10);
	add_sample(&g, &one, 1300, 11, 11);
	add_sample(&g, &one, 2200, 20, 20);
	merge_grid_end(&g, &one);
	add_sample(&g, &two, 900, 1, 1);
	add_sample(&g, &two, 4100, 3, 4);
	merge_grid_end(&g, &two);
	expect_second(&g, 1, 1, 1);
	expect_second(&g, 2, 12, 12);
	expect_second(&g, 3, 21, 21);
	expect_second(&g, 4, 1, 21);
	expect_second(&g, 5, 3, 24);
	assert_int_equal(g.count, 6);
	merge_grid_free(&g);
	free(numbers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quantiles_are_those_of_all_samples),
		cmocka_unit_test(logs_that_do_not_fit_make_times_unknown),
		cmocka_unit_test(stages_are_added),
		cmocka_unit_test(limits_are_of_the_shard_that_had_them),
		cmocka_unit_test(a_grid_begins_with_its_first_sample),
		cmocka_unit_test(hosts_are_added_second_by_second),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
