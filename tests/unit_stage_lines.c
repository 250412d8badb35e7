/* unit_stage_lines: what the stages of a run came to, in words. */
#include "out/stage_lines.h"

#include "filled.h"
#include "stages_filled.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static struct stage_line lines[STAGE_LINES_MOST];

static void check(const struct result *r, uint32_t stage, const char *const wanted[][2],
                  uint32_t count)
{
	assert_int_equal(stage_lines(r, stage, lines), count);
	for (uint32_t i = 0; i < count; i++) {
		assert_string_equal(lines[i].name, wanted[i][0]);
		assert_string_equal(lines[i].text, wanted[i][1]);
	}
}

#define CHECK(r, stage, wanted) check(r, stage, wanted, sizeof(wanted) / sizeof((wanted)[0]))

static void test_traffic(void **state)
{
	static const char *const wanted[][2] = {
		{"stage", "1 of 3, calls: 1m00s, 1,000,000 open"},
		{"traffic", "echo 64 B, 20,000/s asked: 20,000/s answered; 1,200,000 said: good "
	                    "1,199,990, late 3, missing 7, overdue 9"},
		{"latency",
	         "p50 2.00 ms  p90 4.00 ms  p99 6.00 ms  p99.9 8.00 ms  p99.99 10.0 ms  max 12.0 "
	         "ms; from when it was said p99 3.00 ms, max 6.00 ms"},
		{"limit", "target-limited: 17 messages were due while the one before was not "
	                  "answered"},
	};
	struct result *r = filled(VERDICT_PASS);

	(void)state;
	fill_living(r);
	CHECK(r, 0, wanted);
}

static void test_closed_loop(void **state)
{
	static const char *const wanted[][2] = {
		{"traffic", "echo 64 B, closed loop: 50.5/s answered; 1,200,000 said, all "
	                    "answered"},
		{"latency", "p50 2.00 ms  p90 4.00 ms  p99 6.00 ms  p99.9 8.00 ms  p99.99 10.0 ms  "
	                    "max 12.0 ms"},
	};
	struct result *r = filled(VERDICT_PASS);
	struct result_traffic *t = &r->stages[0].traffic;

	(void)state;
	fill_living(r);
	r->stage_count = 1;
	memset(t->answers, 0, sizeof(t->answers));
	t->answers[ANSWER_GOOD] = t->said;
	t->asked_per_s = 0;
	t->rate_per_s = 50.5;
	t->limited = LIMITED_COUNT;
	CHECK(r, 0, wanted);
}

static void test_push(void **state)
{
	struct result *r = filled(VERDICT_PASS);
	struct result_traffic *t = &r->stages[0].traffic;

	(void)state;
	fill_living(r);
	t->kind = TRAFFIC_PUSH;
	t->first = fill_quantiles(MS);
	t->last = fill_quantiles(500 * MS);
	t->first.count = t->last.count = 12;
	assert_int_equal(stage_lines(r, 0, lines), 5);
	assert_string_equal(lines[1].text,
	                    "push 64 B, 20,000/s asked: 20,000/s heard; 1,200,000 pushed: good "
	                    "1,199,990, late 3, missing 7, overdue 9; 17 left out, as the one "
	                    "before was still being sent");
	assert_string_equal(lines[3].name, "to all");
	assert_string_equal(lines[3].text,
	                    "first after 1.00 ms, half after 2.00 ms, last after 500 ms (median of "
	                    "12 rounds; the slowest took 3.00 s)");
}

static void test_churn_and_storm(void **state)
{
	static const char *const churn[][2] = {
		{"stage", "2 of 3, churn: 10.0 s, 1,000,000 to 999,990 open"},
		{"churn",
	         "20,011/s (20,000/s asked) by FIN: 200,113 closed, 200,103 opened again; "
	         "failed 10 (timeout 10); open 999,744 to 1,000,000; TIME_WAIT up to "
	         "40,210; 5 left out, as no tuple was free or too many connects were under "
	         "way"},
		{"reconnects", "p50 1.00 ms  p90 2.00 ms  p99 3.00 ms  p99.9 4.00 ms  p99.99 5.00 "
	                       "ms  max 6.00 ms"},
	};
	static const char *const storm[][2] = {
		{"stage", "3 of 3, storm: 30.0 s, 999,990 open"},
		{"storm", "300,000 cut, 299,998 back: 50 % after 2.10 s, 99 % 4.90 s, all never; "
	                  "failed 2 (refused 2)"},
		{"meanwhile", "listen overflows 1, SYN retransmits 12, SYN queue drops 3, SYN "
	                      "cookies 4; listen queues up to 4,096"},
	};
	struct result *r = filled(VERDICT_PASS);

	(void)state;
	fill_living(r);
	CHECK(r, 1, churn);
	CHECK(r, 2, storm);
}

static void test_search(void **state)
{
	struct result *r = filled(VERDICT_PASS);

	(void)state;
	assert_int_equal(stage_lines_search(r, lines), 0);
	fill_living(r);
	assert_int_equal(stage_lines_search(r, lines), 1);
	assert_string_equal(lines[0].text, "812,000 connections in 2 trials; more did not pass: "
	                                   "p99 61.2 ms is above 50 ms");
	r->search.found = 0;
	memcpy(r->search.what, "churn", sizeof("churn"));
	assert_int_equal(stage_lines_search(r, lines), 1);
	assert_string_equal(lines[0].text, "no churned/s in 2 trials: p99 61.2 ms is above 50 ms");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_traffic), cmocka_unit_test(test_closed_loop),
		cmocka_unit_test(test_push),    cmocka_unit_test(test_churn_and_storm),
		cmocka_unit_test(test_search),
	};

	return cmocka_run_group_tests_name("unit_stage_lines", tests, NULL, NULL);
}
