/* netns: unshare(2) in a child, and a second child that is pid 1 there.
 *
 * Two network namespaces are nested: net.ipv4.tcp_child_ehash_entries is read from the namespace that
 * creates (net/ipv4/tcp_ipv4.c, tcp_set_hashinfo), so the outer one is made only to hold that
 * setting, and the host's is not touched. The outer one is gone when the inner one is.
 *
 * The death of the caller reaches pid 1 by PR_SET_PDEATHSIG through the child between them; the death of pid 1
 * ends everything in the pid namespace. PR_SET_PDEATHSIG is set after unshare, since a change of
 * credentials clears it. */
#include "kernel/netns.h"

#include "base/map.h"
#include "kernel/netlink.h"
#include "kernel/sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_NO_NAMESPACES 125
#define HASH_ENTRIES_MOST (1U << 24)

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

static void die_with_parent(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(EXIT_NO_NAMESPACES);
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

static int fail(struct err *err, int code, const char *step)
{
	err_set(err, code, "cannot make a private network namespace (%s: %s)", step,
		strerror(-code));
	return EXIT_NO_NAMESPACES;
}

/* The child between: it lives outside the new pid namespace, whose first process it forks. */
static int hold_namespaces(enum netns_kind kind, uint64_t hash_entries, int (*inside)(void *),
			   void *arg, struct err *err)
{
	const char *step = "";
	int failed = enter(kind, hash_entries, &step);
	pid_t pid;

	if (failed != 0)
		return fail(err, failed, step);
	/* After enter(): a change of credentials clears it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	pid = fork();
	if (pid < 0)
		return fail(err, -errno, "fork");
	if (pid == 0) {
		/* In there the parent's pid reads 0 while it lives. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(inside(arg));
	}
	return wait_for(pid);
}

pid_t netns_spawn(enum netns_kind kind, uint64_t hash_entries, int (*inside)(void *), void *arg,
		  struct err *err)
{
	pid_t parent = getpid();
	pid_t pid = fork();

	if (pid != 0)
		return pid < 0 ? -errno : pid;
	signal(SIGINT, SIG_IGN);
	die_with_parent(parent);
	if (kind == NETNS_HOST)
		_exit(inside(arg));
	_exit(hold_namespaces(kind, hash_entries, inside, arg, err));
}

static int do_nothing(void *arg)
{
	(void)arg;
	return 0;
}

/* Tries a kind out in a child. Returns whether it works; if not, `why` says why. */
static bool works(enum netns_kind kind, struct err *why)
{
	struct err *said = map_shared(sizeof(*said));
	bool does = false;

	if (!said)
		return false;
	pid_t pid = netns_spawn(kind, 1, do_nothing, NULL, said);

	if (pid > 0)
		does = wait_for(pid) == 0;
	if (!does)
		*why = *said;
	map_drop(said, sizeof(*said));
	return does;
}

enum netns_kind netns_probe(struct err *why)
{
	if (geteuid() == 0 && works(NETNS_ROOT, why))
		return NETNS_ROOT;
	if (works(NETNS_USER, why))
		return NETNS_USER;
	return NETNS_HOST;
}
