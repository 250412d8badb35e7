/* lab_record: the directory that a run leaves (--out): what is in it, that it is the run's, what is
 * left of it when the run is killed, and where there can be none. */
#include "apart.h"
#include "base/figure.h"
#include "hlog.h"
#include "out/series.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define COUNT_OF(a)  (sizeof(a) / sizeof((a)[0]))
#define LINES_MOST   100
#define HERE         "127.0.0.1:28800"
#define PERCENT_MOST 1.0079 /* a bucket's bound is at most 1 part in 128 above what is in it */

static char base[64]; /* of this test's, in /tmp */
static char dir[128]; /* of the record           */
static bool was_root; /* not of a user namespace */

/* What a test looks at of each line. */
static struct seen {
	enum live_phase phase;
	uint64_t at_ns, unix_ns, clients, servers, connected, accepted, proved, established, count,
		p50_ns, p99_ns, max_ns, kernel_each_bytes, user_bytes;
} seen[LINES_MOST];
static int lines;
static bool is_half; /* the last line is not whole */
static uint64_t counts[HIST_BUCKETS];

/* --- the directory -------------------------------------------------------------------------- */

static const char *path_of(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static bool is_there(const char *name)
{
	return access(path_of(name), F_OK) == 0;
}

static void remove_record(void)
{
	static const char *const names[] = {"environment.json", "walls.json",  "series.ndjson",
	                                    "connect.hlog",     "result.json", "report.html",
	                                    "latency.hlog"};

	for (size_t i = 0; i < COUNT_OF(names); i++)
		unlink(path_of(names[i]));
	rmdir(dir);
}

static int new_directory(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "%s/record", base);
	return 0;
}

static int remove_directory(void **state)
{
	(void)apart_tear_down(state);
	remove_record();
	return 0;
}

static void see(const char *line, size_t len)
{
	static struct sample sample;
	struct seen *one = &seen[lines];

	is_half = series_read(line, len, &sample) != 0;
	if (is_half)
		return;
	assert_true(sample.has_run);
	assert_true(lines < LINES_MOST);
	*one = (struct seen){
		.phase = sample.run.phase,
		.at_ns = sample.at_ns,
		.unix_ns = sample.unix_ns,
		.clients = sample.run.clients_open,
		.servers = sample.run.servers_open,
		.connected = sample.run.connected,
		.accepted = sample.run.accepted,
		.proved = sample.run.proved,
		.established = sample.tcp.curr_estab,
		.count = sample.connect.count,
		.p50_ns = hist_quantile(&sample.connect, 0.5),
		.p99_ns = hist_quantile(&sample.connect, 0.99),
		.max_ns = sample.connect.max_ns,
		.kernel_each_bytes = sample.run.kernel_bytes_per_connection,
		.user_bytes = sample.run.user_bytes,
	};
	assert_true(lines == 0 || one->at_ns > one[-1].at_ns);
	lines++;
}

/* All lines; only the last one may be half. */
static void read_series(void)
{
	static char line[SERIES_LINE_MOST];
	FILE *file = fopen(path_of("series.ndjson"), "re");

	assert_non_null(file);
	lines = 0;
	is_half = false;
	while (fgets(line, sizeof(line), file)) {
		assert_false(is_half);
		see(line, strlen(line));
	}
	fclose(file);
}

static json_t *read_json(const char *name, const char *schema)
{
	json_t *root = json_load_file(path_of(name), JSON_REJECT_DUPLICATES, NULL);

	assert_non_null(root);
	assert_string_equal(json_string_value(json_object_get(root, "schema")), schema);
	return root;
}

/* Words of the command that it was called with. */
static bool has_word(const json_t *root, const char *word)
{
	size_t i;
	json_t *one;

	json_array_foreach (json_object_get(root, "command"), i, one) {
		if (strcmp(json_string_value(one), word) == 0)
			return true;
	}
	return false;
}

static int64_t number_at(const json_t *root, const char *object, const char *key)
{
	return json_integer_value(json_object_get(json_object_get(root, object), key));
}

