/* unit_limits: the facts of this machine, held against the files and calls they come from; and the
 * tasks of a user, made until the kernel refuses one. */
#include "kernel/limits.h"

#include "forks.h"
#include "kernel/probe.h"
#include "kernel/sysctl.h"

#include <errno.h>
#include <grp.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define NPROC   20
#define NOBODYS 54321 /* a user id that nobody here has */

static struct limits facts;

static bool is_number(uint64_t value)
{
	return value < LIMITS_UNKNOWN;
}

/* What has a file is its number; what has none is unknown, not fine. */
static void assert_setting(const char *name, uint64_t value)
{
	uint64_t expected;

	if (sysctl_get_magnitude(name, &expected) != 0)
		expected = LIMITS_UNKNOWN;
	if (value != expected)
		fail_msg("%s is %llu, not %llu", name, (unsigned long long)expected,
		         (unsigned long long)value);
}

static void assert_triple(const char *name, const struct limits_triple *triple)
{
	uint64_t three[3] = {LIMITS_UNKNOWN, LIMITS_UNKNOWN, LIMITS_UNKNOWN};

	(void)sysctl_get_numbers(name, three, 3);
	assert_true(triple->least == three[0]);
	assert_true(triple->usual == three[1]);
	assert_true(triple->most == three[2]);
}

static void assert_settings(void)
{
	assert_setting("fs.nr_open", facts.nr_open);
	assert_setting("fs.file-max", facts.file_max);
	assert_setting("kernel.pid_max", facts.pid_max);
	assert_setting("kernel.threads-max", facts.threads_max);
	assert_setting("vm.overcommit_memory", facts.overcommit);
	assert_setting("net.core.somaxconn", facts.somaxconn);
	assert_setting("net.core.netdev_max_backlog", facts.netdev_max_backlog);
	assert_setting("net.ipv4.tcp_max_syn_backlog", facts.syn_backlog);
	assert_setting("net.ipv4.tcp_syncookies", facts.syncookies);
	assert_setting("net.ipv4.tcp_max_orphans", facts.max_orphans);
	assert_setting("net.ipv4.tcp_max_tw_buckets", facts.max_tw_buckets);
	assert_setting("net.ipv4.tcp_tw_reuse", facts.tw_reuse);
	assert_setting("net.ipv4.tcp_ehash_entries", facts.ehash_entries);
	assert_setting("net.ipv4.neigh.default.gc_thresh3", facts.neigh4_max);
	assert_setting("net.ipv6.neigh.default.gc_thresh3", facts.neigh6_max);
	assert_triple("net.ipv4.tcp_mem", &facts.tcp_mem_pages);
	assert_triple("net.ipv4.tcp_rmem", &facts.tcp_rmem);
	assert_triple("net.ipv4.tcp_wmem", &facts.tcp_wmem);
}

static void read_here(void **state)
{
	struct rlimit nofile;

	(void)state;
	memset(&facts, 0xa5, sizeof(facts));
	limits_read(&facts);
	assert_settings();
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &nofile), 0);
	assert_true(facts.nofile_soft == nofile.rlim_cur);
	assert_true(facts.nofile_hard == nofile.rlim_max);
	assert_true(facts.memlock_bytes > 0 && facts.memlock_bytes != LIMITS_UNKNOWN);
	assert_true(facts.files_left > 0);
	assert_true(is_number(facts.pid_max) && facts.pids_left < facts.pid_max);
	assert_true(is_number(facts.threads_max) && facts.threads_left < facts.threads_max);
	assert_true(facts.nproc_left > 0 && facts.cgroup_pids_left > 0);
	assert_true(is_number(facts.memory_total_bytes));
	assert_in_range(facts.memory_left_bytes, 4096, facts.memory_total_bytes);
	assert_true(facts.cgroup_left_bytes > 4096);
	assert_in_range(facts.swap_free_bytes, 0, facts.swap_total_bytes);
	assert_true(is_number(facts.swap_total_bytes));
	assert_int_equal(facts.page_bytes, sysconf(_SC_PAGESIZE));
	assert_true(facts.port_low > 0 && facts.port_low <= facts.port_high);
	assert_true(facts.conntrack != LIMITS_USE_YES || facts.conntrack_max != LIMITS_UNKNOWN);
	assert_true((facts.tun_why[0] == '\0') == (facts.tun == LIMITS_USE_YES));
	assert_true(facts.tun_why[0] == '\0' || !strncmp(facts.tun_why, "/dev/net/tun: ", 14));
}

