/* unit_find: the search for what passes, over runs of the test's own. */
#include "run/find.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/text.h"

#include <signal.h>
#include <string.h>

/* A machine and a server with known limits. */
struct fake {
	uint64_t holds; /* so many, or so many a second, are well; beyond: as `manner` says */
	enum { IS_SLOW, FALLS_BEHIND, FAILS_SOME, FAILS } manner;
	uint64_t fits;       /* more connections do not; 0: any */
	uint64_t interrupts; /* the trial of that number, from 1, is interrupted; 0: none */
	uint64_t trials, largest;
	bool is_usage;
};

static struct result result;
static char said[16384];

static void hear(void *context, const char *line)
{
	size_t len = strlen(said);
	struct text t;

	(void)context;
	text_init(&t, said + len, sizeof(said) - len);
	text_add(&t, "%s\n", line);
}

static const struct run_view view = {.say = hear};

static void refuse(struct result *r, enum verdict verdict, int code, const char *why)
{
	r->verdict = verdict;
	r->exit_code = code;
	memcpy(r->reason, why, strlen(why) + 1);
}

static bool is_refused(const struct fake *fake, uint64_t value, const struct run_view *quiet,
                       struct result *r)
{
	struct wall_report walls = {.n = value, .largest = fake->fits};

	if (fake->is_usage)
		refuse(r, VERDICT_REFUSED, EXIT_USAGE, "no such host");
	else if (fake->interrupts == fake->trials)
		refuse(r, VERDICT_PARTIAL, EXIT_INTERRUPTED, "interrupted");
	if (fake->fits > 0)
		quiet->walls(quiet->context, &walls);
	if (fake->fits > 0 && value > fake->fits)
		refuse(r, VERDICT_REFUSED, EXIT_REFUSED, "more do not fit: ports");
	return r->exit_code != EXIT_PASS;
}

/* One stage of echo and churn; what is searched is both, and the connections. */
static void run(void *context, uint64_t value, const struct run_view *quiet, struct result *r)
{
	struct fake *fake = context;
	struct result_stage *stage = &r->stages[0];
	bool is_well = value <= fake->holds;

	fake->trials++;
	fake->largest = value > fake->largest ? value : fake->largest;
	result_init(r);
	r->exit_code = EXIT_PASS;
	r->verdict = VERDICT_PASS;
	r->target = r->established.client = value;
	if (is_refused(fake, value, quiet, r))
		return;
	r->stage_count = 1;
	stage->has_traffic = stage->has_churn = true;
	stage->traffic.said = 1000000;
	stage->traffic.answers[ANSWER_GOOD] = 1000000;
	stage->churn.closed = stage->churn.opened = 1000;
	stage->traffic.rate_per_s = stage->churn.rate_per_s = (double)value;
	stage->traffic.corrected.count = 1000000;
	stage->traffic.corrected.p99_ns = NS_PER_MS;
	if (is_well)
		return;
	if (fake->manner == IS_SLOW)
		stage->traffic.corrected.p99_ns = 60 * NS_PER_MS;
	if (fake->manner == FALLS_BEHIND)
		stage->traffic.rate_per_s = stage->churn.rate_per_s = (double)fake->holds * 0.9;
	if (fake->manner == FAILS_SOME) {
		stage->traffic.answers[ANSWER_GOOD] -= 11;
		stage->traffic.answers[ANSWER_MISSING] = 11;
	}
	if (fake->manner == FAILS)
		refuse(r, VERDICT_FAIL, EXIT_FAILED, "12 could not be opened (refused 12)");
}

static int search(struct fake *fake, enum find_what what, uint64_t start, uint64_t most)
{
	const struct find find = {
		.what = what,
		.start = start,
		.most = most,
		.p99_most_ns = 50 * NS_PER_MS,
		.failed_most_parts = FIND_FAILED_USUAL,
		.run = run,
		.context = fake,
	};

	said[0] = '\0';
	memset(&result, 0xff, sizeof(result));
	return find_max(&find, &view, &result);
}

/* Found, at most 2 % below what holds. */
static void check_found(uint64_t holds)
{
	const struct result_search *s = &result.search;

	assert_int_equal(result.exit_code, EXIT_PASS);
	assert_int_equal(result.verdict, VERDICT_PASS);
	assert_true(result.has_search);
	assert_true(s->found <= holds && (double)s->found >= (double)holds * 0.98);
	assert_true(s->trial_count > 0 && s->trial_count <= RESULT_TRIALS_MAX);
	for (uint32_t i = 0; i < s->trial_count; i++) {
		assert_int_equal(s->trials[i].passed, s->trials[i].asked <= holds);
		assert_int_equal(s->trials[i].passed, s->trials[i].why_not[0] == '\0');
	}
	/* The result is that of the best trial. */
	assert_int_equal(result.target, s->found);
}

static void what_holds_is_found(void **state)
{
	static const uint64_t limits[] = {1000, 1001, 1999, 12345, 1000000, 999999999};

	(void)state;
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		struct fake slow = {.holds = limits[i], .manner = IS_SLOW};
		struct fake behind = {.holds = limits[i], .manner = FALLS_BEHIND};
		struct fake some = {.holds = limits[i], .manner = FAILS_SOME};
		struct fake fails = {.holds = limits[i], .manner = FAILS};

		search(&slow, FIND_MESSAGES, 1000, UINT64_MAX - 1);
		check_found(limits[i]);
		assert_non_null(strstr(result.search.bound, "p99 more than 50.0 ms"));
		search(&behind, FIND_CHURN, 1000, UINT64_MAX - 1);
		check_found(limits[i]);
		assert_non_null(strstr(result.search.bound, "/s were reached"));
		search(&some, FIND_MESSAGES, 1000, UINT64_MAX - 1);
		check_found(limits[i]);
		assert_string_equal(result.search.bound, "0.0011 % failed, more than 0.001 %");
		search(&fails, FIND_CONNECTIONS, 1000, UINT64_MAX - 1);
		check_found(limits[i]);
		assert_string_equal(result.search.bound, "12 could not be opened (refused 12)");
	}
}

