/* lab_walls_files: the walls of what processes may have: descriptors, files, locked memory, tasks.
 *
 * The test's clients and servers have a user id of their own where the test is root, so that what
 * other programs of nobody's have does not count. */
#include "cgroup.h"
#include "guardian.h"
#include "wall.h"

#include "kernel/limits.h"
#include "kernel/tasks.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <liburing.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define STRANGER    53124
#define WORKERS     64
#define SPARE_FILES 32 /* of a worker, beside its connections, at most */

static void limit(__rlimit_resource_t resource, rlim_t value)
{
	const struct rlimit both = {.rlim_cur = value, .rlim_max = value};

	if (setrlimit(resource, &both) != 0)
		_exit(125);
}

static void become_stranger(void)
{
	if (geteuid() != 0)
		return;
	if (setgroups(0, NULL) != 0 || setresgid(STRANGER, STRANGER, STRANGER) != 0 ||
	    setresuid(STRANGER, STRANGER, STRANGER) != 0 || chdir("/tmp") != 0)
		_exit(125);
}

static void need_uring(void)
{
	if (strcmp(apart_engine(0), "uring") != 0)
		apart_skip("no io_uring here");
}

/* ---- nofile_hard ----------------------------------------------------------------------------- */

static void nofile_64(void)
{
	limit(RLIMIT_NOFILE, 64);
}

static void nofile_1024(void)
{
	limit(RLIMIT_NOFILE, 1024);
}

/* How many descriptors a process has. */
static int64_t files_of(pid_t pid)
{
	char path[64];
	int64_t count = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	DIR *dir = opendir(path);

	assert_non_null(dir);
	for (const struct dirent *at; (at = readdir(dir)) != NULL;)
		count += at->d_name[0] != '.';
	closedir(dir);
	return count;
}

/* Every worker is as full as it may be: it could not have another spare lot of connections. */
static void assert_full(const struct trial *held, const char *name, int64_t nofile)
{
	pid_t pids[WORKERS];
	int count = trial_pids(held, name, pids, WORKERS);

	assert_in_range(count, 1, WORKERS);
	for (int i = 0; i < count; i++)
		assert_in_range(files_of(pids[i]), nofile - SPARE_FILES, nofile);
}

static void clients_are_full(const struct trial *held, int64_t reached)
{
	(void)reached;
	assert_full(held, "mc-client-", 1024);
}

static void servers_are_full(const struct trial *held, int64_t reached)
{
	(void)reached;
	assert_full(held, "mc-server-", 1024);
}

static void nofile_of_epoll_clients(void **state)
{
	const struct wall wall = {
		.row = "nofile_hard",
		.how = "connect, epoll, ulimit -n 1024, 2 workers",
		.note = "less than 32 descriptors of each worker are free, for its own files",
		.options = {"--engine", "epoll", "--workers", "2"},
		.prepare = nofile_1024,
		.beyond = clients_are_full,
	};

	(void)state;
	wall_provoke_client(&wall);
}

static void nofile_of_an_epoll_server(void **state)
{
	const struct wall wall = {
		.row = "nofile_hard",
		.how = "serve, epoll, ulimit -n 1024, 1 worker",
		.note = "less than 32 descriptors of each worker are free, for its own files",
		.options = {"--engine", "epoll", "--workers", "1"},
		.prepare = nofile_1024,
		.beyond = servers_are_full,
	};

	(void)state;
	wall_provoke_server(&wall);
}

/* The largest table of direct descriptors that the kernel gives a process of this limit. */
static int64_t largest_table(void)
{
	struct io_uring ring;
	unsigned int slots = 256;

	if (io_uring_queue_init(4, &ring, 0) != 0)
		return -1;
	while (slots > 0 && io_uring_register_files_sparse(&ring, slots) != 0)
		slots--;
	return slots;
}

static void tables_are_full(const struct trial *held, int64_t reached)
{
	(void)held;
	(void)reached;
	assert_int_equal(wall_ask_child(nofile_64, largest_table), 64);
}

/* Direct descriptors: 64 are enough for many more connections than 64. */
static void nofile_of_uring_clients(void **state)
{
	const struct wall wall = {
		.row = "nofile_hard",
		.how = "connect, io_uring, ulimit -n 64, 1 worker",
		.note = "20 rings with tables of 64; the kernel refuses one of 65",
		.options = {"--engine", "uring", "--workers", "1"},
		.prepare = nofile_64,
		.beyond = tables_are_full,
	};

	(void)state;
	need_uring();
	wall_provoke_client(&wall);
}

