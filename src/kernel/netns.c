/* netns: unshare(2) in a child, and a second child that is pid 1 there.
 *
 * Two network namespaces are nested: net.ipv4.tcp_child_ehash_entries is read from the namespace
 * that creates (net/ipv4/tcp_ipv4.c, tcp_set_hashinfo), so the outer one is made only to hold that
 * setting, and the host's is not touched. The outer one is gone when the inner one is.
 *
 * Between the caller and pid 1 stands the holder. It waits for pid 1 to end, and for the lifeline
 * to: then the caller is gone, and pid 1 has a while to close in order, which for a million sockets
 * is much faster than what the kernel does for a killed process (its sockets are then freed one
 * after the other by a single kernel thread). Should the holder be killed too, PR_SET_PDEATHSIG
 * ends pid 1, and with it everything in the pid namespace. PR_SET_PDEATHSIG is set after unshare,
 * since a change of credentials clears it. */
#include "kernel/netns.h"

#include "base/clock.h"
#include "base/map.h"
#include "kernel/netlink.h"
#include "kernel/sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_NO_NAMESPACES 125
#define HASH_ENTRIES_MOST  (1U << 24)

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	size_t len = strlen(text);
	int failed = write(fd, text, len) == (ssize_t)len ? 0 : -errno;

	close(fd);
	return failed;
}

/* Makes the caller root in its user namespace. */
static int map_ids(uid_t uid, gid_t gid)
{
	char line[64];
	int failed = write_file("/proc/self/setgroups", "deny");

	if (failed != 0 && failed != -ENOENT)
		return failed;
	snprintf(line, sizeof(line), "0 %u 1", uid);
	failed = write_file("/proc/self/uid_map", line);
	if (failed != 0)
		return failed;
	snprintf(line, sizeof(line), "0 %u 1", gid);
	return write_file("/proc/self/gid_map", line);
}

static void set_child_hash(uint64_t entries)
{
	char value[24];
	uint64_t size = 1024;

	while (size < entries && size < HASH_ENTRIES_MOST)
		size *= 2;
	snprintf(value, sizeof(value), "%llu", (unsigned long long)size);
	/* Without it the host's hash serves, with longer chains. */
	(void)sysctl_set("net.ipv4.tcp_child_ehash_entries", value);
}

/* Returns 0, or a negative errno with the step in *step. */
static int enter(enum netns_kind kind, uint64_t hash_entries, const char **step)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	int flags = CLONE_NEWNET | CLONE_NEWPID | (kind == NETNS_USER ? CLONE_NEWUSER : 0);

	*step = "unshare";
	if (unshare(flags) != 0)
		return -errno;
	if (kind == NETNS_USER) {
		*step = "the user id map";
		int failed = map_ids(uid, gid);

		if (failed != 0)
			return failed;
	}
	if (hash_entries > 0) {
		set_child_hash(hash_entries);
		*step = "unshare";
		if (unshare(CLONE_NEWNET) != 0)
			return -errno;
	}
	*step = "the loopback link";
	return netlink_link_up("lo");
}

static int fail(struct err *err, int code, const char *step)
{
	err_set(err, code, "cannot make a private network namespace (%s: %s)", step,
	        strerror(-code));
	return EXIT_NO_NAMESPACES;
}

static int wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return EXIT_NO_NAMESPACES;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Waits for pid 1; when the lifeline ends before, only for the grace. */
static int hold(pid_t pid, int lifeline)
{
	int pid_fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd fds[2] = {{.fd = pid_fd, .events = POLLIN}, {.fd = lifeline}};

	while (pid_fd >= 0 && poll(fds, 2, -1) < 0 && errno == EINTR)
		;
	if (pid_fd >= 0 && fds[0].revents == 0) {
		poll(fds, 1, (int)(NETNS_GRACE_NS / NS_PER_MS));
		kill(pid, SIGKILL); /* nothing to a process that has ended */
	}
	return wait_for(pid);
}

static void leave_signals_to_caller(void)
{
	sigset_t none;

	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static int run_inside(const struct netns_child *child)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	return child->inside(child->arg);
}

/* The holder lives outside the new pid namespace, whose first process it forks. */
static int run_holder(const struct netns_child *child)
{
	const char *step = "";
	int failed = 0;
	pid_t pid;

	leave_signals_to_caller();
	close(child->lifeline[1]); /* so that it ends with the caller */
	if (child->kind != NETNS_HOST)
		failed = enter(child->kind, child->hash_entries, &step);
	if (failed != 0)
		return fail(child->err, failed, step);
	pid = fork();
	if (pid < 0)
		return fail(child->err, -errno, "fork");
	if (pid == 0)
		_exit(run_inside(child));
	return hold(pid, child->lifeline[0]);
}

pid_t netns_spawn(const struct netns_child *child)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(run_holder(child));
	return pid < 0 ? -errno : pid;
}

static int do_nothing(void *arg)
{
	(void)arg;
	return 0;
}

/* Tries a kind out in a child. Returns whether it works; if not, `why` says why. */
static bool works(enum netns_kind kind, struct err *why)
{
	int lifeline[2];
	struct netns_child child = {
		.kind = kind,
		.hash_entries = 1,
		.lifeline = lifeline,
		.inside = do_nothing,
		.err = map_shared(sizeof(*child.err)),
	};
	bool does = false;

	if (child.err && pipe2(lifeline, O_CLOEXEC) == 0) {
		pid_t pid = netns_spawn(&child);

		does = pid > 0 && wait_for(pid) == 0;
		close(lifeline[0]);
		close(lifeline[1]);
	}
	if (!does && child.err)
		*why = *child.err;
	map_drop(child.err, sizeof(*child.err));
	return does;
}

/* ---- further networks ----------------------------------------------------------------------- */

int netns_here(void)
{
	int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int netns_enter(int net)
{
	return setns(net, CLONE_NEWNET) == 0 ? 0 : -errno;
}

int netns_make(uint64_t hash_entries)
{
	int here = netns_here(), made, failed;

	if (here < 0)
		return here;
	set_child_hash(hash_entries);
	if (unshare(CLONE_NEWNET) != 0) {
		made = -errno;
		close(here);
		return made;
	}
	failed = netlink_link_up("lo");
	made = failed == 0 ? netns_here() : failed;
	failed = netns_enter(here);
	close(here);
	if (failed == 0 || made < 0)
		return failed == 0 ? made : failed;
	close(made);
	return failed;
}

enum netns_kind netns_probe(struct err *why)
{
	if (geteuid() == 0 && works(NETNS_ROOT, why))
		return NETNS_ROOT;
	if (works(NETNS_USER, why))
		return NETNS_USER;
	return NETNS_HOST;
}