/* The same where it is read; the rest is unknown. */
static void read_settings_alone(void **state)
{
	(void)state;
	memset(&facts, 0xa5, sizeof(facts));
	limits_read_settings(&facts);
	assert_settings();
	assert_true(is_number(facts.pid_max) && facts.pids_left < facts.pid_max);
	assert_true(is_number(facts.threads_max) && facts.threads_left < facts.threads_max);
	assert_in_range(facts.memory_left_bytes, 4096, facts.memory_total_bytes);
	assert_true(facts.nofile_soft == LIMITS_UNKNOWN && facts.memlock_bytes == LIMITS_UNKNOWN);
	assert_true(facts.nproc_left == LIMITS_UNKNOWN && facts.files_left == LIMITS_UNKNOWN);
	assert_true(facts.conntrack == LIMITS_USE_UNKNOWN && facts.tun == LIMITS_USE_UNKNOWN);
	assert_true(facts.conntrack_max == LIMITS_UNKNOWN && facts.tun_why[0] == '\0');
}

static void read_cpus(void **state)
{
	uint32_t cpus[4096], count, i;

	(void)state;
	limits_read(&facts);
	assert_in_range(facts.cpus, 1, 4096);
	count = limits_cpus(cpus, 4096);
	assert_int_equal(count, facts.cpus);
	for (i = 1; i < count; i++)
		assert_true(cpus[i - 1] < cpus[i]);
	assert_int_equal(limits_cpus(NULL, 0), count);
}

static void known(void **state)
{
	(void)state;
	assert_true(limits_known(LIMITS_UNKNOWN) == LIMITS_NONE);
	assert_true(limits_known(LIMITS_NONE) == LIMITS_NONE);
	assert_true(limits_known(0) == 0);
	assert_true(limits_known(LIMITS_UNKNOWN - 1) == LIMITS_UNKNOWN - 1);
}

static void cpus_of_mask(void **state)
{
	cpu_set_t before, one;
	uint32_t cpus[2] = {99999, 99999};

	(void)state;
	assert_true(limits_cpus(cpus, 2) > 0);
	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	CPU_ZERO(&one);
	CPU_SET(cpus[0], &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	cpus[1] = 99999;
	assert_int_equal(limits_cpus(cpus, 2), 1);
	assert_true(CPU_ISSET(cpus[0], &one));
	assert_int_equal(cpus[1], 99999);
	assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
}

static void raise_nofile(void **state)
{
	struct rlimit limit;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = 64;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	limits_raise_nofile();
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(limit.rlim_cur, limit.rlim_max);
}

/* A child for what cannot be undone; its result, which is 2 where it is not allowed. */
static void assert_in_child(int (*inside)(void), const char *not_allowed)
{
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(inside());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 2) {
		print_message("skipped: %s\n", not_allowed);
		skip();
	}
	assert_int_equal(status, 0);
}

/* In a namespace of its own what is the machine's has no file; the hash is the first one's. */
static int read_in_namespace(void)
{
	char text[32];
	long len;

	if (unshare(geteuid() == 0 ? CLONE_NEWNET : CLONE_NEWUSER | CLONE_NEWNET) != 0)
		return 2;
	limits_read(&facts);
	assert_settings();
	len = sysctl_get("net.ipv4.tcp_ehash_entries", text, sizeof(text));
	if (len > 0 && text[0] == '-' && facts.ehash_entries != strtoull(text + 1, NULL, 10))
		return 1;
	if (sysctl_get("net.ipv4.tcp_mem", text, sizeof(text)) == -ENOENT &&
	    (facts.tcp_mem_pages.most != LIMITS_UNKNOWN || facts.neigh4_used != LIMITS_UNKNOWN))
		return 1;
	return is_number(facts.somaxconn) && is_number(facts.tcp_rmem.most) ? 0 : 1;
}