static void nofile_of_a_uring_server(void **state)
{
	const struct wall wall = {
		.row = "nofile_hard",
		.how = "serve, io_uring, ulimit -n 64, 1 worker",
		.note = "each table keeps room for a burst: what comes at once is never dropped",
		.options = {"--engine", "uring", "--workers", "1"},
		.prepare = nofile_64,
		.beyond = tables_are_full,
	};

	(void)state;
	need_uring();
	wall_provoke_server(&wall);
}

/* ---- nr_open --------------------------------------------------------------------------------- */

#define NR_OPEN 4096

static void clients_fill_nr_open(const struct trial *held, int64_t reached)
{
	(void)reached;
	assert_full(held, "mc-client-", NR_OPEN);
}

/* It is the machine's, so it is low for as short as can be. */
static void nr_open_below_the_limit(void **state)
{
	const struct wall wall = {
		.row = "nr_open",
		.how = "connect, epoll, 1 worker, fs.nr_open 4096 below the hard RLIMIT_NOFILE",
		.note = "soft limit 1024, raised by megaconn; less than 32 descriptors are free",
		.options = {"--engine", "epoll", "--workers", "1"},
		.beyond = clients_fill_nr_open,
	};
	struct rlimit own, soft;

	(void)state;
	wall_need_root();
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &own), 0);
	if (own.rlim_max <= NR_OPEN)
		apart_skip("RLIMIT_NOFILE is below 4096, and cannot be raised");
	/* Children inherit it: setrlimit would refuse a hard limit above nr_open. */
	soft = (struct rlimit){.rlim_cur = 1024, .rlim_max = own.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &soft), 0);
	wall_set_machine("fs.nr_open", "%d", NR_OPEN);
	wall_provoke_client(&wall);
}

/* ---- file_max -------------------------------------------------------------------------------- */

#define OPEN_MOST 8192

/* Until the kernel has no more for an ordinary user. */
static int64_t files_left(void)
{
	int64_t count = 0;

	while (count < OPEN_MOST && open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0)
		count++;
	return count < OPEN_MOST && errno == ENFILE ? count : -1;
}

/* What was kept for our processes' own files is left, and what others gave back. */
static void files_are_used_up(const struct trial *held, int64_t reached)
{
	int64_t left = wall_ask_child(become_stranger, files_left);

	(void)held;
	if (left < 0 || left > 512 + reached / 10)
		fail_msg("%lld files could still be opened", (long long)left);
}

#define FILES_OF_OTHERS 16384

/* Other programs of this machine may have as many, and close them in a moment: then it cannot be
 * shown. */
static void await_calm(void)
{
	int64_t before = wall_get("fs.file-nr"), now;

	for (int calm = 0, i = 0; calm < 5; i++) {
		apart_sleep(100);
		now = wall_get("fs.file-nr");
		calm = llabs(now - before) < 100 && now < FILES_OF_OTHERS ? calm + 1 : 0;
		before = now;
		if (i == 200)
			apart_skip("other programs open and close many files");
	}
}

static void file_max_of_an_ordinary_user(void **state)
{
	const struct wall wall = {
		.row = "file_max",
		.how = "connect as an ordinary user, fs.file-max so that 8000 files are left",
		.note = "open fails by ENFILE soon after; others open and close files meanwhile",
		.prepare = become_stranger,
		.percent = 5,
		.beyond = files_are_used_up,
	};

	(void)state;
	wall_need_network();
	wall_need_root();
	await_calm();
	wall_set_machine("fs.file-max", "%lld", (long long)wall_get("fs.file-nr") + 8000);
	wall_provoke_client(&wall);
}

/* ---- memlock --------------------------------------------------------------------------------- */

#define LOCKED_BYTES 131072
#define PAGE_BYTES   4096L

static void little_locked_memory(void)
{
	limit(RLIMIT_NOFILE, 1024);
	limit(RLIMIT_MEMLOCK, LOCKED_BYTES);
	become_stranger();
}

/* The smallest rings, of two pages each, until the user may lock no more. */
static int64_t locked_bytes_left(void)
{
	int64_t count = 0;

	for (; count < LOCKED_BYTES / PAGE_BYTES; count++) {
		struct io_uring_params params = {.flags = 0};

		if (syscall(SYS_io_uring_setup, 4, &params) < 0)
			return errno == ENOMEM ? count * 2 * (int64_t)PAGE_BYTES : -1;
	}
	return LOCKED_BYTES; /* this kernel does not count rings */
}

/* Nine tenths of it are for rings, and no whole ring more fits into these. */
static void locked_memory_is_used_up(const struct trial *held, int64_t reached)
{
	int64_t left = wall_ask_child(little_locked_memory, locked_bytes_left);

	(void)held;
	(void)reached;
	if (left == LOCKED_BYTES)
		print_message("this kernel does not count rings as locked memory\n");
	else
		assert_in_range(left, 0, LOCKED_BYTES / 10 + 6 * PAGE_BYTES);
}

