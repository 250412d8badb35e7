/* unit_cgroup: /proc/self/cgroup texts, what cgroups leave in made-up trees (a child process
 * changes its root directory to one with a proc and a cgroup file system of plain files, and asks
 * there), and the kernel's own answer: tasks are made until it refuses one. */
#include "fixture.h"

#include "kernel/cgroup.h"

#include "base/limits.h"
#include "forks.h"
#include "kernel/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define V2_MOUNT "36 1 0:29 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n"
#define V1_MOUNT "35 31 0:32 / /sys/fs/cgroup/memory rw shared:9 - cgroup cgroup rw,memory\n"
#define OTHER_MOUNTS                                        \
	"22 27 0:21 / /proc rw - proc proc rw\n"            \
	"31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n" \
	"32 31 0:29 / /sys/fs/cgroup/cpu rw shared:3 - cgroup cgroup rw,cpu\n"

static int parse(const char *text, char *path, unsigned long size)
{
	memset(path, 'x', size);
	return cgroup_parse(text, "memory", path, size);
}

static void parse_fixtures(void **state)
{
	static const struct {
		const char *file;
		int version;
		const char *path;
	} cases[] = {
		{"cgroup_v1", 1, "/process_api/8bae45a5a1b18d885f8d6f0e610a25b8"},
		{"cgroup_v2", 2, "/user.slice/user-1000.slice/session-4.scope"},
		{"cgroup_hybrid", 1, "/system.slice/a:b.service"},
		{"cgroup_none", 0, NULL},
	};
	char text[4096], path[256];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		fixture_load(cases[i].file, text, sizeof(text));
		assert_int_equal(parse(text, path, sizeof(path)), cases[i].version);
		if (cases[i].path)
			assert_string_equal(path, cases[i].path);
	}
}

static void parse_texts(void **state)
{
	char path[8];

	(void)state;
	assert_int_equal(parse("", path, sizeof(path)), 0);
	assert_int_equal(parse("\n\n", path, sizeof(path)), 0);
	assert_int_equal(parse("0::", path, sizeof(path)), 0);
	assert_int_equal(parse("0:/a", path, sizeof(path)), 0);
	assert_int_equal(parse("1::/a", path, sizeof(path)), 0);
	assert_int_equal(parse("0::/a", path, sizeof(path)), 2);
	assert_string_equal(path, "/a");
	assert_int_equal(parse("0::/\n4:memory:/b\n", path, sizeof(path)), 1);
	assert_string_equal(path, "/b");
	assert_int_equal(parse("4:memory:/b\n0::/\n", path, sizeof(path)), 1);
	assert_string_equal(path, "/b");
	assert_int_equal(parse("4:cpu,memory,x:/", path, sizeof(path)), 1);
	assert_string_equal(path, "/");
	assert_int_equal(parse("4:memory2:/b\n", path, sizeof(path)), 0);
	assert_int_equal(parse("0::/234567", path, sizeof(path)), 2);
	assert_int_equal(parse("0::/2345678", path, sizeof(path)), 0);
	assert_int_equal(cgroup_parse("4:memory:/m\n8:pids:/p\n0::/u", "pids", path, 8), 1);
	assert_string_equal(path, "/p");
	assert_int_equal(cgroup_parse("4:memory:/m\n0::/u", "pids", path, 8), 2);
	assert_string_equal(path, "/u");
	assert_int_equal(cgroup_parse("4:memory:/m\n", "pids", path, 8), 0);
}

/* One file of a made-up tree. */
struct file {
	const char *path, *text;
};

struct tree {
	struct file files[16];
	uint64_t left_bytes, pids_left;
};

