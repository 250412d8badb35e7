/* unit_background: real children: ready, ended before, interrupted, and what is left open. Whoever
 * calls background_start is itself a child of the test, so that signals meet it alone. */
#include "kernel/background.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOG_PATH "/tmp/megaconn-unit-background-%d.log"

static char log_path[64];

/* What the inside of a test does. */
struct plan {
	const char *say_before, *say_after; /* around ready */
	bool ready, forks, waits, deaf;
	int code;
};

static void say(const char *text)
{
	if (text && write(STDERR_FILENO, text, strlen(text)) < 0)
		_exit(99);
}

/* A worker that outlives nobody, but holds what it inherited. */
static void fork_worker(void)
{
	pid_t parent = getpid();

	if (fork() != 0)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (getppid() == parent)
		clock_sleep_ns(NS_PER_S);
	_exit(0);
}

static int inside(void *context, int ready_fd)
{
	const struct plan *plan = context;

	alarm(20); /* whatever becomes of the test */
	if (plan->deaf)
		signal(SIGINT, SIG_IGN);
	say(plan->say_before);
	if (plan->forks)
		fork_worker();
	if (plan->ready && background_ready(ready_fd) != 0)
		return 98;
	say(plan->say_after);
	while (plan->waits)
		pause();
	return plan->code;
}

/* The caller of background_start, seen from the test. */
struct caller {
	pid_t pid;
	int out; /* the reading end of its stderr */
};

/* What the caller says last, in one write. */
struct told {
	int rc;
	pid_t pid;
};

static struct caller call(const struct plan *plan)
{
	struct caller caller;
	int ends[2];

	snprintf(log_path, sizeof(log_path), LOG_PATH, getpid());
	assert_int_equal(pipe(ends), 0);
	caller.pid = fork();
	assert_true(caller.pid >= 0);
	if (caller.pid == 0) {
		struct plan copy = *plan;
		const struct background background = {
			.inside = inside, .context = &copy, .log_path = log_path};
		struct told told;
		struct err err;

		dup2(ends[1], STDERR_FILENO);
		told.rc = background_start(&background, &told.pid, &err);
		_exit(write(STDERR_FILENO, &told, sizeof(told)) == sizeof(told) ? 0 : 1);
	}
	close(ends[1]);
	caller.out = ends[0];
	return caller;
}

/* Reads until all writers have closed, at most 10 s; what the caller told is taken off the end. */
static struct told finish(const struct caller *caller, char *text, size_t size)
{
	struct told told = {.rc = -1};
	size_t len = 0;
	ssize_t got = 1;
	struct pollfd fd = {.fd = caller->out, .events = POLLIN};

	while (got > 0 && len < size - 1) {
		if (poll(&fd, 1, 10000) != 1)
			fail_msg("somebody holds the caller's stderr");
		got = read(caller->out, text + len, size - 1 - len);
		len += got > 0 ? (size_t)got : 0;
	}
	close(caller->out);
	if (len >= sizeof(told)) {
		len -= sizeof(told);
		memcpy(&told, text + len, sizeof(told));
	}
	text[len] = '\0';
	assert_int_equal(waitpid(caller->pid, NULL, 0), caller->pid);
	return told;
}

/* The test is its subreaper, and so its parent by now. */
static void wait_ended(pid_t pid)
{
	pid_t ended = 0;

	for (int i = 0; i < 1000 && ended == 0; i++) {
		ended = waitpid(pid, NULL, WNOHANG);
		if (ended == 0)
			clock_sleep_ns(10 * NS_PER_MS);
	}
	assert_int_equal(ended, pid);
}

static void check_log(const char *expected)
{
	char text[256] = "";
	struct stat stat;
	int fd = open(log_path, O_RDONLY);

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &stat), 0);
	assert_int_equal(stat.st_mode & 0777, 0600);
	assert_true(read(fd, text, sizeof(text) - 1) >= 0);
	close(fd);
	unlink(log_path);
	assert_string_equal(text, expected);
}

static void ready_goes_on(void **state)
{
	const struct plan plan = {
		.say_before = "starts\n", .ready = true, .forks = true, .waits = true};
	char text[256];
	struct caller caller = call(&plan);
	struct told told = finish(&caller, text, sizeof(text)); /* though the worker lives */

	(void)state;
	assert_string_equal(text, "starts\n");
	assert_int_equal(told.rc, 0);
	assert_true(told.pid > 0);
	assert_int_equal(getsid(told.pid), told.pid);
	assert_int_equal(kill(told.pid, SIGTERM), 0);
	wait_ended(told.pid);
	check_log("starts\n");
}

