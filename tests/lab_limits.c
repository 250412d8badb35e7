/* Labs under limits: few descriptors, little locked memory, a small cgroup, an ordinary user, no
 * namespaces, no io_uring, full listen queues. Each either passes or says what stops it. */
#include "cgroup.h"
#include "trial.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

static void limit(__rlimit_resource_t resource, rlim_t value)
{
	const struct rlimit both = {.rlim_cur = value, .rlim_max = value};

	if (setrlimit(resource, &both) != 0)
		_exit(125);
}

static void nofile_64(void)
{
	limit(RLIMIT_NOFILE, 64);
}

static void nofile_256(void)
{
	limit(RLIMIT_NOFILE, 256);
}

static void nofile_1024(void)
{
	limit(RLIMIT_NOFILE, 1024);
}

static void descriptor_limit_256(void **state)
{
	const char *const args[] = {"-n", "4000", "--hold", "0", NULL};
	struct trial trial;

	(void)state;
	trial_run(&trial, nofile_256, args);
	trial_assert_passed(&trial, 4000);
	assert_int_equal(trial_number(&trial, "host.nofile_hard"), 256);
	trial_end(&trial);
}

/* As many rings as it takes: 20, and in the full run 100. */
static void one_process_of_1024_holds_many_more(void **state)
{
	const char *n = trial_n("20000", "20000", "100000");
	const char *const args[] = {"-n", n, "--hold", "0", "--workers", "1", NULL};
	struct trial trial;

	(void)state;
	if (trial_is_small())
		skip(); /* the sanitizers make it slow, not different */
	trial_run(&trial, nofile_1024, args);
	trial_assert_passed(&trial, strtol(n, NULL, 10));
	assert_int_equal(trial_number(&trial, "workers.client"), 1);
	trial_end(&trial);
}

static void descriptor_limit_is_the_wall(void **state)
{
	const char *const args[] = {"-n", "100k", "--workers", "1", NULL};
	struct trial trial;

	(void)state;
	trial_run(&trial, nofile_64, args);
	trial_assert_code(&trial, 4);
	assert_string_equal(trial_word(&trial, "verdict"), "refused");
	assert_non_null(strstr(trial.err, "descriptors"));
	assert_non_null(strstr(trial.err, "largest N that fits is "));
	trial_end(&trial);
}

/* What is named as the largest N must work, and one more must be refused. */
static void largest_named_is_true(void **state)
{
	const char *const too_many[] = {"-n", "100k", "--workers", "1", NULL};
	struct trial trial;
	char n[32];

	(void)state;
	trial_run(&trial, nofile_64, too_many);
	const char *at = strstr(trial.err, "largest N that fits is ");

	assert_non_null(at);
	size_t len = 0;

	for (at += strlen("largest N that fits is "); *at && *at != ':' && len < 20; at++) {
		if (*at != ',')
			n[len++] = *at;
	}
	n[len] = '\0';
	trial_end(&trial);
	const char *const fits[] = {"-n", n, "--hold", "0", "--workers", "1", NULL};

	trial_run(&trial, nofile_64, fits);
	trial_assert_passed(&trial, strtol(n, NULL, 10));
	trial_end(&trial);
}

/* It measures first what a connection costs, for seconds; so does a lab in a small cgroup (below).
 */
static void memory_is_the_wall(void **state)
{
	const char *const args[] = {"-n", "900M", "--solution", "mixed", NULL};
	struct trial trial;

	(void)state;
	if (!trial_is_full())
		skip();
	trial_run(&trial, NULL, args);
	trial_assert_code(&trial, 4);
	assert_non_null(strstr(trial.err, "largest N that fits is "));
	assert_int_equal(trial_number(&trial, "established.client"), -1); /* null: never tried */
	trial_end(&trial);
}

/* --- an ordinary user --------------------------------------------------------------------- */

static void ordinary_user(void **state)
{
	const char *n = trial_n("10000", "2000", "200000");
	const char *args[] = {"-n", n, "--hold", "300ms", NULL};
	struct trial trial;

	(void)state;
	if (!trial_has_user_namespaces())
		skip();
	trial_run(&trial, trial_become_nobody, args);
	trial_assert_passed(&trial, strtol(n, NULL, 10));
	assert_string_equal(trial_word(&trial, "network"), "user+netns");
	trial_end(&trial);
}