/* Makes the directories above the file, and the file. */
static void make_file(const char *root, const struct file *file)
{
	char path[512];
	size_t at = strlen(root) + 1;
	FILE *f;

	snprintf(path, sizeof(path), "%s%s", root, file->path);
	for (; path[at]; at++) {
		if (path[at] != '/')
			continue;
		path[at] = '\0';
		if (mkdir(path, 0755) && errno != EEXIST)
			fail_msg("cannot make %s", path);
		path[at] = '/';
	}
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(file->text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static int run_in(const char *root, const struct tree *tree)
{
	if (chroot(root) || chdir("/"))
		return 2;
	for (int i = 0; i < 2; i++) {
		if (cgroup_memory_left_bytes() != tree->left_bytes ||
		    cgroup_pids_left() != tree->pids_left)
			return 1;
	}
	return 0;
}

static bool may_chroot(void)
{
	return !geteuid() || !unshare(CLONE_NEWUSER);
}

/* Removes the tree, deepest names first, by the paths that made it. */
static void remove_tree(const char *root, const struct tree *tree)
{
	char path[512];
	size_t i, pass;
	char *slash;

	for (pass = 0; pass < 8; pass++) {
		for (i = 0; i < 16 && tree->files[i].path; i++) {
			snprintf(path, sizeof(path), "%s%s", root, tree->files[i].path);
			unlink(path);
			while ((slash = strrchr(path, '/')) && strlen(path) > strlen(root)) {
				*slash = '\0';
				if (strlen(path) >= strlen(root))
					rmdir(path);
			}
		}
	}
}

static void check_tree(const struct tree *tree)
{
	char root[] = "/tmp/unit_cgroup.XXXXXX";
	int status = 0;
	size_t i;
	pid_t pid;

	assert_non_null(mkdtemp(root));
	for (i = 0; i < 16 && tree->files[i].path; i++)
		make_file(root, &tree->files[i]);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		_exit(may_chroot() ? run_in(root, tree) : 3);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	remove_tree(root, tree);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) >= 2) {
		print_message("changing the root directory is not allowed here\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

#define STAT_V2 \
	"anon 5\nfile 900\nfile_mapped 3\nfile_dirty 40\ninactive_file 300\nactive_file 100\n"
#define STAT_V1                                                              \
	"cache 9\ndirty 1\ninactive_file 7\nactive_file 7\ntotal_dirty 40\n" \
	"total_inactive_file 300\ntotal_active_file 100\n"

/* The parent has less left than the cgroup itself, and the page cache counts. */
static void tree_v2(void **state)
{
	static const struct tree tree = {
		.files =
			{
				{"/proc/self/cgroup", "0::/a/b\n"},
				{"/proc/self/mountinfo", OTHER_MOUNTS V2_MOUNT},
				{"/sys/fs/cgroup/cgroup.procs", "1\n"},
				{"/sys/fs/cgroup/a/memory.max", "100000\n"},
				{"/sys/fs/cgroup/a/memory.current", "99000\n"},
				{"/sys/fs/cgroup/a/memory.stat", STAT_V2},
				{"/sys/fs/cgroup/a/b/memory.max", "50000\n"},
				{"/sys/fs/cgroup/a/b/memory.current", "1000\n"},
				{"/sys/fs/cgroup/a/b/memory.stat", STAT_V2},
				{"/sys/fs/cgroup/a/pids.max", "1000\n"},
				{"/sys/fs/cgroup/a/pids.current", "990\n"},
				{"/sys/fs/cgroup/a/b/pids.max", "500\n"},
				{"/sys/fs/cgroup/a/b/pids.current", "30\n"},
			},
		.left_bytes = 100000 - 99000 + 360,
		.pids_left = 10,
	};

	(void)state;
	check_tree(&tree);
}

static void tree_v2_unlimited(void **state)
{
	static const struct tree tree = {
		.files =
			{
				{"/proc/self/cgroup", "0::/a\n"},
				{"/proc/self/mountinfo", V2_MOUNT},
				{"/sys/fs/cgroup/a/memory.max", "max\n"},
				{"/sys/fs/cgroup/a/memory.current", "99000\n"},
				{"/sys/fs/cgroup/a/memory.stat", STAT_V2},
				{"/sys/fs/cgroup/a/pids.max", "max\n"},
				{"/sys/fs/cgroup/a/pids.current", "3\n"},
			},
		.left_bytes = LIMITS_NONE,
		.pids_left = LIMITS_NONE,
	};

	(void)state;
	check_tree(&tree);
}

/* A cgroup namespace shows a path from elsewhere: the mount's own top is taken. It has no file of
 * the pids controller, which says nothing of the cgroup that cannot be seen. */
static void tree_v2_namespace(void **state)
{
	static const struct tree tree = {
		.files =
			{
				{"/proc/self/cgroup", "0::/../other\n"},
				{"/proc/self/mountinfo", V2_MOUNT},
				{"/sys/fs/cgroup/memory.max", "5000\n"},
				{"/sys/fs/cgroup/memory.current", "6000\n"},
				{"/sys/fs/cgroup/memory.stat", "file_dirty 10\nactive_file 1\n"},
			},
		.left_bytes = 0,
		.pids_left = LIMITS_UNKNOWN,
	};

	(void)state;
	check_tree(&tree);
}

static void tree_v1(void **state)
{
	static const struct tree tree = {
		.files =
			{
				{"/proc/self/cgroup", "4:memory:/p/q\n0::/\n"},
				{"/proc/self/mountinfo", V2_MOUNT OTHER_MOUNTS V1_MOUNT},
				{"/sys/fs/cgroup/memory/memory.limit_in_bytes",
	                         "9223372036854771712\n"},
				{"/sys/fs/cgroup/memory/p/memory.limit_in_bytes", "70000\n"},
				{"/sys/fs/cgroup/memory/p/memory.usage_in_bytes", "60000\n"},
				{"/sys/fs/cgroup/memory/p/memory.stat", STAT_V1},
				{"/sys/fs/cgroup/memory/p/q/memory.limit_in_bytes",
	                         "9223372036854771712\n"},
				{"/sys/fs/cgroup/memory/p/q/memory.usage_in_bytes", "50\n"},
				{"/sys/fs/cgroup/memory.max", "1\n"},
			},
		.left_bytes = 70000 - 60000 + 360,
		.pids_left = LIMITS_NONE,
	};

	(void)state;
	check_tree(&tree);
}

/* A container of v1: the mount shows the hierarchy from the container's cgroup on. */
static void tree_v1_container(void **state)
{
	static const struct tree tree = {
		.files =
			{
				{"/proc/self/cgroup", "4:memory:/docker/id\n"},
				{"/proc/self/mountinfo",
	                         "35 31 0:32 /docker/id /sys/fs/a\\040b ro master:9 - cgroup c "
	                         "memory\n"},
				{"/sys/fs/a b/memory.limit_in_bytes", "8000\n"},
				{"/sys/fs/a b/memory.usage_in_bytes", "1000\n"},
			},
		.left_bytes = 7000,
		.pids_left = LIMITS_NONE,
	};

	(void)state;
	check_tree(&tree);
}

/* A bind mount of somebody else's cgroup comes first; ours is under the second. */
static void tree_two_mounts(void **state)
{
	static const struct tree tree = {
		.files =
			{
				{"/proc/self/cgroup", "0::/a\n"},
				{"/proc/self/mountinfo",
	                         "35 31 0:32 /z /mnt/z rw - cgroup2 c rw\n" V2_MOUNT},
				{"/mnt/z/memory.max", "1\n"},
				{"/mnt/z/memory.current", "0\n"},
				{"/sys/fs/cgroup/a/memory.max", "300\n"},
				{"/sys/fs/cgroup/a/memory.current", "100\n"},
			},
		.left_bytes = 200,
		.pids_left = LIMITS_NONE,
	};

	(void)state;
	check_tree(&tree);
}

/* The two controllers of v1 have each their own path; more tasks than the limit leave none. */
static void tree_v1_pids(void **state)
{
	static const struct tree tree = {
		.files =
			{
				{"/proc/self/cgroup", "8:pids:/p/q\n4:memory:/m\n0::/\n"},
				{"/proc/self/mountinfo",
	                         V2_MOUNT V1_MOUNT "37 31 0:33 / /sys/fs/cgroup/pids rw - cgroup c "
	                                           "rw,pids\n"},
				{"/sys/fs/cgroup/memory/m/memory.limit_in_bytes", "500\n"},
				{"/sys/fs/cgroup/memory/m/memory.usage_in_bytes", "100\n"},
				{"/sys/fs/cgroup/pids/cgroup.procs", "1\n"},
				{"/sys/fs/cgroup/pids/p/pids.max", "20\n"},
				{"/sys/fs/cgroup/pids/p/pids.current", "21\n"},
				{"/sys/fs/cgroup/pids/p/q/pids.max", "max\n"},
				{"/sys/fs/cgroup/pids/p/q/pids.current", "2\n"},
				{"/sys/fs/cgroup/pids.max", "1\n"},
			},
		.left_bytes = 400,
		.pids_left = 0,
	};

	(void)state;
	check_tree(&tree);
}

/* A limit whose usage, or which itself, cannot be read is not no limit; one that can counts. */
static void tree_unknown(void **state)
{
	static const struct tree tree = {
		.files =
			{
				{"/proc/self/cgroup", "0::/a\n"},
				{"/proc/self/mountinfo", V2_MOUNT},
				{"/sys/fs/cgroup/a/memory.max", "100000\n"},
				{"/sys/fs/cgroup/a/pids.max", "many\n"},
				{"/sys/fs/cgroup/a/pids.current", "1\n"},
			},
		.left_bytes = LIMITS_UNKNOWN,
		.pids_left = LIMITS_UNKNOWN,
	};
	static const struct tree above = {
		.files =
			{
				{"/proc/self/cgroup", "0::/a/b\n"},
				{"/proc/self/mountinfo", V2_MOUNT},
				{"/sys/fs/cgroup/a/pids.max", "9\n"},
				{"/sys/fs/cgroup/a/pids.current", "2\n"},
				{"/sys/fs/cgroup/a/b/pids.max", "5\n"},
			},
		.left_bytes = LIMITS_NONE,
		.pids_left = 7,
	};

	(void)state;
	check_tree(&tree);
	check_tree(&above);
}

/* No mount, or no proc file system: there may be a limit. A kernel without cgroups has none. */
static void tree_nothing(void **state)
{
	static const struct tree no_mount = {
		.files =
			{
				{"/proc/self/cgroup", "0::/a\n"},
				{"/proc/self/mountinfo", "garbage\n\n1 2 3\n - \n" OTHER_MOUNTS},
			},
		.left_bytes = LIMITS_UNKNOWN,
		.pids_left = LIMITS_UNKNOWN,
	};
	static const struct tree no_files = {
		.files = {{"/x", ""}},
		.left_bytes = LIMITS_UNKNOWN,
		.pids_left = LIMITS_UNKNOWN,
	};
	static const struct tree no_cgroups = {
		.files = {{"/proc/self/mountinfo", OTHER_MOUNTS}},
		.left_bytes = LIMITS_NONE,
		.pids_left = LIMITS_NONE,
	};

	(void)state;
	check_tree(&no_mount);
	check_tree(&no_files);
	check_tree(&no_cgroups);
}

/* ---- the kernel's own ------------------------------------------------------------------------ */

#define PIDS_V1  "/sys/fs/cgroup/pids"
#define PIDS_MAX "12"

static char own[128]; /* a cgroup of the test's */

static bool write_own(const char *file, const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", own, file);
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	bool is_written = write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	close(fd);
	return is_written;
}

/* 0 where what was said beforehand is what the kernel allows. */
static int fork_inside(void)
{
	uint64_t said;

	if (!write_own("cgroup.procs", "0"))
		return 2;
	said = cgroup_pids_left();
	if (said != strtoull(PIDS_MAX, NULL, 10) - 1)
		return 1;
	return forks_count() == said ? 0 : 1;
}

/* A cgroup is busy for a moment after its last task. */
static void drop_own(void)
{
	for (int i = 0; i < 1000 && rmdir(own) != 0 && errno == EBUSY; i++)
		usleep(1000);
}

static void pids_of_kernel(void **state)
{
	int status = 0;

	(void)state;
	snprintf(own, sizeof(own), "%s/megaconn-unit-%d",
	         access(PIDS_V1 "/cgroup.procs", F_OK) == 0 ? PIDS_V1 : "/sys/fs/cgroup", getpid());
	if (mkdir(own, 0755) != 0 || !write_own("pids.max", PIDS_MAX)) {
		drop_own();
		print_message("skipped: no pids cgroup can be made here\n");
		skip();
	}
	pid_t pid = fork();

	if (pid == 0)
		_exit(fork_inside());
	waitpid(pid, &status, 0);
	drop_own();
	if (WIFEXITED(status) && WEXITSTATUS(status) == 2) {
		print_message("skipped: a pids cgroup cannot be entered here\n");
		skip();
	}
	assert_int_equal(status, 0);
}

static void read_here(void **state)
{
	(void)state;
	assert_true(cgroup_memory_left_bytes() > 4096);
	assert_true(cgroup_pids_left() > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parse_fixtures),
		cmocka_unit_test(parse_texts),
		cmocka_unit_test(tree_v2),
		cmocka_unit_test(tree_v2_unlimited),
		cmocka_unit_test(tree_v2_namespace),
		cmocka_unit_test(tree_v1),
		cmocka_unit_test(tree_v1_container),
		cmocka_unit_test(tree_v1_pids),
		cmocka_unit_test(tree_two_mounts),
		cmocka_unit_test(tree_unknown),
		cmocka_unit_test(tree_nothing),
		cmocka_unit_test(pids_of_kernel),
		/* Last: it fills the tables of paths that the children above inherit. */
		cmocka_unit_test(read_here),
	};

	return cmocka_run_group_tests_name("unit_cgroup", tests, NULL, NULL);
}