static void locked_memory(void **state)
{
	const struct wall wall = {
		.row = "memlock",
		.how = "connect as an ordinary user, io_uring, ulimit -l 128, -n 1024, 1 worker",
		.note = "io_uring_setup fails by ENOMEM within the tenth that is not used",
		.options = {"--engine", "uring", "--workers", "1"},
		.prepare = little_locked_memory,
		.beyond = locked_memory_is_used_up,
	};

	(void)state;
	need_uring();
	if (guardian_pid() == 0)
		apart_skip("other programs of this user may have locked memory: needs root");
	wall_provoke_client(&wall);
}

/* ---- tasks ----------------------------------------------------------------------------------- */

#define TASKS 20

static void few_tasks(void)
{
	limit(RLIMIT_NOFILE, 64);
	limit(RLIMIT_NPROC, TASKS);
	become_stranger();
}

static int64_t tasks_left(void)
{
	pid_t forked[TASKS];
	int64_t count = 0;

	while (count < TASKS && (forked[count] = fork()) >= 0) {
		if (forked[count] == 0) {
			pause();
			_exit(0);
		}
		count++;
	}
	for (int64_t i = 0; i < count; i++) {
		kill(forked[i], SIGKILL);
		waitpid(forked[i], NULL, 0);
	}
	return count;
}

static int64_t tasks_of_this_user(void)
{
	uint64_t count;

	return tasks_of_user(&count) == 0 ? (int64_t)count : -1;
}

/* The process that counts is one itself. */
static void tasks_of_the_user_are_used_up(const struct trial *held, int64_t reached)
{
	(void)held;
	(void)reached;
	assert_int_equal(wall_ask_child(become_stranger, tasks_of_this_user), TASKS + 1);
	assert_int_equal(wall_ask_child(few_tasks, tasks_left), 0);
}

/* Those of earlier tests that have ended count until their parent has looked at them. */
static void await_no_other_task(void)
{
	for (int i = 0; i < 500 && wall_ask_child(become_stranger, tasks_of_this_user) != 1; i++)
		apart_sleep(10);
	assert_int_equal(wall_ask_child(become_stranger, tasks_of_this_user), 1);
}

static void few_tasks_of_a_user(void **state)
{
	const struct wall wall = {
		.row = "nproc",
		.how = "connect as an ordinary user, epoll, ulimit -u 20, -n 64",
		.note = "20 processes; fork fails",
		.options = {"--engine", "epoll"},
		.prepare = few_tasks,
		.beyond = tasks_of_the_user_are_used_up,
	};

	(void)state;
	if (guardian_pid() == 0)
		apart_skip("other programs of this user count too: needs root");
	await_no_other_task();
	wall_provoke_client(&wall);
}

static void few_tasks_in_a_cgroup(void)
{
	cgroup_enter();
	limit(RLIMIT_NOFILE, 64);
}

static void tasks_of_the_cgroup_are_used_up(const struct trial *held, int64_t reached)
{
	(void)held;
	(void)reached;
	assert_int_equal(cgroup_tasks(), TASKS);
	assert_int_equal(wall_ask_child(few_tasks_in_a_cgroup, tasks_left), 0);
}

static void few_tasks_of_a_cgroup(void **state)
{
	const struct wall wall = {
		.row = "cgroup_pids",
		.how = "connect, epoll, pids.max 20 of its cgroup, ulimit -n 64",
		.note = "20 processes; fork fails",
		.options = {"--engine", "epoll"},
		.prepare = few_tasks_in_a_cgroup,
		.beyond = tasks_of_the_cgroup_are_used_up,
	};

	(void)state;
	wall_need_network();
	if (!cgroup_make_pids("20"))
		skip();
	wall_provoke_client(&wall);
}

static int restore_and_drop(void **state)
{
	int failed = wall_restore(state);

	cgroup_drop();
	return failed;
}

/* The setting first: until then the soft limit cannot be set. */
static int restore_and_raise(void **state)
{
	int failed = wall_restore(state);

	limits_raise_nofile();
	return failed;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WALL_TEST(nofile_of_epoll_clients),
		WALL_TEST(nofile_of_an_epoll_server),
		WALL_TEST(nofile_of_uring_clients),
		WALL_TEST(nofile_of_a_uring_server),
		cmocka_unit_test_teardown(nr_open_below_the_limit, restore_and_raise),
		WALL_TEST(file_max_of_an_ordinary_user),
		WALL_TEST(locked_memory),
		WALL_TEST(few_tasks_of_a_user),
		cmocka_unit_test_teardown(few_tasks_of_a_cgroup, restore_and_drop),
	};

	return cmocka_run_group_tests_name("lab_walls_files", tests, wall_set_up, wall_tear_down);
}