static void after_ready_only_the_log(void **state)
{
	const struct plan plan = {.ready = true, .say_after = "later\n"};
	char text[256];
	struct caller caller = call(&plan);
	struct told told = finish(&caller, text, sizeof(text));

	(void)state;
	assert_int_equal(told.rc, 0);
	/* It may be so quick that the caller still sees it. */
	assert_true(text[0] == '\0' || strcmp(text, "later\n") == 0);
	if (told.pid > 0)
		wait_ended(told.pid);
	check_log("later\n");
}

static void ended_before(void **state)
{
	static const struct plan plans[] = {
		{.say_before = "cannot\n", .code = 4},
		{.say_before = "nothing to do\n", .code = 0},
		{.say_before = "worker\n", .code = 3, .forks = true},
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(plans) / sizeof(plans[0]); i++) {
		struct caller caller = call(&plans[i]);
		struct told told = finish(&caller, text, sizeof(text));

		assert_string_equal(text, plans[i].say_before);
		assert_int_equal(told.rc, plans[i].code);
		assert_int_equal(told.pid, 0);
		check_log(plans[i].say_before);
	}
}

static void wait_word(const struct caller *caller, const char *word)
{
	char text[64] = "";
	struct pollfd fd = {.fd = caller->out, .events = POLLIN};

	assert_int_equal(poll(&fd, 1, 10000), 1);
	assert_true(read(caller->out, text, sizeof(text) - 1) > 0);
	assert_string_equal(text, word);
}

static void interrupt_ends_both(void **state)
{
	const struct plan plan = {.say_before = "starts\n", .waits = true};
	char text[256];
	struct caller caller = call(&plan);

	(void)state;
	wait_word(&caller, "starts\n");
	assert_int_equal(kill(caller.pid, SIGINT), 0);
	struct told told = finish(&caller, text, sizeof(text));

	assert_int_equal(told.rc, 130);
	assert_int_equal(told.pid, 0);
	check_log("starts\n");
}

static void second_interrupt_kills(void **state)
{
	const struct plan plan = {.say_before = "deaf\n", .waits = true, .deaf = true};
	char text[256];
	struct caller caller = call(&plan);

	(void)state;
	wait_word(&caller, "deaf\n");
	assert_int_equal(kill(caller.pid, SIGINT), 0);
	clock_sleep_ns(300 * NS_PER_MS);
	assert_int_equal(waitpid(caller.pid, NULL, WNOHANG), 0);
	assert_int_equal(kill(caller.pid, SIGINT), 0);
	struct told told = finish(&caller, text, sizeof(text));

	assert_int_equal(told.rc, 130);
	unlink(log_path);
}

/* The child's pid is in nobody's hands then: it is known by the lock that it holds. */
static int inside_locked(void *context, int ready_fd)
{
	(void)context;
	(void)ready_fd;
	alarm(20);
	int fd = open(log_path, O_RDWR);
	struct flock region = {.l_type = F_WRLCK};

	if (fd < 0 || fcntl(fd, F_SETLK, &region) != 0)
		return 97;
	say("locked\n");
	for (;;)
		pause();
}

static void killed_caller_takes_it_along(void **state)
{
	const struct background background = {.inside = inside_locked, .log_path = log_path};
	struct flock region = {.l_type = F_WRLCK};
	struct caller caller;
	int ends[2];

	(void)state;
	snprintf(log_path, sizeof(log_path), LOG_PATH, getpid());
	assert_int_equal(pipe(ends), 0);
	caller = (struct caller){.pid = fork(), .out = ends[0]};
	if (caller.pid == 0) {
		pid_t pid;

		dup2(ends[1], STDERR_FILENO);
		_exit(background_start(&background, &pid, NULL));
	}
	close(ends[1]);
	wait_word(&caller, "locked\n");
	close(ends[0]);
	assert_int_equal(kill(caller.pid, SIGKILL), 0);
	assert_int_equal(waitpid(caller.pid, NULL, 0), caller.pid);
	int fd = open(log_path, O_RDWR);

	assert_true(fd >= 0);
	for (int i = 0; i < 1000 && fcntl(fd, F_SETLK, &region) != 0; i++)
		clock_sleep_ns(10 * NS_PER_MS);
	assert_int_equal(fcntl(fd, F_SETLK, &region), 0);
	close(fd);
	unlink(log_path);
}

static void no_log_no_start(void **state)
{
	const struct background background = {.inside = inside, .log_path = "/none/x.log"};
	struct err err;
	pid_t pid = 1;

	(void)state;
	assert_int_equal(background_start(&background, &pid, &err), -ENOENT);
	assert_int_equal(pid, 0);
	assert_string_equal(err.text,
	                    "cannot write the log /none/x.log: No such file or directory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ready_goes_on),
		cmocka_unit_test(after_ready_only_the_log),
		cmocka_unit_test(ended_before),
		cmocka_unit_test(interrupt_ends_both),
		cmocka_unit_test(second_interrupt_kills),
		cmocka_unit_test(killed_caller_takes_it_along),
		cmocka_unit_test(no_log_no_start),
	};

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
