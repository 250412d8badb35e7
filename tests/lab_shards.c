/* lab_shards: four client hosts on a switch make one run to a server, each its part (--shard), all
 * from one moment on (--start-at), and what they recorded is added up (merge). */
#include "apart.h"
#include "base/clock.h"
#include "hosts.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SHARDS 4
#define SERVER "198.18.0.5:8090-8093"
#define SOURCE "198.18.1.1-8" /* two of each host */
#define APART  200            /* ms that starts may differ by, on one clock */

static char base[64]; /* of the records, in /tmp */
static char dirs[SHARDS][96], serve_dir[96], merged_dir[96];
static bool was_late; /* a host was not ready when it was to begin */

static void remove_record(const char *dir)
{
	static const char *const names[] = {"environment.json", "walls.json",  "series.ndjson",
	                                    "connect.hlog",     "result.json", "report.html",
	                                    "latency.hlog"};
	char path[160];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	rmdir(dir);
}

static int make_directories(void **state)
{
	(void)state;
	snprintf(base, sizeof(base), "/tmp/lab_shards.XXXXXX");
	if (!mkdtemp(base))
		return -1;
	for (int i = 0; i < SHARDS; i++)
		snprintf(dirs[i], sizeof(dirs[i]), "%s/%d", base, i + 1);
	snprintf(serve_dir, sizeof(serve_dir), "%s/server", base);
	snprintf(merged_dir, sizeof(merged_dir), "%s/all", base);
	return 0;
}

static int remove_directories(void **state)
{
	(void)apart_tear_down(state);
	for (int i = 0; i < SHARDS; i++)
		remove_record(dirs[i]);
	remove_record(serve_dir);
	remove_record(merged_dir);
	rmdir(base);
	return 0;
}

/* --- the run ------------------------------------------------------------------------------ */

static const char *number_of_connections(void)
{
	return trial_n("10000", "2000", "100000");
}

static int64_t n(void)
{
	return strtol(number_of_connections(), NULL, 10);
}

static void start_shard(struct trial *connect, const struct host *host, int i, const char *start_at)
{
	char shard[16];
	const char *const args[] = {SERVER,
	                            "-n",
	                            number_of_connections(),
	                            "--source",
	                            SOURCE,
	                            "--shard",
	                            shard,
	                            "--rate",
	                            "20k",
	                            "--hold",
	                            "1s",
	                            "--traffic",
	                            "echo",
	                            "--message-rate",
	                            "2000",
	                            "--start-at",
	                            start_at,
	                            "--out",
	                            dirs[i],
	                            NULL};

	snprintf(shard, sizeof(shard), "%d/%d", i + 1, SHARDS);
	host_sh(host, "ip addr add 198.18.1.%d/15 dev eth0; ip addr add 198.18.1.%d/15 dev eth0",
	        2 * i + 1, 2 * i + 2);
	apart_connect(connect, host_enter(host), args);
}

/* One line of shell's work on each host: the same but for the number. */
static void run_shards(const struct host *hosts)
{
	struct trial connect[SHARDS];
	uint64_t at_s = clock_unix_ns() / NS_PER_S + (trial_is_small() ? 8 : 4);
	int64_t at_ns = (int64_t)(at_s * NS_PER_S);
	char start_at[32];

	snprintf(start_at, sizeof(start_at), "@%llu", (unsigned long long)at_s);
	for (int i = 0; i < SHARDS; i++)
		start_shard(&connect[i], &hosts[i], i, start_at);
	for (int i = 0; i < SHARDS; i++) {
		trial_wait(&connect[i], 90);
		trial_assert_code(&connect[i], 0);
		was_late = was_late || strstr(connect[i].err, "after the time of --start-at");
		assert_true(trial_number(&connect[i], "timing.started_unix_ns") >= at_ns);
		assert_int_equal(trial_number(&connect[i], "target"), n() / SHARDS);
		assert_int_equal(trial_number(&connect[i], "proved.echoed"), n() / SHARDS);
		assert_int_equal(trial_number(&connect[i], "source_ips"), 2);
		assert_int_equal(trial_number(&connect[i], "shard.first"), i * n() / SHARDS);
		trial_end(&connect[i]);
	}
}

/* --- what it came to ---------------------------------------------------------------------- */

static void merge(struct trial *trial, const char *const *args, int code)
{
	trial_start_command(trial, "merge", NULL, args);
	trial_wait(trial, 30);
	trial_assert_code(trial, code);
	assert_non_null(trial->result);
}

static void assert_reason(const struct trial *trial, const char *words)
{
	if (!strstr(trial_word(trial, "reason"), words))
		fail_msg("%s", trial_word(trial, "reason"));
}

/* Where more processes want to run than there are CPUs, one wakes when it is let. */
static bool has_time(void)
{
	double load;

	return !was_late && getloadavg(&load, 1) == 1 &&
	       load < 2.0 * (double)sysconf(_SC_NPROCESSORS_ONLN);
}