static void read_apart(void **state)
{
	(void)state;
	assert_in_child(read_in_namespace, "no network namespace can be made here");
}

/* With a task besides itself, so that counting only itself would be seen. */
static int fork_as_somebody(void)
{
	const struct rlimit few = {.rlim_cur = NPROC, .rlim_max = NPROC};
	pid_t other;
	bool is_right;

	if (geteuid() != 0 || setgroups(0, NULL) != 0 || setgid(NOBODYS) != 0 ||
	    setuid(NOBODYS) != 0)
		return 2;
	other = fork();
	if (other == 0) {
		pause();
		_exit(0);
	}
	if (other < 0 || setrlimit(RLIMIT_NPROC, &few) != 0)
		return 3;
	limits_read(&facts);
	is_right = facts.nproc == NPROC && facts.nproc_left == NPROC - 2 &&
	           forks_count() == facts.nproc_left;
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
	return is_right ? 0 : 1;
}

static void nproc_of_kernel(void **state)
{
	(void)state;
	assert_in_child(fork_as_somebody, "only root can become another user");
}

/* For the machine's root the limit does not bound; a namespace's root is a user like others. */
static int fork_as_root(void)
{
	const struct rlimit one = {.rlim_cur = 1, .rlim_max = 1};
	char text[128] = "";
	long len = probe_read_file("/proc/self/uid_map", text, sizeof(text));

	if (geteuid() != 0 || len <= 0 || !strstr(text, " 4294967295\n") ||
	    setrlimit(RLIMIT_NPROC, &one) != 0)
		return 2;
	limits_read(&facts);
	return facts.nproc == 1 && facts.nproc_left == LIMITS_NONE && forks_count() == FORKS_MOST
	               ? 0
	               : 1;
}

static void nproc_of_root(void **state)
{
	(void)state;
	assert_in_child(fork_as_root, "not the machine's root");
}

/* The device that a child without descriptors cannot open is not said to be missing. */
static int read_without_descriptors(void)
{
	const struct rlimit none = {.rlim_cur = 0, .rlim_max = 0};

	if (setrlimit(RLIMIT_NOFILE, &none) != 0)
		return 2;
	limits_read(&facts);
	return facts.tun == LIMITS_USE_UNKNOWN && facts.conntrack == LIMITS_USE_UNKNOWN &&
	                       facts.pid_max == LIMITS_UNKNOWN &&
	                       facts.pids_left == LIMITS_UNKNOWN &&
	                       facts.memory_left_bytes == LIMITS_UNKNOWN &&
	                       facts.cgroup_left_bytes == LIMITS_UNKNOWN &&
	                       facts.cgroup_pids_left == LIMITS_UNKNOWN &&
	                       facts.tcp_rmem.least == LIMITS_UNKNOWN && facts.port_low == 0 &&
	                       facts.nofile_hard == 0
	               ? 0
	               : 1;
}

static void read_nothing(void **state)
{
	(void)state;
	assert_in_child(read_without_descriptors, "a descriptor limit cannot be set");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		/* First: the tables of cgroups that are found once are inherited. */
		cmocka_unit_test(read_nothing),
		cmocka_unit_test(read_here),
		cmocka_unit_test(read_settings_alone),
		cmocka_unit_test(read_cpus),
		cmocka_unit_test(known),
		cmocka_unit_test(cpus_of_mask),
		cmocka_unit_test(raise_nofile),
		cmocka_unit_test(read_apart),
		cmocka_unit_test(nproc_of_kernel),
		cmocka_unit_test(nproc_of_root),
	};

	return cmocka_run_group_tests_name("unit_limits", tests, NULL, NULL);
}
