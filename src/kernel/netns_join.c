/* netns_join: setns(2), which itself refuses what is no network namespace. */
#include "kernel/netns_join.h"

#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* O_NONBLOCK: a FIFO of that name must not hold us. */
static int open_namespace(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	return fd < 0 ? -errno : fd;
}

/* Returns a descriptor or a negative errno. */
static int open_which(const char *which)
{
	char path[PATH_MAX];
	size_t len = strlen(which);

	if (len == 0 || len >= NAME_MAX)
		return strchr(which, '/') ? open_namespace(which) : -ENOENT;
	if (strchr(which, '/'))
		return open_namespace(which);
	snprintf(path, sizeof(path), "/run/netns/%s", which);
	int fd = open_namespace(path);

	if (fd != -ENOENT || strspn(which, "0123456789") != len)
		return fd;
	snprintf(path, sizeof(path), "/proc/%s/ns/net", which);
	return open_namespace(path);
}

static int fail(int code, const char *which, struct err *err)
{
	const struct text_quoted quoted = text_quote(which, strlen(which));
	const char *name = quoted.text;

	switch (code) {
	case -ENOENT:
		return err_set(err, code,
		               "there is no network namespace '%s' ('ip netns' lists those with a "
		               "name; the pid of a process in it, or a path, will do too)",
		               name);
	case -EINVAL:
		return err_set(err, code, "'%s' is not a network namespace", name);
	case -EPERM:
	case -EACCES:
		return err_set(err, code,
		               geteuid() != 0 ? "only root may enter network namespace '%s'"
		                              : "not permitted to enter network namespace '%s': "
		                                "that takes CAP_SYS_ADMIN, and for a pid "
		                                "CAP_SYS_PTRACE, in the namespace's owner",
		               name);
	default:
		return err_set(err, code, "cannot enter network namespace '%s': %s", name,
		               strerror(-code));
	}
}

int netns_join(const char *which, struct err *err)
{
	int fd = open_which(which), failed = 0;

	if (fd < 0)
		return fail(fd, which, err);
	if (setns(fd, CLONE_NEWNET) != 0)
		failed = -errno;
	close(fd);
	return failed == 0 ? 0 : fail(failed, which, err);
}
