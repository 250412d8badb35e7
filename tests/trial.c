/* trial: starts the program the way a user does, and looks at it from outside. */
#include "trial.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SOCKETS_OF_OTHERS 100 /* that may come on this machine meanwhile */

/* No process is left after 5 s. Sockets of a killed million are freed by one kernel thread, for
 * longer. */
#define PROCESSES_LEFT_MS 5000
#define SOCKETS_LEFT_MS   (trial_is_full() ? 20000 : 5000)

static void nap(long ms)
{
	const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	nanosleep(&pause, NULL);
}

const char *trial_program(void)
{
	static char path[4096];
	const char *program = getenv("MEGACONN");

	return realpath(program ? program : "build/megaconn", path) ? path : NULL;
}

/* `file`: the operand before all options, or NULL. */
static void become_program(const struct trial *trial, const char *command, const char *file,
                           trial_prepare prepare, const char *const *args)
{
	const char *path = trial_program();
	char *argv[TRIAL_ARGS_MOST + 6];
	size_t count = 0;
	static char option[] = "--json";

	if (!path)
		_exit(126);
	argv[count++] = strdup(path);
	argv[count++] = strdup(command);
	if (file)
		argv[count++] = strdup(file);
	argv[count++] = option;
	argv[count++] = strdup(trial->json_path);
	for (size_t i = 0; args[i]; i++)
		argv[count++] = strdup(args[i]);
	argv[count] = NULL;
	dup2(trial->out_fd, STDOUT_FILENO);
	dup2(trial->err_fd, STDERR_FILENO);
	setenv("MEGACONN_TRIAL", trial->json_path, 1);
	int program_fd = open(path, O_RDONLY | O_CLOEXEC);

	setpgid(0, 0); /* so that a test can signal it with all that it forked */
	if (prepare)
		prepare();
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that is ended leaves nothing running */
	/* By descriptor, since nobody may not be able to walk to it. */
	fexecve(program_fd, argv, environ);
	_exit(127);
}

static void start(struct trial *trial, const char *command, const char *file, trial_prepare prepare,
                  const char *const *args)
{
	static unsigned int number;

	memset(trial, 0, sizeof(*trial));
	snprintf(trial->json_path, sizeof(trial->json_path), "/tmp/megaconn-test-%d-%u.json",
	         getpid(), number++);
	trial->err_fd = memfd_create("err", 0);
	trial->out_fd = memfd_create("out", 0);
	assert_true(trial->err_fd >= 0 && trial->out_fd >= 0);
	trial->pid = fork();
	assert_true(trial->pid >= 0);
	if (trial->pid == 0)
		become_program(trial, command, file, prepare, args);
}

void trial_start_command(struct trial *trial, const char *command, trial_prepare prepare,
                         const char *const *args)
{
	start(trial, command, NULL, prepare, args);
}

void trial_start_scenario(struct trial *trial, const char *file, trial_prepare prepare,
                          const char *const *args)
{
	start(trial, "run", file, prepare, args);
}

void trial_start(struct trial *trial, trial_prepare prepare, const char *const *args)
{
	trial_start_command(trial, "lab", prepare, args);
}

static void read_text(int fd, char *text)
{
	ssize_t count = pread(fd, text, TRIAL_TEXT_BYTES - 1, 0);

	text[count > 0 ? count : 0] = '\0';
}

void trial_wait(struct trial *trial, unsigned int seconds)
{
	int status = 0;
	pid_t ended = 0;

	for (unsigned int i = 0; i < seconds * 100 && ended == 0; i++) {
		ended = waitpid(trial->pid, &status, WNOHANG);
		if (ended == 0)
			nap(10);
	}
	if (ended == 0) {
		kill(trial->pid, SIGKILL);
		waitpid(trial->pid, &status, 0);
	}
	trial->code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	read_text(trial->err_fd, trial->err);
	read_text(trial->out_fd, trial->out);
	trial->result = json_load_file(trial->json_path, 0, NULL);
	if (ended == 0)
		fail_msg("not ended after %u s: %s", seconds, trial->err);
}

void trial_run(struct trial *trial, trial_prepare prepare, const char *const *args)
{
	trial_start(trial, prepare, args);
	trial_wait(trial, 150);
}

void trial_end(struct trial *trial)
{
	json_decref(trial->result);
	unlink(trial->json_path);
	close(trial->err_fd);
	close(trial->out_fd);
}

static json_t *find(const struct trial *trial, const char *path)
{
	char copy[128];
	char *rest = copy, *key;
	json_t *at = trial->result;

	snprintf(copy, sizeof(copy), "%s", path);
	while (at && (key = strsep(&rest, ".")) != NULL)
		at = json_is_array(at) ? json_array_get(at, strtoul(key, NULL, 10))
		                       : json_object_get(at, key);
	return at;
}

int64_t trial_number(const struct trial *trial, const char *path)
{
	json_t *at = find(trial, path);

	return json_is_integer(at) ? (int64_t)json_integer_value(at) : -1;
}

double trial_real(const struct trial *trial, const char *path)
{
	json_t *at = find(trial, path);

	return json_is_number(at) ? json_number_value(at) : -1;
}

const char *trial_word(const struct trial *trial, const char *path)
{
	const char *word = json_string_value(find(trial, path));

	return word ? word : "";
}

void trial_assert_code(const struct trial *trial, int code)
{
	if (trial->code != code)
		fail_msg("exit code %d, not %d\n%s%s", trial->code, code, trial->err, trial->out);
}

