/* unit_threshold: what is good enough, and the words where it is not. */
#include "run/threshold.h"

#include "filled.h"
#include "stages_filled.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

static struct experiment x;

static const char *why(const struct result *r)
{
	static char words[512];
	struct text t;

	text_init(&t, words, sizeof(words));
	bool is_met = threshold_is_met(&x, r, 0, &t);

	assert_int_equal(is_met, t.len == 0);
	return words;
}

static int reset(void **state)
{
	(void)state;
	memset(&x, 0, sizeof(x));
	x.n = 1000000;
	return 0;
}

static struct result *living(void)
{
	struct result *r = filled(VERDICT_PASS);

	fill_living(r);
	return r;
}

/* Without --fail nothing may fail, but late answers are answers. */
static void test_nothing_fails(void **state)
{
	struct result *r = living();

	(void)state;
	assert_string_equal(why(r), "7 of 1,200,000 messages were not answered as they should be: "
	                            "7 not answered in stage calls");
	r->stages[0].traffic.answers[ANSWER_MISSING] = 0;
	assert_string_equal(why(r), "10 connections could not be opened again after they were "
	                            "closed (timeout 10) in stage churn");
	r->stages[1].churn.failed = 0;
	assert_string_equal(why(r), "2 of 300,000 connections that were cut did not come back "
	                            "(refused 2) in stage storm");
	r->stages[2].storm.back = 300000;
	assert_string_equal(why(r), "");
}

/* With --fail, too: nothing of nothing is no share. */
static void test_nothing_pushed(void **state)
{
	struct result *r = living();

	(void)state;
	x.has_failed_most = true;
	x.failed_most_parts = STAGE_PARTS;
	assert_string_equal(why(r), "");
	r->stages[0].traffic = (struct result_traffic){.kind = TRAFFIC_PUSH};
	assert_non_null(strstr(why(r), "nothing was pushed in stage calls"));
	r->stages[0].traffic.said = 1;
	assert_string_equal(why(r), "");
}

static void test_p99(void **state)
{
	struct result *r = living();

	(void)state;
	r->stage_count = 1;
	r->stages[0].traffic.answers[ANSWER_MISSING] = 0;
	x.p99_most_ns = 6 * MS;
	assert_string_equal(why(r), "");
	x.p99_most_ns = 5 * MS;
	assert_string_equal(why(r), "p99 6.00 ms is above 5.00 ms (--p99)");
	assert_int_equal(threshold_p99_ns(r), 6 * MS);
	r->stage_count = 0;
	assert_int_equal(threshold_p99_ns(r), RESULT_UNKNOWN);
}

/* With it the share decides, of messages or of connections, whichever is more. */
static void test_share(void **state)
{
	struct result *r = living();

	(void)state;
	x.has_failed_most = true;
	x.failed_most_parts = 9; /* late ones count too: 10 of 1,200,000; and 12 of 1,500,113 */
	assert_true(fabs(threshold_failed_parts(r, x.n, 0) - 10.0 / 1200000) < 1e-12);
	assert_string_equal(why(r), "");
	x.failed_most_parts = 8;
	assert_string_equal(why(r), "0.000833333 % failed, above 0.0008 % (--fail)");
	r->stages[0].traffic.answers[ANSWER_CUT] = 1000000; /* by us: no messages to be answered */
	assert_true(fabs(threshold_failed_parts(r, x.n, 0) - 10.0 / 200000) < 1e-12);
	r->stages[0].has_traffic = false;
	assert_true(fabs(threshold_failed_parts(r, x.n, 8) - 20.0 / 1500113) < 1e-12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_nothing_fails, reset),
		cmocka_unit_test_setup(test_nothing_pushed, reset),
		cmocka_unit_test_setup(test_p99, reset),
		cmocka_unit_test_setup(test_share, reset),
	};

	return cmocka_run_group_tests_name("unit_threshold", tests, NULL, NULL);
}
