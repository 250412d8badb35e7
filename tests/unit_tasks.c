/* unit_tasks: the texts of /proc, and counts that are held against threads of our own. */
#include "fixture.h"

#include "kernel/tasks.h"

#include "kernel/probe.h"

#include <errno.h>
#include <grp.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define THREADS 5
#define NOBODYS 54322 /* a user id that nobody here has */

static void loadavg_texts(void **state)
{
	static const char *const bad[] = {
		"",
		"\n",
		"0.20 0.18 0.12\n",
		"0.20 0.18 0.12 ",
		"0.20 0.18 0.12 1/\n",
		"0.20 0.18 0.12 1/173", /* cut, perhaps in the number */
		"0.20 0.18 0.12 173 11206\n",
		"0.20 0.18 0.12 1/x 11206\n",
		"0.20 0.18 0.12 -1/173 11206\n",
		"0.20 0.18 0.12 1/18446744073709551616 11206\n",
	};
	uint64_t count = 0;

	(void)state;
	assert_int_equal(tasks_parse_loadavg("0.20 0.18 0.12 1/173 11206\n", &count), 0);
	assert_int_equal(count, 173);
	assert_int_equal(tasks_parse_loadavg("99.00 0.18 0.12 12/4194304 1\n", &count), 0);
	assert_int_equal(count, 4194304);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (tasks_parse_loadavg(bad[i], &count) != -EINVAL)
			fail_msg("\"%s\" should be refused", bad[i]);
	}
	assert_int_equal(count, 4194304);
}

static void status_fixture(void **state)
{
	uint64_t uid = 99, threads = 99;
	char text[8192];

	(void)state;
	fixture_load("status", text, sizeof(text));
	assert_int_equal(tasks_parse_status(text, &uid, &threads), 0);
	assert_int_equal(uid, 0);
	assert_int_equal(threads, 1);
}

static void status_texts(void **state)
{
	static const char *const bad[] = {
		"",
		"Name:\tx\n",
		"Name:\tx\nUid:\t1\t2\t3\t4\n",
		"Name:\tx\nUid:\t1\t2\t3\t4\nThreads:\t\n",
		"Name:\tx\nUid:\t1\t2\t3\t4\nThreads:\t12", /* cut */
		"Name:\tx\nUid:\nThreads:\t1\n",
		"Name:\tUid:\t7\nThreads:\t1\n",
		"Name:\tx\nUid:\t99999999999999999999\nThreads:\t1\n",
	};
	uint64_t uid = 99, threads = 99;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (tasks_parse_status(bad[i], &uid, &threads) != -EINVAL)
			fail_msg("\"%s\" should be refused", bad[i]);
	}
	assert_true(uid == 99 && threads == 99);
	assert_int_equal(
		tasks_parse_status("Name:\tx\nUid:\t1000\t0\t0\t0\nThreads:\t12\n", &uid, &threads),
		0);
	assert_true(uid == 1000 && threads == 12);
}

static void *wait_there(void *barrier)
{
	pthread_barrier_wait(barrier);
	pthread_barrier_wait(barrier);
	return NULL;
}

/* What `count` says with THREADS more of them, all alive. */
static uint64_t count_with_threads(int (*count)(uint64_t *count))
{
	pthread_t threads[THREADS];
	pthread_barrier_t barrier;
	uint64_t many = 0;

	assert_int_equal(pthread_barrier_init(&barrier, NULL, THREADS + 1), 0);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, wait_there, &barrier), 0);
	pthread_barrier_wait(&barrier);
	assert_int_equal(count(&many), 0);
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&barrier);
	return many;
}

static void of_machine(void **state)
{
	uint64_t machine, user;

	(void)state;
	machine = count_with_threads(tasks_of_machine);
	assert_true(machine > THREADS);
	user = count_with_threads(tasks_of_user);
	assert_true(user > THREADS);
}

/* Somebody with one process: exactly its threads and itself. */
static void of_user(void **state)
{
	int status = 0;

	(void)state;
	if (geteuid() != 0) {
		print_message("skipped: only root can become a user with no other tasks\n");
		skip();
	}
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (setgroups(0, NULL) != 0 || setgid(NOBODYS) != 0 || setuid(NOBODYS) != 0)
			_exit(2);
		_exit(count_with_threads(tasks_of_user) == THREADS + 1 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 2) {
		print_message("skipped: not allowed to become another user\n");
		skip();
	}
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(loadavg_texts), cmocka_unit_test(status_fixture),
		cmocka_unit_test(status_texts),  cmocka_unit_test(of_machine),
		cmocka_unit_test(of_user),
	};

	return cmocka_run_group_tests_name("unit_tasks", tests, NULL, NULL);
}
