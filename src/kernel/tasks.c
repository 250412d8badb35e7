/* tasks: counted from /proc.
 *
 * The kernel counts a user's tasks in a number that it does not show (user_struct and ucounts,
 * kernel/fork.c): they are added up here from the "Uid:" and "Threads:" lines of all processes.
 * Processes that come or go meanwhile may be missed or counted: the sum is as good as its moment.
 * With /proc mounted "hidepid", other users' processes are hidden, and one's own are not. */
#include "kernel/tasks.h"

#include "kernel/probe.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LOADAVG_FIELD 3 /* from 0: "running/all" */

/* The list of groups, which may be long, comes before the threads. */
static char status_text[64 * 1024];

/* Reads digits at `at`; returns what is behind them, or NULL where there are none or too many. */
static const char *take_number(const char *at, uint64_t *out)
{
	const char *c = at;
	uint64_t n = 0;

	for (; *c >= '0' && *c <= '9'; c++) {
		if (__builtin_mul_overflow(n, UINT64_C(10), &n) ||
		    __builtin_add_overflow(n, (uint64_t)(*c - '0'), &n))
			return NULL;
	}
	*out = n;
	return c > at ? c : NULL;
}

int tasks_parse_loadavg(const char *text, uint64_t *count)
{
	uint64_t running, all;

	for (int field = 0; field < LOADAVG_FIELD; field++) {
		text = strchr(text, ' ');
		if (!text)
			return -EINVAL;
		text++;
	}
	text = take_number(text, &running);
	if (!text || *text != '/')
		return -EINVAL;
	text = take_number(text + 1, &all);
	if (!text || *text != ' ')
		return -EINVAL;
	*count = all;
	return 0;
}

/* The first number of the line that starts with the name ("\nUid:\t1000\t1000..."). */
static bool line_number(const char *text, const char *name, uint64_t *out)
{
	const char *at = strstr(text, name);

	if (!at)
		return false;
	at += strlen(name);
	at += strspn(at, " \t");
	at = take_number(at, out);
	/* A number at the very end was cut. */
	return at && *at != '\0';
}

int tasks_parse_status(const char *text, uint64_t *uid, uint64_t *threads)
{
	uint64_t user, count;

	/* "Name:" is the first line, and the kernel escapes newlines in it. */
	if (!line_number(text, "\nUid:", &user) || !line_number(text, "\nThreads:", &count))
		return -EINVAL;
	*uid = user;
	*threads = count;
	return 0;
}

int tasks_of_machine(uint64_t *count)
{
	char text[128];
	long len = probe_read_file("/proc/loadavg", text, sizeof(text));

	return len < 0 ? (int)len : tasks_parse_loadavg(text, count);
}

/* The tasks of the process with this directory's name, where it is the user's. */
static uint64_t tasks_of(const char *pid, uid_t uid)
{
	char path[sizeof("/proc//status") + 256];
	uint64_t user, threads;

	snprintf(path, sizeof(path), "/proc/%s/status", pid);
	if (probe_read_file(path, status_text, sizeof(status_text)) < 0 ||
	    tasks_parse_status(status_text, &user, &threads) != 0)
		return 0; /* it has gone */
	return user == uid ? threads : 0;
}

int tasks_of_user(uint64_t *count)
{
	DIR *dir = opendir("/proc");
	const struct dirent *entry;
	uid_t uid = getuid();
	uint64_t sum = 0;

	if (!dir)
		return -errno;
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9')
			sum += tasks_of(entry->d_name, uid);
	}
	closedir(dir);
	if (sum == 0)
		return -ENOENT; /* not even ourselves: this is no proc file system */
	*count = sum;
	return 0;
}
