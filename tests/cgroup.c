/* cgroup: made by mkdir, entered by writing 0 to its cgroup.procs. */
#include "cgroup.h"

#include "trial.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define V1_LIMIT "/sys/fs/cgroup/memory/memory.limit_in_bytes"

static char cgroup[128];

static bool is_v1(void)
{
	return access(V1_LIMIT, F_OK) == 0;
}

static bool write_file(const char *file, const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", cgroup, file);
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	bool is_written = write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	close(fd);
	return is_written;
}

bool cgroup_limit(const char *limit)
{
	return write_file(is_v1() ? "memory.limit_in_bytes" : "memory.max", limit);
}

bool cgroup_make(const char *limit)
{
	snprintf(cgroup, sizeof(cgroup), "/sys/fs/cgroup/%smegaconn-test-%d",
	         is_v1() ? "memory/" : "", getpid());
	if (mkdir(cgroup, 0755) == 0 && cgroup_limit(limit))
		return true;
	cgroup_drop();
	print_message("skipped: no memory cgroup can be made here\n");
	return false;
}

void cgroup_drop(void)
{
	rmdir(cgroup);
}

void cgroup_enter(void)
{
	if (!write_file("cgroup.procs", "0"))
		_exit(125);
}
