/* sealed: unshare(2), and tmpfs over what must not be touched. */
#include "sealed.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static bool is_real_root;

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool is_written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return is_written;
}

static bool become_root_of_own(void)
{
	char uids[64], gids[64];

	snprintf(uids, sizeof(uids), "0 %u 1", geteuid());
	snprintf(gids, sizeof(gids), "0 %u 1", getegid());
	return unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS) == 0 &&
	       write_file("/proc/self/setgroups", "deny") &&
	       write_file("/proc/self/uid_map", uids) && write_file("/proc/self/gid_map", gids);
}

static bool enter(const char *const *directories)
{
	struct stat stat_of;

	if (geteuid() == 0 ? unshare(CLONE_NEWNET | CLONE_NEWNS) != 0 : !become_root_of_own())
		return false;
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		return false;
	for (; *directories; directories++) {
		if (stat(*directories, &stat_of) == 0 &&
		    mount("sealed", *directories, "tmpfs", 0, "mode=0755") != 0)
			return false;
	}
	return true;
}

/* Tried in a child first: half a namespace is worse than none. */
bool sealed_enter(const char *const *directories)
{
	int status = 1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(enter(directories) ? 0 : 1);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
		return false;
	is_real_root = geteuid() == 0;
	return enter(directories);
}

bool sealed_lock(const char *path)
{
	return mount(path, path, NULL, MS_BIND | MS_REC, NULL) == 0 &&
	       mount(NULL, path, NULL,
	             MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
	             NULL) == 0;
}

bool sealed_unlock(const char *path)
{
	return umount2(path, MNT_DETACH) == 0;
}

bool sealed_is_real_root(void)
{
	return is_real_root;
}
