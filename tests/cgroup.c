/* cgroup: made by mkdir, entered by writing 0 to its cgroup.procs. */
#include "cgroup.h"

#include "trial.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define V1_LIMIT "/sys/fs/cgroup/memory/memory.limit_in_bytes"
#define V1_PIDS  "/sys/fs/cgroup/pids/cgroup.procs"

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

bool cgroup_make_pids(const char *most)
{
	snprintf(cgroup, sizeof(cgroup), "/sys/fs/cgroup/%smegaconn-test-%d",
	         access(V1_PIDS, F_OK) == 0 ? "pids/" : "", getpid());
	if (mkdir(cgroup, 0755) == 0 && write_file("pids.max", most))
		return true;
	cgroup_drop();
	print_message("skipped: no pids cgroup can be made here\n");
	return false;
}

int cgroup_tasks(void)
{
	char path[256], text[32] = "";

	snprintf(path, sizeof(path), "%s/pids.current", cgroup);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	ssize_t count = read(fd, text, sizeof(text) - 1);

	close(fd);
	return count > 0 ? (int)strtol(text, NULL, 10) : -1;
}

/* Once the last process in it has ended. */
void cgroup_drop(void)
{
	for (int i = 0; i < 600 && rmdir(cgroup) != 0 && errno == EBUSY; i++)
		usleep(10000);
}

void cgroup_enter(void)
{
	if (!write_file("cgroup.procs", "0"))
		_exit(125);
}