static void nobody_without_locked_memory(void)
{
	limit(RLIMIT_MEMLOCK, 4096);
	trial_become_nobody();
}

static void locked_memory_is_the_wall(void **state)
{
	const char *const args[] = {"-n", "10000", "--engine", "uring", NULL};
	struct trial trial;

	(void)state;
	trial_run(&trial, nobody_without_locked_memory, args);
	trial_assert_code(&trial, 4);
	assert_non_null(strstr(trial.err, "locked memory"));
	trial_end(&trial);
}

static void assert_fell_back(trial_prepare prepare, const char *why)
{
	const char *const args[] = {"-n", "2000", "--hold", "0", NULL};
	struct trial trial;

	trial_run(&trial, prepare, args);
	trial_assert_passed(&trial, 2000);
	assert_string_equal(trial_word(&trial, "engine.client"), "epoll");
	assert_non_null(strstr(trial.err, why));
	assert_non_null(strstr(trial.err, "using epoll in its place"));
	trial_end(&trial);
}

static void locked_memory_is_no_wall_for_epoll(void **state)
{
	(void)state;
	assert_fell_back(nobody_without_locked_memory, "locked memory");
}

/* As many workers as the limit demands, which share their listening sockets. */
static void epoll_under_64_descriptors(void **state)
{
	const char *const args[] = {"-n", "2000", "--hold", "0", "--engine", "epoll", NULL};
	struct trial trial;

	(void)state;
	trial_run(&trial, nofile_64, args);
	trial_assert_passed(&trial, 2000);
	assert_true(trial_number(&trial, "workers.server") > 2000 / 64);
	trial_end(&trial);
}

/* 30 listening sockets leave a server few descriptors. */
static void epoll_under_64_descriptors_many_ports(void **state)
{
	const char *const args[] = {"-n",    "500",        "--hold", "0", "--engine",
	                            "epoll", "--solution", "2",      NULL};
	struct trial trial;

	(void)state;
	trial_run(&trial, nofile_64, args);
	trial_assert_passed(&trial, 500);
	trial_end(&trial);
}

/* --- what a container forbids ------------------------------------------------------------- */

/* Makes one system call fail, for this process and its children. */
static void refuse(unsigned int number, uint32_t code_of_error)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | code_of_error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {.len = COUNT_OF(code), .filter = code};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
		_exit(125);
}

static void forbid(unsigned int number)
{
	refuse(number, EPERM);
}

static void without_unshare(void)
{
	forbid(SYS_unshare);
}

static void nobody_without_unshare(void)
{
	trial_become_nobody();
	forbid(SYS_unshare);
}

static void without_io_uring(void)
{
	forbid(SYS_io_uring_setup);
}

static void without_known_io_uring(void)
{
	refuse(SYS_io_uring_setup, ENOSYS);
}

static void namespaces_forbidden(void **state)
{
	const trial_prepare users[] = {without_unshare, nobody_without_unshare};
	const char *const args[] = {"-n", "2000", "--hold", "0", NULL};
	struct trial trial;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(users); i++) {
		trial_run(&trial, users[i], args);
		trial_assert_passed(&trial, 2000);
		assert_string_equal(trial_word(&trial, "network"), "host");
		assert_non_null(strstr(trial.err, "running on the host's network"));
		trial_end(&trial);
	}
}

static void io_uring_forbidden(void **state)
{
	const char *const args[] = {"-n", "2000", "--engine", "uring", NULL};
	struct trial trial;

	(void)state;
	trial_run(&trial, without_io_uring, args);
	trial_assert_code(&trial, 4);
	assert_non_null(strstr(trial.err, "io_uring is forbidden here"));
	trial_end(&trial);
	assert_fell_back(without_io_uring, "io_uring is forbidden here");
}

/* As a kernel before 5.1 would. */
static void io_uring_unknown(void **state)
{
	(void)state;
	assert_fell_back(without_known_io_uring, "this kernel has no io_uring");
}

/* --- a cgroup that is small, and one that becomes small ----------------------------------- */

/* The less memory there is, the less it measures with. */
static void small_cgroup_is_the_wall(void **state)
{
	const char *const args[] = {"-n", "200k", "--reserve", "64MiB", NULL};
	struct trial trial;

	(void)state;
	if (!cgroup_make("192M"))
		skip();
	trial_run(&trial, cgroup_enter, args);
	cgroup_drop();
	trial_assert_code(&trial, 4);
	assert_non_null(strstr(trial.err, "largest N that fits is "));
	assert_int_equal(trial_number(&trial, "established.client"), -1); /* null: never tried */
	assert_non_null(strstr(trial.err, "cgroup's memory limit"));
	trial_end(&trial);
}