static void assert_whole(void)
{
	const char *const args[] = {dirs[2],   dirs[0], dirs[3],    dirs[1],
	                            serve_dir, "--out", merged_dir, NULL};
	struct trial all;

	merge(&all, args, 0);
	assert_string_equal(trial_word(&all, "verdict"), "pass");
	assert_int_equal(trial_number(&all, "target"), n());
	assert_int_equal(trial_number(&all, "established.client"), n());
	assert_int_equal(trial_number(&all, "established.server"), n());
	assert_int_equal(trial_number(&all, "established.kernel"), n());
	assert_int_equal(trial_number(&all, "proved_ramp.echoed"), n());
	assert_int_equal(trial_number(&all, "proved.echoed"), n());
	assert_int_equal(trial_number(&all, "source_ips"), 2 * SHARDS);
	assert_true(trial_number(&all, "timing.connect_ns.p99") > 0);
	assert_true(trial_number(&all, "stages.0.traffic.corrected_ns.p99") > 0);
	assert_int_equal(trial_number(&all, "stages.0.traffic.corrected_ns.count"),
	                 trial_number(&all, "stages.0.traffic.said"));
	assert_string_equal(trial_word(&all, "merged.shards.3.verdict"), "pass");
	assert_int_equal(trial_number(&all, "merged.missing.0"), -1);
	if (trial_word(&all, "merged.notes.0")[0] != '\0')
		fail_msg("%s", trial_word(&all, "merged.notes.0"));
	assert_true(trial_number(&all, "merged.starts_within_ns") >= 0);
	if (has_time())
		assert_true(trial_number(&all, "merged.starts_within_ns") <
		            (int64_t)(APART * NS_PER_MS));
	assert_non_null(strstr(all.out, "shards       4 of 4"));
	trial_end(&all);
}

/* The merged record is one that a report is drawn of; and no part of another merge. */
static void assert_record(void)
{
	const char *const args[] = {merged_dir, dirs[1], NULL};
	char path[160];
	struct trial again;

	snprintf(path, sizeof(path), "%s/report.html", merged_dir);
	assert_int_equal(access(path, R_OK), 0);
	trial_start_command(&again, "merge", NULL, args);
	trial_wait(&again, 30);
	trial_assert_code(&again, 2);
	assert_non_null(strstr(again.err, "merged already"));
	trial_end(&again);
}

static void assert_one_missing(void)
{
	const char *const args[] = {dirs[0], dirs[1], dirs[3], NULL};

	struct trial trial;

	merge(&trial, args, 1);
	assert_reason(&trial, "shard 3 of 4 is missing: indexes ");

	assert_int_equal(trial_number(&trial, "merged.missing.0"), 3);
	assert_int_equal(trial_number(&trial, "established.client"), n() / 4 * 3);
	trial_end(&trial);
}

static void assert_one_twice(void)
{
	const char *const args[] = {dirs[0], dirs[1], dirs[2], dirs[3], dirs[1], NULL};
	struct trial trial;

	merge(&trial, args, 1);
	assert_reason(&trial, "shard 2 is there twice");
	assert_int_equal(trial_number(&trial, "established.client"), n());
	trial_end(&trial);
}

static void four_hosts_make_one_run(void **state)
{
	struct host hosts[SHARDS + 2];
	const char *const serving[] = {"--listen", SERVER, "--out", serve_dir, NULL};
	struct trial serve;

	(void)state;
	hosts_need();
	hosts_lan(hosts, SHARDS + 1);
	apart_serve(&serve, host_enter(&hosts[SHARDS]), serving);
	run_shards(hosts);
	apart_stop(&serve, SIGTERM, 0);
	apart_assert_served(&serve, n(), 2 * n());
	trial_end(&serve);
	assert_whole();
	assert_record();
	assert_one_missing();
	assert_one_twice();
}

/* --- what is refused ---------------------------------------------------------------------- */

static void mistakes_are_named(void **state)
{
	static const struct apart_mistake connect[] = {
		{{"127.0.0.1:9", "--shard", "0/4"}, 2, "shards are numbered from 1 to 4"},
		{{"127.0.0.1:9", "--shard", "3"}, 2, "not a shard (try 3/20"},
		{{"127.0.0.1:9", "--shard", "1/4097"}, 2, "of 1 to 4096 shards"},
		{{"127.0.0.1:9", "--shard", "1/4", "--source", "127.0.0.2-4"},
	         2,
	         "3 addresses for 4 shards"},
		{{"127.0.0.1:9", "--shard", "1/4", "-n", "3"}, 2, "none of 3 connections"},
		{{"127.0.0.1:9", "--shard", "1/4", "--rate", "3"}, 2, "leaves none for this one"},
		{{"127.0.0.1:9", "--shard", "1/4", "--find-max"}, 2, "not with --shard"},
		{{"127.0.0.1:9", "--start-at", "yesterday"}, 2, "not a time"},
		{{"127.0.0.1:9", "--start-at", "@1"}, 2, "ago"},
		{{"127.0.0.1:9", "--start-at", "+25h"}, 2, "at most 24 hours ahead"},
		{{"127.0.0.1:9", "--start-at", "+1s", "--find-max"}, 2, "not with --start-at"},
	};
	static const struct apart_mistake merge_[] = {
		{{NULL}, 2, "which records?"},
		{{"/nowhere"}, 2, "No such file"},
		{{"/dev/null"}, 2, "not a file"},
		{{"/tmp"}, 2, "no record of a run"},
	};

	(void)state;
	apart_assert_mistakes("connect", connect, sizeof(connect) / sizeof(connect[0]));
	apart_assert_mistakes("merge", merge_, sizeof(merge_) / sizeof(merge_[0]));
}

/* Ctrl-C ends the wait: nothing was opened. */
static void a_wait_is_interrupted(void **state)
{
	static const char *const args[] = {"-n", "100", "--start-at", "+1h", NULL};
	struct trial trial;

	(void)state;
	trial_start(&trial, NULL, args);
	trial_wait_text(&trial, "start in ", 60);
	kill(trial.pid, SIGINT);
	trial_wait(&trial, 30);
	trial_assert_code(&trial, 130);
	assert_int_equal(trial_number(&trial, "established.client"), 0);
	trial_assert_no_process_left(&trial);
	trial_end(&trial);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(four_hosts_make_one_run, make_directories,
	                                        remove_directories),
		APART_TEST(mistakes_are_named),
		APART_TEST(a_wait_is_interrupted),
	};

	return cmocka_run_group_tests_name("lab_shards", tests, apart_set_up, NULL);
}
