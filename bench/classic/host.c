#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <net/if.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EHASH_FILE  "/proc/sys/net/ipv4/tcp_child_ehash_entries"
#define EHASH_MAX   (16u << 20)
#define PORT_RANGE  "10240 65535"
#define QUIET_BYTES (4 << 20)
#define NS_PER_MS   1000000ll

void complain(const char *fmt, ...)
{
	va_list args;

	fputs("classic: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
}

int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * NS_PER_S + t.tv_nsec;
}

void sleep_ms(int64_t ms)
{
	const struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * NS_PER_MS};

	nanosleep(&t, NULL);
}

int64_t cpu_us(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000ll + u.ru_utime.tv_usec +
	       u.ru_stime.tv_usec;
}

/* ---- what the kernel says ---------------------------------------------------------------- */

/* The number after `key` in a file of "key number" words; -1 where there is none. */
static int64_t number_after(const char *path, const char *line_start, const char *key)
{
	char line[512];
	const char *at;
	int64_t value = -1;
	FILE *f = fopen(path, "re");

	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f)) {
		if (strncmp(line, line_start, strlen(line_start)) != 0)
			continue;
		at = strstr(line, key);
		if (at)
			value = strtoll(at + strlen(key), NULL, 10);
		break;
	}
	fclose(f);
	return value;
}

int64_t meminfo_bytes(const char *key)
{
	int64_t kib = number_after("/proc/meminfo", key, key);

	return kib < 0 ? -1 : kib * 1024;
}

int64_t sockets_allocated(void)
{
	return number_after("/proc/net/sockstat", "TCP:", " alloc ");
}

/* Free pages that wait in the lists of a CPU. MemFree leaves them out, and since Linux 6.7 those
 * lists grow to an eighth of the memory: after a million sockets have been freed, the next run
 * would take gigabytes from there that MemFree never loses. */
static int64_t cpu_list_bytes(void)
{
	char line[256];
	int64_t pages = 0;
	FILE *f = fopen("/proc/zoneinfo", "re");

	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f)) {
		const char *at = strstr(line, " count:");

		if (at)
			pages += strtoll(at + strlen(" count:"), NULL, 10);
	}
	fclose(f);
	return pages * sysconf(_SC_PAGESIZE);
}

/* Whoever lists /proc/PID/fd (a monitor does) makes an inode for each descriptor, which stays. Of
 * that memory megaconn's bill knows nothing either. Only root can tell it: 0 for others. */
static int64_t proc_inode_bytes(void)
{
	static const char name[] = "proc_inode_cache ";
	enum { ACTIVE, OBJECTS, SIZE, OBJECTS_PER_SLAB, PAGES_PER_SLAB, FIELDS };
	int64_t field[FIELDS] = {0};
	char line[512];
	FILE *f = fopen("/proc/slabinfo", "re");

	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f)) {
		char *at = line + sizeof(name) - 1;

		if (strncmp(line, name, sizeof(name) - 1) != 0)
			continue;
		for (int i = 0; i < FIELDS; i++)
			field[i] = strtoll(at, &at, 10);
		break;
	}
	fclose(f);
	if (field[OBJECTS_PER_SLAB] == 0)
		return 0;
	return field[OBJECTS] / field[OBJECTS_PER_SLAB] * field[PAGES_PER_SLAB] *
	       sysconf(_SC_PAGESIZE);
}

/* What megaconn bills, too. */
static int64_t kernel_bytes(void)
{
	static const char *const rows[] = {
		"Slab:", "KernelStack:", "PageTables:", "VmallocUsed:", "Percpu:"};
	int64_t sum = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const int64_t bytes = meminfo_bytes(rows[i]);

		sum += bytes > 0 ? bytes : 0; /* Percpu came in Linux 4.20 */
	}
	return sum - proc_inode_bytes();
}

int64_t private_bytes(int pid)
{
	char path[64];
	int64_t clean, dirty;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
	clean = number_after(path, "Private_Clean:", "Private_Clean:");
	dirty = number_after(path, "Private_Dirty:", "Private_Dirty:");
	return clean < 0 || dirty < 0 ? -1 : (clean + dirty) * 1024;
}