/* The guard: memory that was there at the start goes while the ramp runs. */
static void guard_stops_the_ramp(void **state)
{
	const char *const args[] = {"-n",   "40k",    "--reserve", "200MiB", "--rate",
	                            "5k/s", "--hold", "0",         NULL};
	struct trial trial;

	(void)state;
	if (!cgroup_make("1G"))
		skip();
	trial_start(&trial, cgroup_enter, args);
	trial_wait_text(&trial, "ramp ", 30);
	bool is_lowered = cgroup_limit("220M");

	trial_wait(&trial, 60);
	cgroup_drop();
	assert_true(is_lowered);
	trial_assert_code(&trial, 1);
	assert_string_equal(trial_word(&trial, "verdict"), "partial");
	assert_non_null(strstr(trial_word(&trial, "reason"), "memory"));
	int64_t opened = trial_number(&trial, "established.client");

	assert_true(opened > 0 && opened < 40000);
	assert_int_equal(opened + trial_number(&trial, "not_tried"), 40000);
	assert_int_equal(trial_number(&trial, "proved.echoed"), opened);
	trial_end(&trial);
}

/* Two runs of one user on the host's network: the second finds the first, and does it no harm. */
static void ports_of_another_run(void **state)
{
	const char *const first_args[] = {"-n", "5000", "--hold", "6s", "--no-netns", NULL};
	const char *const second_args[] = {"-n", "5000", "--no-netns", NULL};
	struct trial first, second;

	(void)state;
	trial_start(&first, NULL, first_args);
	trial_wait_text(&first, "hold ", 30);
	trial_run(&second, NULL, second_args);
	trial_assert_code(&second, 4);
	assert_non_null(strstr(second.err, "another program listens there"));
	trial_wait(&first, 30);
	trial_assert_passed(&first, 5000);
	trial_end(&second);
	trial_end(&first);
}

/* --- listen queues ------------------------------------------------------------------------ */

static void listen_queue_overflows(void **state)
{
	const char *const args[] = {"-n",        "1000",      "--hold", "0",         "--workers",
	                            "1",         "--backlog", "16",     "--timeout", "400ms",
	                            "--retries", "0",         "--rate", "2k/s",      NULL};
	struct trial trial;

	(void)state;
	trial_start(&trial, NULL, args);
	trial_wait_text(&trial, "ramp ", 30);
	pid_t server = trial_find(&trial, "mc-server-0");

	kill(server, SIGSTOP); /* it accepts no more, and its queue of 17 fills */
	usleep(1000000);
	kill(server, SIGCONT);
	trial_wait(&trial, 60);
	trial_assert_code(&trial, 1);
	assert_true(trial_number(&trial, "listen_overflows") > 0);
	assert_true(trial_number(&trial, "failed.by_cause.listen_overflow") > 0);
	assert_int_equal(trial_number(&trial, "failed.by_cause.timeout"), -1);
	assert_non_null(strstr(trial.out, "somaxconn"));
	trial_end(&trial);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(descriptor_limit_256),
		cmocka_unit_test(one_process_of_1024_holds_many_more),
		cmocka_unit_test(descriptor_limit_is_the_wall),
		cmocka_unit_test(largest_named_is_true),
		cmocka_unit_test(memory_is_the_wall),
		cmocka_unit_test(ordinary_user),
		cmocka_unit_test(locked_memory_is_the_wall),
		cmocka_unit_test(locked_memory_is_no_wall_for_epoll),
		cmocka_unit_test(epoll_under_64_descriptors),
		cmocka_unit_test(epoll_under_64_descriptors_many_ports),
		cmocka_unit_test(io_uring_unknown),
		cmocka_unit_test(namespaces_forbidden),
		cmocka_unit_test(io_uring_forbidden),
		cmocka_unit_test(small_cgroup_is_the_wall),
		cmocka_unit_test(guard_stops_the_ramp),
		cmocka_unit_test(ports_of_another_run),
		cmocka_unit_test(listen_queue_overflows),
	};

	return cmocka_run_group_tests_name("lab_limits", tests, NULL, NULL);
}