void trial_assert_passed(const struct trial *trial, int64_t n)
{
	trial_assert_code(trial, 0);
	assert_non_null(trial->result);
	assert_string_equal(trial_word(trial, "schema"), "megaconn.result/1");
	assert_string_equal(trial_word(trial, "verdict"), "pass");
	assert_int_equal(trial_number(trial, "target"), n);
	assert_int_equal(trial_number(trial, "established.client"), n);
	assert_int_equal(trial_number(trial, "established.server"), n);
	assert_int_equal(trial_number(trial, "established.kernel"), n);
	assert_int_equal(trial_number(trial, "failed.total"), 0);
	assert_int_equal(trial_number(trial, "lost"), 0);
	for (int i = 0; i < 2; i++) {
		const char *round = i == 0 ? "proved_ramp" : "proved";
		char path[64];

		snprintf(path, sizeof(path), "%s.sent", round);
		assert_int_equal(trial_number(trial, path), n);
		snprintf(path, sizeof(path), "%s.echoed", round);
		assert_int_equal(trial_number(trial, path), n);
		snprintf(path, sizeof(path), "%s.server_echoed", round);
		assert_int_equal(trial_number(trial, path), n);
		snprintf(path, sizeof(path), "%s.mismatched", round);
		assert_int_equal(trial_number(trial, path), 0);
		snprintf(path, sizeof(path), "%s.differing", round);
		assert_int_equal(trial_number(trial, path), 0);
	}
}

/* Reads a file of /proc/PID; an empty text where it is gone. Returns its length. */
static size_t read_proc(const char *pid, const char *file, char *text, size_t size)
{
	char path[300];

	text[0] = '\0';
	snprintf(path, sizeof(path), "/proc/%s/%s", pid, file);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return 0;
	ssize_t count = read(fd, text, size - 1);

	text[count > 0 ? count : 0] = '\0';
	close(fd);
	return count > 0 ? (size_t)count : 0;
}

/* Processes of a trial are known by a variable in their environment, which forks inherit: others
 * may run the same program on this machine. */
static bool is_of(const struct trial *trial, const char *pid)
{
	static char environment[65536];
	size_t mark_len = strlen(trial->json_path);
	size_t len = read_proc(pid, "environ", environment, sizeof(environment));

	return memmem(environment, len, trial->json_path, mark_len) != NULL;
}

int trial_pids(const struct trial *trial, const char *prefix, pid_t *pids, int most)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	char name[64];
	int count = 0;

	assert_non_null(proc);
	while ((entry = readdir(proc)) != NULL) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

		if (pid <= 0)
			continue;
		read_proc(entry->d_name, "comm", name, sizeof(name));
		if (strncmp(name, prefix, strlen(prefix)) != 0 || !is_of(trial, entry->d_name))
			continue;
		if (count < most)
			pids[count] = pid;
		count++;
	}
	closedir(proc);
	return count;
}

pid_t trial_find(const struct trial *trial, const char *name)
{
	pid_t found = 0;

	for (int i = 0; i < 1000; i++) {
		if (trial_pids(trial, name, &found, 1) > 0)
			return found;
		nap(10);
	}
	fail_msg("no process %s", name);
	return 0;
}

static bool has_ended(pid_t pid)
{
	siginfo_t info = {.si_pid = 0};

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
	       info.si_pid != 0;
}

void trial_wait_text(struct trial *trial, const char *text, unsigned int seconds)
{
	for (unsigned int i = 0; i < seconds * 100; i++) {
		read_text(trial->err_fd, trial->err);
		if (strstr(trial->err, text))
			return;
		if (has_ended(trial->pid))
			break;
		nap(10);
	}
	fail_msg("no '%s' in: %s", text, trial->err);
}

int64_t trial_tcp_alloc(void)
{
	char text[1024];

	read_proc("self", "net/sockstat", text, sizeof(text));
	const char *at = strstr(text, " alloc ");

	return at ? strtol(at + 7, NULL, 10) : -1;
}

/* Returns after how many milliseconds none was left. */
static int wait_no_process(const struct trial *trial)
{
	pid_t found = 0;
	int ms = 0;

	for (; trial_pids(trial, "", &found, 1) > 0; ms += 10) {
		if (ms >= PROCESSES_LEFT_MS)
			fail_msg("process %d is left after %d ms", found, ms);
		nap(10);
	}
	return ms;
}

void trial_assert_no_process_left(const struct trial *trial)
{
	wait_no_process(trial);
}

void trial_assert_nothing_left(const struct trial *trial, int64_t alloc)
{
	int ms = wait_no_process(trial);

	for (; trial_tcp_alloc() > alloc + SOCKETS_OF_OTHERS; ms += 10) {
		if (ms >= SOCKETS_LEFT_MS)
			fail_msg("%lld sockets more than before after %d ms",
			         (long long)(trial_tcp_alloc() - alloc), ms);
		nap(10);
	}
}

bool trial_is_small(void)
{
	const char *value = getenv("SMALL");

	return value && value[0] != '\0';
}

bool trial_is_full(void)
{
	const char *value = getenv("FULL");

	return value && value[0] != '\0';
}

const char *trial_n(const char *normal, const char *small, const char *full)
{
	return trial_is_full() ? full : trial_is_small() ? small : normal;
}

bool trial_is_root(void)
{
	return geteuid() == 0 && access("/proc/1/environ", R_OK) == 0;
}

void trial_become_nobody(void)
{
	if (geteuid() != 0)
		return;
	if (setgroups(0, NULL) != 0 || setresgid(65534, 65534, 65534) != 0 ||
	    setresuid(65534, 65534, 65534) != 0 || chdir("/tmp") != 0)
		_exit(125);
}

bool trial_has_user_namespaces(void)
{
	int status = 1;
	pid_t pid = fork();

	if (pid == 0) {
		trial_become_nobody();
		_exit(unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0 ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	return status == 0;
}