/* Of no machine and no user the name. */
static void assert_environment(const char *command)
{
	json_t *root = read_json("environment.json", "megaconn.environment/1");
	char host[256], nofile[32];
	struct stat st;

	assert_true(has_word(root, command) && has_word(root, "--out") && has_word(root, dir));
	assert_true(number_at(root, "cpu", "allowed") == sysconf(_SC_NPROCESSORS_ONLN));
	assert_true(number_at(root, "limits", "page_bytes") == sysconf(_SC_PAGESIZE));
	assert_true(json_is_object(json_object_get(root, "mitigations")));
	json_t *settings = json_object_get(root, "sysctls");
	json_t *nr_open = json_object_get(settings, "fs.nr_open");

	snprintf(nofile, sizeof(nofile), "%lld", (long long)number_at(root, "limits", "nr_open"));
	assert_string_equal(json_string_value(nr_open), nofile);
	assert_true(json_object_size(settings) > 30);
	assert_int_equal(gethostname(host, sizeof(host)), 0);
	assert_null(json_object_get(root, "hostname"));
	json_decref(root);
	assert_int_equal(stat(path_of("environment.json"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
}

/* The same as what --json wrote. */
static void assert_result(const struct trial *trial)
{
	json_t *root = read_json("result.json", "megaconn.result/1");

	assert_true(json_equal(root, trial->result));
	json_decref(root);
}

static void assert_walls(int64_t n)
{
	json_t *root = read_json("walls.json", "megaconn.doctor/1");

	assert_true(json_integer_value(json_object_get(root, "n")) == n);
	assert_true(json_array_size(json_object_get(root, "rows")) > 20);
	json_decref(root);
}

/* Log, series and result say the same of the time that connecting took. */
static void assert_connects(const struct trial *trial, uint64_t n)
{
	const struct seen *last = &seen[lines - 1];

	assert_true(hlog_sum(path_of("connect.hlog"), counts) > 0);
	assert_true(hlog_total(counts) == n && last->count == n && last->connected == n);
	assert_true(hlog_quantile(counts, 0.5) == last->p50_ns);
	assert_true(last->p50_ns == (uint64_t)trial_number(trial, "timing.connect_ns.p50"));
	assert_true(last->p99_ns == (uint64_t)trial_number(trial, "timing.connect_ns.p99"));
	assert_true(last->max_ns == (uint64_t)trial_number(trial, "timing.connect_ns.max"));
	assert_true(hlog_quantile(counts, 1) >= last->max_ns);
	assert_true((double)hlog_quantile(counts, 1) <= (double)last->max_ns * PERCENT_MOST);
}

/* --- what is in it -------------------------------------------------------------------------- */

/* Phases in their order, each there; those of a lab have two proofs. */
static void assert_phases(const enum live_phase *phases, size_t count)
{
	size_t at = 0;

	for (int i = 0; i < lines; i++) {
		if (seen[i].phase == phases[at])
			continue;
		at++;
		assert_true(at < count);
		assert_int_equal(seen[i].phase, phases[at]);
	}
	assert_int_equal(at, count - 1);
}

/* The last line of the first row of lines of that phase. */
static const struct seen *last_of(enum live_phase phase)
{
	int i = 0;

	while (i + 1 < lines && (seen[i].phase != phase || seen[i + 1].phase == phase))
		i++;
	assert_int_equal(seen[i].phase, phase);
	return &seen[i];
}

/* Once a second and as each phase begins, by both clocks. */
static void assert_times(uint64_t holds)
{
	for (int i = 0; i < lines; i++) {
		uint64_t passed_ns = seen[i].at_ns - seen[0].at_ns;
		uint64_t passed_unix_ns = seen[i].unix_ns - seen[0].unix_ns;

		holds -= seen[i].phase == LIVE_HOLD;
		assert_true(passed_unix_ns + 100000000 > passed_ns);
		assert_true(passed_unix_ns < passed_ns + 100000000);
	}
	assert_true(holds == 0);
}

static void of_a_lab(void **state)
{
	static const enum live_phase phases[] = {LIVE_START, LIVE_RAMP,  LIVE_PROOF,
	                                         LIVE_HOLD,  LIVE_PROOF, LIVE_CLOSE};
	const char *const args[] = {"-n", apart_n_text(), "--hold", "1200ms", "--out", dir, NULL};
	uint64_t n = (uint64_t)apart_n();
	struct trial trial;

	(void)state;
	trial_run(&trial, NULL, args);
	trial_assert_passed(&trial, apart_n());
	assert_environment("lab");
	assert_result(&trial);
	assert_walls(apart_n());
	read_series();
	assert_false(is_half);
	assert_phases(phases, COUNT_OF(phases));
	assert_times(2);
	const struct seen *hold = last_of(LIVE_HOLD), *last = &seen[lines - 1];

	assert_true(hold->clients == n && hold->servers == n);
	assert_true(hold->connected == n && hold->accepted == n && hold->proved == n);
	if (strcmp(trial_word(&trial, "network"), "host") != 0)
		assert_true(hold->established == 2 * n);
	assert_true(last->clients == 0 && last->servers == 0 && last->proved == 2 * n);
	assert_true(seen[0].kernel_each_bytes == PROBE_UNKNOWN);
	assert_true(seen[0].user_bytes == PROBE_UNKNOWN && last->user_bytes > 0);
	assert_connects(&trial, n);
	assert_true(is_there("report.html"));
	assert_non_null(strstr(trial.err, path_of("report.html")));
	trial_end(&trial);
}

static void of_serve_and_connect(void **state)
{
	static const enum live_phase serves[] = {LIVE_START, LIVE_SERVE, LIVE_CLOSE};
	char of_serve[sizeof(dir)];
	struct trial serve, connect;

	(void)state;
	snprintf(of_serve, sizeof(of_serve), "%s/serve", base);
	apart_serve(&serve, NULL, (const char *const[]){"--listen", HERE, "--out", of_serve, NULL});
	apart_run(&connect, NULL,
	          (const char *const[]){HERE, "-n", apart_n_text(), "--hold", "0s", "--out", dir,
	                                NULL});
	apart_assert_proved(&connect, apart_n());
	assert_environment("connect");
	assert_result(&connect);
	assert_walls(apart_n());
	read_series();
	assert_connects(&connect, (uint64_t)apart_n());
	trial_end(&connect);
	remove_record();

	apart_stop(&serve, SIGTERM, 0);
	snprintf(dir, sizeof(dir), "%s", of_serve);
	assert_environment("serve");
	assert_result(&serve);
	read_series();
	assert_phases(serves, COUNT_OF(serves));
	assert_true(seen[lines - 1].accepted == (uint64_t)apart_n());
	assert_false(is_there("connect.hlog"));
	trial_end(&serve);
}

/* --- what is left of it --------------------------------------------------------------------- */

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Kills a run that has held for so long: all up to the last second is there. */
static void kill_and_look(bool all, unsigned int ms)
{
	const char *const args[] = {"-n", apart_n_text(), "--hold", "60s", "--out", dir, NULL};
	struct trial trial;

	trial_start(&trial, NULL, args);
	trial_wait_text(&trial, "hold ", 20);
	apart_sleep(ms);
	uint64_t killed_ns = now_ns();

	assert_int_equal(kill(all ? -trial.pid : trial.pid, SIGKILL), 0);
	trial_wait(&trial, 20);
	assert_int_equal(trial.code, 128 + SIGKILL);
	trial_assert_no_process_left(&trial);
	read_series();
	assert_false(is_half);
	const struct seen *last = &seen[lines - 1];

	assert_int_equal(last->phase, LIVE_HOLD);
	assert_true(last->clients == (uint64_t)apart_n());
	assert_true(last->unix_ns < killed_ns && killed_ns - last->unix_ns < 1500000000);
	assert_true(hlog_sum(path_of("connect.hlog"), counts) > 0);
	assert_true(hlog_total(counts) == (uint64_t)apart_n());
	assert_false(is_there("result.json"));
	assert_true(is_there("walls.json"));
	assert_environment("lab");
	trial_end(&trial);
}

static void supervisor_is_killed(void **state)
{
	(void)state;
	kill_and_look(false, 1200);
}

static void all_are_killed(void **state)
{
	(void)state;
	kill_and_look(true, 100);
}

/* An interrupt before anything is opened: it is a run that was interrupted, not a record of nothing
 * in the way of the next one. */
static void interrupted_at_once(void **state)
{
	const char *const args[] = {"-n", "100", "--hold", "60s", "--out", dir, NULL};
	struct trial trial;

	(void)state;
	trial_start(&trial, NULL, args);
	for (int i = 0; i < 20000 && !is_there("environment.json"); i++)
		usleep(500);
	assert_int_equal(kill(trial.pid, SIGINT), 0);
	trial_wait(&trial, 20);
	trial_assert_code(&trial, 130);
	assert_non_null(trial.result);
	assert_environment("lab");
	assert_result(&trial);
	assert_true(is_there("report.html"));
	trial_assert_no_process_left(&trial);
	trial_end(&trial);
}

/* --- where there can be none ---------------------------------------------------------------- */

static void assert_refused(const char *where, const char *says, trial_prepare prepare)
{
	const char *const args[] = {"-n", "10", "--hold", "0s", "--out", where, NULL};
	struct trial trial;

	trial_run(&trial, prepare, args);
	trial_assert_code(&trial, 4);
	if (!strstr(trial.err, says) || strchr(trial.err, '\n') != strrchr(trial.err, '\n'))
		fail_msg("not one line with '%s': %s", says, trial.err);
	assert_null(trial.result);
	trial_end(&trial);
}

static void make_file(const char *path, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);

	assert_true(fd >= 0);
	close(fd);
}

/* Whatever is there of a record stays as it is; other files are none. */
static void there_is_one(void **state)
{
	const char *const args[] = {"-n", "10", "--hold", "0s", "--out", dir, NULL};
	char other[256];
	struct trial trial;

	(void)state;
	assert_int_equal(mkdir(dir, 0755), 0);
	snprintf(other, sizeof(other), "%s", path_of("notes.txt"));
	make_file(other, 0644);
	make_file(path_of("result.json"), 0644);
	assert_refused(dir, "has the record of a run", NULL);
	assert_false(is_there("environment.json") || is_there("series.ndjson"));
	unlink(path_of("result.json"));
	trial_run(&trial, NULL, args);
	trial_assert_code(&trial, 0);
	trial_end(&trial);
	assert_refused(dir, "choose another directory, or remove it", NULL);
	unlink(other);
}

static void nowhere(void **state)
{
	char where[256];

	(void)state;
	snprintf(where, sizeof(where), "%s/not/there", base);
	assert_refused(where, "the directory above it must exist", NULL);
	assert_refused("", "names no directory", NULL);
	make_file(dir, 0644);
	assert_refused(dir, "Not a directory", NULL);
	assert_int_equal(unlink(dir), 0);
	assert_int_equal(mkdir(dir, 0500), 0);
	snprintf(where, sizeof(where), "%s/in", dir);
	if (!was_root)
		apart_skip("the last two need another user");
	assert_refused(where, "Permission denied", trial_become_nobody);
	assert_refused(dir, "Permission denied", trial_become_nobody);
}

/* Options that are found to be wrong only when the run is planned: it leaves nothing. */
static void usage(void **state)
{
	struct trial trial;
	const char *const args[] = {"-n", "10", "--ports", "8090-8091", "--out", dir, NULL};

	(void)state;
	trial_run(&trial, NULL, args);
	trial_assert_code(&trial, 2);
	assert_int_equal(access(dir, F_OK), -1);
	trial_end(&trial);
}

static void refused(void **state)
{
	struct trial trial;
	const char *const args[] = {"-n",          "5000",  "--solution", "2", "--ports",
	                            "20000-20000", "--out", dir,          NULL};

	(void)state;
	trial_run(&trial, NULL, args);
	trial_assert_code(&trial, 4);
	assert_environment("lab");
	assert_result(&trial);
	assert_true(is_there("walls.json"));
	read_series();
	assert_int_equal(lines, 0);
	trial_end(&trial);
}

/* Room for two small files and a part of a third. In a child, which has a mount namespace of its
 * own. */
static void fill_disk(void)
{
	const char *const args[] = {"-n", "100", "--hold", "0s", "--out", dir, NULL};
	struct trial trial;

	trial_run(&trial, NULL, args);
	trial_assert_code(&trial, 1);
	assert_string_equal(trial_word(&trial, "verdict"), "pass");
	assert_int_equal(apart_count(&trial, "this record will not be whole"), 1);
	assert_int_equal(apart_count(&trial, "No space left on device"), 1);
	assert_false(is_there("result.json") || is_there("result.json.part"));
	assert_false(is_there("report.html"));
	read_series();
	assert_true(lines >= 1 && !is_half);
	trial_end(&trial);
}

static void disk_is_full(void **state)
{
	int status = 1;

	(void)state;
	if (geteuid() != 0 || mkdir(dir, 0755) != 0)
		apart_skip("only root can mount a small file system");
	pid_t pid = fork();

	if (pid == 0) {
		if (unshare(CLONE_NEWNS) != 0 ||
		    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
		    mount("small", dir, "tmpfs", 0, "size=28k") != 0)
			_exit(2);
		fill_disk();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 2)
		apart_skip("no mount namespaces here");
	assert_int_equal(status, 0);
}

/* --- the reader of others ------------------------------------------------------------------- */

static void read_by_others(void **state)
{
	const char *const args[] = {"-n", "100k", "--hold", "0s", "--out", dir, NULL};
	struct trial trial;

	(void)state;
	if (!trial_is_full())
		apart_skip("only in make test-full");
	trial_run(&trial, NULL, args);
	trial_assert_passed(&trial, 100000);
	trial_end(&trial);
	hlog_sum(path_of("connect.hlog"), counts);
	hlog_assert_others(path_of("connect.hlog"), counts);
}

static int set_up(void **state)
{
	snprintf(base, sizeof(base), "/tmp/megaconn-record-XXXXXX");
	was_root = geteuid() == 0;
	if (!mkdtemp(base) || chmod(base, 0755) != 0)
		return -1;
	return apart_set_up(state);
}

static int tear_down(void **state)
{
	(void)state;
	return rmdir(base);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, new_directory, remove_directory)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(of_a_lab),
		TEST(of_serve_and_connect),
		TEST(supervisor_is_killed),
		TEST(all_are_killed),
		TEST(interrupted_at_once),
		TEST(there_is_one),
		TEST(nowhere),
		TEST(usage),
		TEST(refused),
		TEST(disk_is_full),
		TEST(read_by_others),
	};

	return cmocka_run_group_tests_name("lab_record", tests, set_up, tear_down);
}
