/* lab_latency: what answers took, as a user has it: the log, the series and the result of a run say
 * the same, and a threshold that is missed is exit code 3 with the numbers in words. */
#include "out/series.h"

#include "apart.h"
#include "hlog.h"
#include "trial.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char base[64], dir[96];
static uint64_t counts[HIST_BUCKETS];

static const char *path_of(const char *name)
{
	static char path[192];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

/* Answers that the lines of the series tell of. */
static uint64_t series_answers(void)
{
	static char line[SERIES_LINE_MOST];
	static struct sample sample;
	FILE *file = fopen(path_of("series.ndjson"), "re");
	uint64_t answers = 0;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		assert_int_equal(series_read(line, strlen(line), &sample), 0);
		assert_true(sample.latency.p50_ns <= sample.latency.p99_ns);
		assert_true(sample.latency.p99_ns <= sample.latency.max_ns);
		answers += sample.latency.count;
	}
	fclose(file);
	return answers;
}

static void remove_record(void)
{
	static const char *const names[] = {"environment.json", "walls.json",   "series.ndjson",
	                                    "connect.hlog",     "latency.hlog", "result.json",
	                                    "report.html"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlink(path_of(names[i]));
	rmdir(dir);
}

static void all_say_the_same(void **state)
{
	const char *const args[] = {"-n",    apart_n_text(), "--traffic", "echo",  "--every",
	                            "100ms", "--hold",       "1s",        "--out", dir,
	                            NULL};
	struct trial trial;
	size_t others;

	(void)state;
	trial_run(&trial, NULL, args);
	trial_assert_passed(&trial, apart_n());
	uint64_t good = (uint64_t)trial_number(&trial, "traffic.answers.good") +
	                (uint64_t)trial_number(&trial, "traffic.answers.late");

	assert_true(good == (uint64_t)trial_number(&trial, "traffic.said") && good > 0);
	assert_true(hlog_sum_tag(path_of("latency.hlog"), "uncorrected", counts, &others) > 0);
	assert_true(hlog_total(counts) == good && others > 0);
	assert_true(hlog_quantile(counts, 0.5) ==
	            (uint64_t)trial_number(&trial, "traffic.uncorrected_ns.p50"));
	hlog_sum_tag(path_of("latency.hlog"), "corrected", counts, &others);
	assert_true(hlog_total(counts) == good);
	assert_true(hlog_quantile(counts, 0.5) ==
	            (uint64_t)trial_number(&trial, "traffic.corrected_ns.p50"));
	assert_true(hlog_quantile(counts, 0.99) ==
	            (uint64_t)trial_number(&trial, "traffic.corrected_ns.p99"));
	assert_true(series_answers() == good);
	trial_end(&trial);
}

/* No answer takes less than a microsecond. */
static void too_slow(void **state)
{
	const char *const args[] = {"-n",    apart_n_text(), "--traffic", "echo", "--hold",
	                            "300ms", "--p99",        "1us",       NULL};
	struct trial trial;

	(void)state;
	trial_run(&trial, NULL, args);
	assert_int_equal(trial.code, 3);
	assert_string_equal(trial_word(&trial, "verdict"), "fail");
	assert_ptr_equal(strstr(trial_word(&trial, "reason"), "p99 "),
	                 trial_word(&trial, "reason"));
	assert_non_null(strstr(trial_word(&trial, "reason"), " is above 1.00 us (--p99)"));
	assert_int_equal(trial_number(&trial, "proved.echoed"), apart_n());
	trial_end(&trial);
}

static int set_up(void **state)
{
	snprintf(base, sizeof(base), "/tmp/megaconn-latency-XXXXXX");
	if (!mkdtemp(base))
		return -1;
	snprintf(dir, sizeof(dir), "%s/record", base);
	return apart_set_up(state);
}

static int tear_down(void **state)
{
	(void)apart_tear_down(state);
	remove_record();
	return rmdir(base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_say_the_same),
		cmocka_unit_test(too_slow),
	};

	return cmocka_run_group_tests_name("lab_latency", tests, set_up, tear_down);
}