static void few_trials(void **state)
{
	struct fake fake = {.holds = 90000, .manner = IS_SLOW};

	(void)state;
	search(&fake, FIND_MESSAGES, 1000, UINT64_MAX - 1);
	check_found(90000);
	/* 1,000 ... 128,000 are eight, and halving 64,000 to less than 2 % six. */
	assert_true(fake.trials <= 14);
	assert_int_equal(fake.trials, result.search.trial_count);
	assert_string_equal(result.search.what, "messages");
	assert_int_equal(result.search.p99_most_ns, 50 * NS_PER_MS);
	assert_non_null(
		strstr(said, "trial 1: 1,000 messages/s: p99 1.00 ms, failed 0 %: passed\n"));
	assert_non_null(strstr(said, "trial 8: 128,000 messages/s: p99 60.0 ms, failed 0 %: does "
	                             "not pass: p99 more than 50.0 ms\n"));
	assert_non_null(strstr(result.reason, "the most that passes is "));
}

static void all_that_was_asked_for(void **state)
{
	struct fake fake = {.holds = 100000};

	(void)state;
	assert_int_equal(search(&fake, FIND_CONNECTIONS, 16, 1000), EXIT_PASS);
	assert_int_equal(result.search.found, 1000);
	assert_int_equal(fake.largest, 1000);
	assert_string_equal(result.search.bound, "");
	assert_string_equal(result.reason,
	                    "the most that passes is 1,000 connections, all that were asked for");
}

static void a_wall_is_gone_to(void **state)
{
	struct fake fake = {.holds = 100000, .fits = 3000};

	(void)state;
	assert_int_equal(search(&fake, FIND_CONNECTIONS, 1000, UINT64_MAX), EXIT_PASS);
	assert_int_equal(result.search.found, 2970); /* less what a wall may be wrong by */
	assert_string_equal(result.search.bound, "more do not fit: ports");
	assert_int_equal(result.search.trial_count, 3);
	assert_int_equal(result.verdict, VERDICT_PASS);
}

static void nothing_passes(void **state)
{
	struct fake fake = {.holds = 10, .manner = FAILS};

	(void)state;
	assert_int_equal(search(&fake, FIND_MESSAGES, 1000, UINT64_MAX - 1), EXIT_UNPROVED);
	assert_int_equal(result.verdict, VERDICT_FAIL);
	assert_int_equal(result.search.found, 0);
	assert_int_equal(result.search.trial_count, 1);
	assert_string_equal(result.reason, "even 1,000 messages/s do not pass: 12 could not be "
	                                   "opened (refused 12)");
}

/* What cannot be run at all says so itself. */
static void nothing_runs(void **state)
{
	struct fake usage = {.is_usage = true}, small = {.holds = 5000, .fits = 500};

	(void)state;
	assert_int_equal(search(&usage, FIND_MESSAGES, 1000, UINT64_MAX - 1), EXIT_USAGE);
	assert_string_equal(result.reason, "no such host");
	assert_int_equal(search(&small, FIND_MESSAGES, 1000, UINT64_MAX - 1), EXIT_REFUSED);
	assert_string_equal(result.reason, "more do not fit: ports");
	assert_int_equal(result.search.trial_count, 0);
}

static void interrupted(void **state)
{
	struct fake third = {.holds = 100000, .interrupts = 3};
	struct fake first = {.holds = 100000, .interrupts = 1};
	sigset_t before, after;

	(void)state;
	sigprocmask(SIG_BLOCK, NULL, &before);
	assert_int_equal(search(&third, FIND_CHURN, 1000, UINT64_MAX - 1), EXIT_INTERRUPTED);
	assert_int_equal(result.verdict, VERDICT_PARTIAL);
	assert_int_equal(result.search.found, 2000);
	assert_int_equal(result.search.trial_count, 2);
	assert_string_equal(result.reason, "interrupted: at least 2,000 churned/s");
	assert_int_equal(search(&first, FIND_CHURN, 1000, UINT64_MAX - 1), EXIT_INTERRUPTED);
	assert_int_equal(result.search.found, 0);
	sigprocmask(SIG_BLOCK, NULL, &after);
	assert_int_equal(sigismember(&after, SIGINT), sigismember(&before, SIGINT));
}

static void without_a_bound_of_latency(void **state)
{
	struct fake fake = {.holds = 4000, .manner = IS_SLOW};
	const struct find find = {
		.what = FIND_CONNECTIONS, .start = 10, .most = 8000, .run = run, .context = &fake};

	(void)state;
	said[0] = '\0';
	assert_int_equal(find_max(&find, &view, &result), EXIT_PASS);
	assert_int_equal(result.search.found, 8000);
	assert_true(result.search.p99_most_ns == RESULT_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_holds_is_found),
		cmocka_unit_test(few_trials),
		cmocka_unit_test(all_that_was_asked_for),
		cmocka_unit_test(a_wall_is_gone_to),
		cmocka_unit_test(nothing_passes),
		cmocka_unit_test(nothing_runs),
		cmocka_unit_test(interrupted),
		cmocka_unit_test(without_a_bound_of_latency),
	};

	return cmocka_run_group_tests_name("find", tests, NULL, NULL);
}
