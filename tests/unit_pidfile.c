/* unit_pidfile: the parsers, who may claim, and real children that are ended: willing, deaf, dead,
 * and one whose file has another start time, which must never be signalled. */
#include "kernel/pidfile.h"

#include "base/clock.h"
#include "kernel/probe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

static char dir[64];
static struct pidfile file = {.what = "server", .stop = "make stop-srv"};
static struct err err;

static const struct pidfile_patience patiences[] = {
	{.term_ns = 10 * NS_PER_S, .kill_ns = 10 * NS_PER_S},
	{.term_ns = 10 * NS_PER_S, .kill_ns = 10 * NS_PER_S, .without_pidfd = true},
};

static int make_dir(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/megaconn-unit-pidfile-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(file.path, sizeof(file.path), "%s/srv.pid", dir);
	return 0;
}

/* rmdir fails where a test left anything: temporary files as well. */
static int remove_dir(void **state)
{
	(void)state;
	return rmdir(dir);
}

static void write_file(const char *text)
{
	int fd = open(file.path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static void write_process(pid_t pid, uint64_t start)
{
	char text[64];

	snprintf(text, sizeof(text), "%d %" PRIu64 "\n", pid, start);
	write_file(text);
}

static bool file_exists(void)
{
	return access(file.path, F_OK) == 0;
}

static uint64_t start_of(pid_t pid)
{
	char path[64], text[1024], name;
	uint64_t start = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	long len = probe_read_file(path, text, sizeof(text));

	assert_true(len > 0);
	assert_int_equal(pidfile_parse_stat(text, (size_t)len, &name, &start), 0);
	return start;
}

/* A child that sleeps; its name is such that it would fool a parser of /proc/PID/stat. */
static pid_t start_child(bool is_deaf)
{
	int ends[2];
	char byte;

	assert_int_equal(pipe(ends), 0);
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, "a) S 1 (b) c");
		signal(SIGTERM, is_deaf ? SIG_IGN : SIG_DFL);
		alarm(60);
		if (write(ends[1], "r", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(ends[0], &byte, 1), 1);
	close(ends[0]);
	close(ends[1]);
	return pid;
}

static int reap(pid_t pid)
{
	int status = 0;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void parse_files(void **state)
{
	static const char *const bad[] = {
		"",
		"\n",
		"1",
		"1\n",
		"1 2",
		"1 2 \n",
		"1 2\n\n",
		" 1 2\n",
		"1  2\n",
		"-1 2\n",
		"+1 2\n",
		"0 2\n",
		"2147483648 2\n",
		"99999999999999999999 2\n",
		"1 99999999999999999999\n",
		"1 2\nx",
		"x 2\n",
		"1\t2\n",
	};
	struct pidfile_process who = {.pid = 7, .start = 8};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		if (pidfile_parse(bad[i], strlen(bad[i]), &who) != -EINVAL || who.pid != 7)
			fail_msg("taken: \"%s\"", bad[i]);
	}
	assert_int_equal(pidfile_parse("1 2\0", 5, &who), -EINVAL);
	assert_int_equal(pidfile_parse("2147483647 18446744073709551615\n", 32, &who), 0);
	assert_int_equal(who.pid, INT32_MAX);
	assert_true(who.start == UINT64_MAX);
}

#define STAT_HEAD " 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 "

static void check_stat(const char *text, int expected, char state, uint64_t start)
{
	size_t len = strlen(text);
	char *exact = malloc(len > 0 ? len : 1); /* so that ASan sees a read beyond the end */
	char got_state = 0;
	uint64_t got = 0;

	assert_non_null(exact);
	for (size_t i = 0; i < len; i++)
		exact[i] = text[i];
	int rc = pidfile_parse_stat(exact, len, &got_state, &got);

	free(exact);
	if (rc != expected || (rc == 0 && (got_state != state || got != start)))
		fail_msg("\"%s\": %d, %c, %" PRIu64, text, rc, got_state, got);
}

static void parse_stats(void **state)
{
	(void)state;
	check_stat("12 (cat) R" STAT_HEAD "4242 5 6\n", 0, 'R', 4242);
	check_stat("12 (a b) S" STAT_HEAD "4242 5\n", 0, 'S', 4242);
	check_stat("12 (a) S 1 (b) c) Z" STAT_HEAD "4242 5\n", 0, 'Z', 4242);
	check_stat("12 ()) R" STAT_HEAD "1 2\n", 0, 'R', 1);
	check_stat("12 (cat) R" STAT_HEAD "4242", -EINVAL, 0, 0); /* cut: 42420? */
	check_stat("12 (cat) R" STAT_HEAD "4242\n", -EINVAL, 0, 0);
	check_stat("12 (cat) R" STAT_HEAD "-1 2\n", -EINVAL, 0, 0);
	check_stat("12 (cat) R" STAT_HEAD, -EINVAL, 0, 0);
	check_stat("12 (cat) R 1 2 3\n", -EINVAL, 0, 0);
	check_stat("12 (cat) ", -EINVAL, 0, 0);
	check_stat("12 (cat)", -EINVAL, 0, 0);
	check_stat("12 cat R" STAT_HEAD "4242 5\n", -EINVAL, 0, 0);
	check_stat("", -EINVAL, 0, 0);
	assert_true(start_of(getpid()) > 0);
}

static void claim_and_release(void **state)
{
	struct pidfile_process self, who;

	(void)state;
	assert_int_equal(pidfile_check(&file, &who, &err), PIDFILE_NONE);
	assert_int_equal(pidfile_claim(&file, &self, &err), 0);
	assert_int_equal(self.pid, getpid());
	assert_true(self.start == start_of(getpid()));
	assert_int_equal(pidfile_check(&file, &who, &err), PIDFILE_LIVE);
	assert_int_equal(who.pid, self.pid);
	assert_int_equal(pidfile_claim(&file, &who, &err), -EEXIST);
	char expected[128];

	snprintf(expected, sizeof(expected),
	         "the server already runs (pid %d): make stop-srv first", getpid());
	assert_string_equal(err.text, expected);
	who = (struct pidfile_process){.pid = self.pid, .start = self.start + 1};
	pidfile_release(&file, &who);
	assert_true(file_exists());
	pidfile_release(&file, &self);
	assert_false(file_exists());
}

static void claim_over_stale(void **state)
{
	struct pidfile_process self, who;
	pid_t pid = start_child(false);

	(void)state;
	/* Recycled: the id lives, with another start time. */
	write_process(pid, start_of(pid) + 1);
	assert_int_equal(pidfile_check(&file, &who, &err), PIDFILE_STALE);
	assert_int_equal(pidfile_claim(&file, &self, &err), 0);
	/* Dead, at first as a zombie. */
	write_process(pid, start_of(pid));
	assert_int_equal(pidfile_check(&file, &who, &err), PIDFILE_LIVE);
	assert_int_equal(pidfile_claim(&file, &self, &err), -EEXIST);
	kill(pid, SIGKILL);
	siginfo_t info;

	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(pidfile_check(&file, &who, &err), PIDFILE_STALE);
	assert_int_equal(reap(pid), SIGKILL);
	assert_int_equal(pidfile_check(&file, &who, &err), PIDFILE_STALE);
	assert_int_equal(pidfile_claim(&file, &self, &err), 0);
	pidfile_release(&file, &self);
	assert_false(file_exists());
}

static void not_ours(void **state)
{
	struct pidfile_process who;

	(void)state;
	write_file("123\n");
	assert_int_equal(pidfile_check(&file, &who, &err), -EBADMSG);
	assert_int_equal(pidfile_claim(&file, &who, &err), -EBADMSG);
	assert_int_equal(pidfile_stop(&file, &patiences[0], &who, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "is no pidfile of megaconn's"));
	assert_true(file_exists());
	unlink(file.path);
	const struct pidfile nowhere = {.path = "/none/srv.pid", .what = "server", .stop = "x"};

	assert_int_equal(pidfile_claim(&nowhere, &who, &err), -ENOENT);
	assert_string_equal(err.text, "cannot open /none: No such file or directory");
	assert_int_equal(pidfile_stop(&nowhere, &patiences[0], &who, &err), PIDFILE_NOT_RUNNING);
}

/* Many start at once, and each that wins stays alive until all have tried. */
static void one_of_many_wins(void **state)
{
	enum { MANY = 16 };
	pid_t pids[MANY];
	int go[2], stay[2], winners = 0;
	struct pidfile_process who;

	(void)state;
	assert_int_equal(pipe(go), 0);
	assert_int_equal(pipe(stay), 0);
	for (int i = 0; i < MANY; i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (pids[i] != 0)
			continue;
		char byte;

		close(go[1]);
		close(stay[1]);
		if (read(go[0], &byte, 1) != 0)
			_exit(9);
		int rc = pidfile_claim(&file, &who, NULL);

		if (rc == 0 && read(stay[0], &byte, 1) != 0)
			_exit(9);
		_exit(rc == 0 ? 1 : rc == -EEXIST ? 0 : 9);
	}
	close(go[0]);
	close(go[1]);
	/* The losers end by themselves, the winner when the pipe does. */
	for (int i = 0; i < MANY - 1; i++) {
		int status = 0;

		assert_true(waitpid(-1, &status, 0) > 0);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
	assert_int_equal(pidfile_check(&file, &who, &err), PIDFILE_LIVE);
	close(stay[0]);
	close(stay[1]);
	for (int status; waitpid(-1, &status, 0) > 0; winners++)
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	assert_int_equal(winners, 1);
	unlink(file.path);
}

static void pass_to_child(void **state)
{
	struct pidfile_process parent, who;
	int status = 0;

	(void)state;
	assert_int_equal(pidfile_claim(&file, &parent, &err), 0);
	pid_t pid = fork();

	if (pid == 0) {
		struct pidfile_process self;

		if (pidfile_pass(&file, &parent, &self, NULL) != 0 || self.pid != getpid())
			_exit(1);
		/* A second time it is not the parent's any more. */
		_exit(pidfile_pass(&file, &parent, &self, NULL) == -ESRCH ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	pidfile_release(&file, &parent);
	assert_true(file_exists());
	assert_int_equal(pidfile_check(&file, &who, &err), PIDFILE_STALE);
	assert_int_equal(who.pid, pid);
	unlink(file.path);
	assert_int_equal(pidfile_pass(&file, &parent, &who, &err), -ESRCH);
}

static void stop_willing(void **state)
{
	struct pidfile_process who;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(patiences); i++) {
		pid_t pid = start_child(false);

		write_process(pid, start_of(pid));
		assert_int_equal(pidfile_stop(&file, &patiences[i], &who, &err), PIDFILE_ENDED);
		assert_int_equal(who.pid, pid);
		assert_int_equal(reap(pid), SIGTERM);
		assert_false(file_exists());
	}
}

static void stop_deaf(void **state)
{
	struct pidfile_process who;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(patiences); i++) {
		struct pidfile_patience patience = patiences[i];
		pid_t pid = start_child(true);
		uint64_t begin = clock_now_ns();

		patience.term_ns = 200 * NS_PER_MS;
		write_process(pid, start_of(pid));
		assert_int_equal(pidfile_stop(&file, &patience, &who, &err), PIDFILE_KILLED);
		assert_true(clock_now_ns() - begin >= 200 * NS_PER_MS);
		assert_int_equal(reap(pid), SIGKILL);
		assert_false(file_exists());
	}
}

static void stop_dead(void **state)
{
	struct pidfile_process who;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(patiences); i++) {
		pid_t pid = start_child(false);
		siginfo_t info;

		write_process(pid, start_of(pid));
		kill(pid, SIGKILL);
		waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
		assert_int_equal(pidfile_stop(&file, &patiences[i], &who, &err),
		                 PIDFILE_NOT_RUNNING);
		assert_false(file_exists());
		reap(pid);
		write_process(pid, 1);
		assert_int_equal(pidfile_stop(&file, &patiences[i], &who, &err),
		                 PIDFILE_NOT_RUNNING);
		assert_int_equal(who.pid, pid);
		assert_false(file_exists());
		assert_int_equal(pidfile_stop(&file, &patiences[i], &who, &err),
		                 PIDFILE_NOT_RUNNING);
		assert_int_equal(who.pid, 0);
	}
}

/* The most important one: the id is another's now. */
static void never_another(void **state)
{
	struct pidfile_process who;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(patiences); i++) {
		pid_t pid = start_child(false);
		int status;

		for (int off = -1; off <= 1; off += 2) {
			write_process(pid, start_of(pid) + (uint64_t)off);
			assert_int_equal(pidfile_stop(&file, &patiences[i], &who, &err),
			                 PIDFILE_NOT_RUNNING);
			assert_false(file_exists());
		}
		clock_sleep_ns(100 * NS_PER_MS);
		assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
		kill(pid, SIGKILL);
		assert_int_equal(reap(pid), SIGKILL);
	}
}

static void stop_of_another_user(void **state)
{
	pid_t pid = start_child(false);
	int status = 0;

	(void)state;
	if (geteuid() != 0) {
		kill(pid, SIGKILL);
		reap(pid);
		skip();
	}
	assert_int_equal(chmod(dir, 0755), 0);
	write_process(pid, start_of(pid));
	assert_int_equal(chmod(file.path, 0644), 0);
	pid_t nobody = fork();

	if (nobody == 0) {
		struct pidfile_process who;

		if (setresgid(65534, 65534, 65534) != 0 || setresuid(65534, 65534, 65534) != 0)
			_exit(1);
		for (size_t i = 0; i < COUNT_OF(patiences); i++) {
			if (pidfile_stop(&file, &patiences[i], &who, &err) != -EPERM ||
			    !strstr(err.text, "another user's"))
				_exit(2);
		}
		_exit(0);
	}
	assert_int_equal(waitpid(nobody, &status, 0), nobody);
	assert_int_equal(status, 0);
	assert_true(file_exists());
	assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
	kill(pid, SIGKILL);
	reap(pid);
	unlink(file.path);
}

/* Runs in a child of its own, since it changes the environment. */
static void check_dir_in(const char *chosen, const char *runtime, int expected, const char *is)
{
	char got[PIDFILE_DIR_BYTES];

	setenv("MEGACONN_RUN_DIR", chosen, 1);
	setenv("XDG_RUNTIME_DIR", runtime, 1);
	err.text[0] = '\0';
	int rc = pidfile_dir(got, &err);

	if (rc != expected || (rc == 0 && strcmp(got, is) != 0))
		fail_msg("%s, %s: %d, %s %s", chosen, runtime, rc, got, err.text);
	assert_true(rc == 0 || err.text[0] != '\0');
}

static void directories(void **state)
{
	char chosen[128], inside[128], tmp[64];
	struct stat stat_of;

	(void)state;
	snprintf(chosen, sizeof(chosen), "%s/chosen", dir);
	check_dir_in(chosen, dir, 0, chosen);
	assert_int_equal(stat(chosen, &stat_of), 0);
	assert_int_equal(stat_of.st_mode & 0777, 0700);
	check_dir_in(chosen, dir, 0, chosen);
	assert_int_equal(rmdir(chosen), 0);
	check_dir_in("/none/chosen", dir, -ENOENT, "");
	check_dir_in("/dev/null", dir, -EPERM, "");

	snprintf(inside, sizeof(inside), "%s/megaconn", dir);
	check_dir_in("", dir, 0, inside);
	assert_int_equal(chmod(inside, 0770), 0);
	check_dir_in("", dir, -EPERM, "");
	assert_int_equal(chmod(inside, 0700), 0);
	if (geteuid() == 0) {
		assert_int_equal(chown(inside, 65534, 65534), 0);
		check_dir_in("", dir, -EPERM, "");
	}
	assert_int_equal(rmdir(inside), 0);
	assert_int_equal(symlink(dir, inside), 0);
	check_dir_in("", dir, -EPERM, "");
	/* A link is the user's choice where the user chose it. */
	check_dir_in(inside, dir, 0, inside);
	assert_int_equal(unlink(inside), 0);

	snprintf(tmp, sizeof(tmp), "/tmp/megaconn-%u", geteuid());
	bool was_there = access(tmp, F_OK) == 0;

	check_dir_in("", "", 0, tmp);
	check_dir_in("", "relative", 0, tmp);
	check_dir_in("", "/none", 0, tmp);
	if (!was_there)
		rmdir(tmp);
	unsetenv("MEGACONN_RUN_DIR");
	unsetenv("XDG_RUNTIME_DIR");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parse_files),       cmocka_unit_test(parse_stats),
		cmocka_unit_test(claim_and_release), cmocka_unit_test(claim_over_stale),
		cmocka_unit_test(not_ours),          cmocka_unit_test(one_of_many_wins),
		cmocka_unit_test(pass_to_child),     cmocka_unit_test(stop_willing),
		cmocka_unit_test(stop_deaf),         cmocka_unit_test(stop_dead),
		cmocka_unit_test(never_another),     cmocka_unit_test(stop_of_another_user),
		cmocka_unit_test(directories),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