struct memory memory_now(void)
{
	return (struct memory){
		.kernel_bytes = kernel_bytes(),
		.free_bytes = meminfo_bytes("MemFree:") + cpu_list_bytes(),
		.sockets = sockets_allocated(),
	};
}

/* Freeing goes on for seconds after the processes of an earlier run have gone: a baseline taken in
 * that time would make the connections look cheap. */
void wait_until_quiet(uint64_t target)
{
	const int64_t slack = (int64_t)target / 1000 + 16;
	const int64_t deadline = now_ns() + 60 * NS_PER_S;
	struct memory last = memory_now(), m;
	int quiet = 0;

	while (quiet < 5) {
		sleep_ms(200);
		m = memory_now();
		if (llabs(m.sockets - last.sockets) <= slack &&
		    llabs(m.kernel_bytes - last.kernel_bytes) <= QUIET_BYTES &&
		    llabs(m.free_bytes - last.free_bytes) <= QUIET_BYTES)
			quiet++;
		else
			quiet = 0;
		last = m;
		if (now_ns() > deadline) {
			complain("something else is busy here: the memory figures are not exact");
			return;
		}
	}
}

/* ---- the namespace ----------------------------------------------------------------------- */

static int write_file(const char *path, const char *text)
{
	const size_t len = strlen(text);
	const int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t done;

	if (fd < 0)
		return -errno;
	done = write(fd, text, len);
	const int code = done < 0 ? -errno : 0;

	close(fd);
	return code;
}

static int enter_user_namespace(void)
{
	const uid_t uid = getuid();
	const gid_t gid = getgid();
	char text[64];
	int r;

	if (unshare(CLONE_NEWUSER) < 0)
		return -errno;
	/* Linux wants this before a gid_map of an ordinary user; older kernels do not have it. */
	r = write_file("/proc/self/setgroups", "deny");
	if (r < 0 && r != -ENOENT)
		return r;
	snprintf(text, sizeof(text), "0 %u 1", uid);
	r = write_file("/proc/self/uid_map", text);
	if (r < 0)
		return r;
	snprintf(text, sizeof(text), "0 %u 1", gid);
	return write_file("/proc/self/gid_map", text);
}

static int loopback_up(void)
{
	struct ifreq req = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_LOOPBACK | IFF_RUNNING};
	const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int code = 0;

	if (fd < 0)
		return -errno;
	if (ioctl(fd, SIOCSIFFLAGS, &req) < 0)
		code = -errno;
	close(fd);
	return code;
}

/* The size of the TCP hash is read from the namespace that creates: so there are two. */
int enter_namespace(uint64_t target)
{
	static const char *const settings[][2] = {
		{"/proc/sys/net/core/somaxconn", "65535"},
		{"/proc/sys/net/ipv4/tcp_max_syn_backlog", "65535"},
		{"/proc/sys/net/ipv4/ip_local_port_range", PORT_RANGE},
	};
	uint64_t entries = 1024;
	char text[32];
	int r = geteuid() == 0 ? 0 : enter_user_namespace();

	if (r < 0 || unshare(CLONE_NEWNET) < 0) {
		complain("no namespace: %s; run it as root, or allow user namespaces",
		         strerror(r < 0 ? -r : errno));
		return -1;
	}
	while (entries < 2 * target && entries < EHASH_MAX)
		entries *= 2;
	snprintf(text, sizeof(text), "%" PRIu64, entries);
	if (write_file(EHASH_FILE, text) < 0)
		complain("%s cannot be set: this run uses the host's TCP hash", EHASH_FILE);
	if (unshare(CLONE_NEWNET) < 0 || (r = loopback_up()) < 0) {
		complain("no loopback in the namespace: %s", strerror(r < 0 ? -r : errno));
		return -1;
	}
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		r = write_file(settings[i][0], settings[i][1]);
		if (r < 0)
			complain("%s cannot be set: %s", settings[i][0], strerror(-r));
	}
	return 0;
}
