/* limits: one reader for each fact, and a table for those that are one setting.
 *
 * Where a bound does not hold for us (root, a capability) the kernel decides by capable(), which
 * asks for the capability in the first user namespace: root of a namespace of its own is an
 * ordinary user here.
 *
 * Files: kernel/fork.c (RLIMIT_NPROC, threads-max), kernel/pid.c (pid_max), fs/file_table.c
 * (file-max), fs/file.c (RLIMIT_NOFILE, nr_open), io_uring/rsrc.c (RLIMIT_MEMLOCK). */
#include "kernel/limits.h"

#include "base/text.h"
#include "kernel/cgroup.h"
#include "kernel/conntrack.h"
#include "kernel/probe.h"
#include "kernel/sysctl.h"
#include "kernel/tasks.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define CPUS_MAX             8192
#define CAP_IPC_LOCK_BIT     14 /* linux/capability.h */
#define CAP_SYS_ADMIN_BIT    21
#define CAP_SYS_RESOURCE_BIT 24
#define TUN_PATH             "/dev/net/tun"

static char small_text[16 * 1024]; /* /proc/self/status, /proc/self/uid_map */

static const struct {
	const char *name;
	size_t offset;
} settings[] = {
	{"fs.nr_open", offsetof(struct limits, nr_open)},
	{"fs.file-max", offsetof(struct limits, file_max)},
	{"kernel.pid_max", offsetof(struct limits, pid_max)},
	{"kernel.threads-max", offsetof(struct limits, threads_max)},
	{"vm.overcommit_memory", offsetof(struct limits, overcommit)},
	{"net.core.somaxconn", offsetof(struct limits, somaxconn)},
	{"net.core.netdev_max_backlog", offsetof(struct limits, netdev_max_backlog)},
	{"net.ipv4.tcp_max_syn_backlog", offsetof(struct limits, syn_backlog)},
	{"net.ipv4.tcp_syncookies", offsetof(struct limits, syncookies)},
	{"net.ipv4.tcp_max_orphans", offsetof(struct limits, max_orphans)},
	{"net.ipv4.tcp_max_tw_buckets", offsetof(struct limits, max_tw_buckets)},
	{"net.ipv4.tcp_tw_reuse", offsetof(struct limits, tw_reuse)},
	{"net.ipv4.tcp_ehash_entries", offsetof(struct limits, ehash_entries)},
	{"net.ipv4.neigh.default.gc_thresh3", offsetof(struct limits, neigh4_max)},
	{"net.ipv6.neigh.default.gc_thresh3", offsetof(struct limits, neigh6_max)},
};

static const struct {
	const char *name;
	size_t offset;
} triples[] = {
	{"net.ipv4.tcp_mem", offsetof(struct limits, tcp_mem_pages)},
	{"net.ipv4.tcp_rmem", offsetof(struct limits, tcp_rmem)},
	{"net.ipv4.tcp_wmem", offsetof(struct limits, tcp_wmem)},
};

/* ---- who we are ----------------------------------------------------------------------------- */

/* Capabilities that the kernel asks of with capable() count only in the first user namespace. That
 * we are in it is seen by the map of all ids to themselves. */
static bool in_first_user_namespace(void)
{
	const char *at = small_text;
	char *next;
	static const unsigned long long whole[] = {0, 0, 4294967295};
	size_t i;

	if (probe_read_file("/proc/self/uid_map", small_text, sizeof(small_text)) <= 0)
		return false;
	for (i = 0; i < 3; i++) {
		if (strtoull(at, &next, 10) != whole[i] || next == at)
			return false;
		at = next;
	}
	return true;
}

static uint64_t effective_capabilities(void)
{
	const char *at;

	if (probe_read_file("/proc/self/status", small_text, sizeof(small_text)) < 0)
		return 0;
	at = strstr(small_text, "\nCapEff:");
	return at ? strtoull(at + sizeof("\nCapEff:") - 1, NULL, 16) : 0;
}

static bool is_capable(unsigned int bit)
{
	return (effective_capabilities() >> bit & 1) && in_first_user_namespace();
}

/* Whether user id 0 of this process is the machine's. */
static bool is_machine_root(void)
{
	return getuid() == 0 && in_first_user_namespace();
}

/* ---- readers -------------------------------------------------------------------------------- */

/* What is unknown to kernel/probe. */
static uint64_t from_probe(uint64_t value)
{
	return value == PROBE_UNKNOWN ? LIMITS_UNKNOWN : value;
}

static uint64_t from_rlimit(rlim_t value)
{
	return value == RLIM_INFINITY ? LIMITS_NONE : value;
}

/* What `max` leaves beside `used`. */
static uint64_t left_of(uint64_t max, uint64_t used)
{
	if (max == LIMITS_NONE)
		return LIMITS_NONE;
	if (max == LIMITS_UNKNOWN || used >= LIMITS_UNKNOWN)
		return LIMITS_UNKNOWN;
	return max > used ? max - used : 0;
}

static void read_settings(struct limits *out)
{
	uint64_t value, three[3];

	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		if (sysctl_get_magnitude(settings[i].name, &value) != 0)
			value = LIMITS_UNKNOWN;
		memcpy((char *)out + settings[i].offset, &value, sizeof(value));
	}
	for (size_t i = 0; i < sizeof(triples) / sizeof(triples[0]); i++) {
		struct limits_triple triple = {LIMITS_UNKNOWN, LIMITS_UNKNOWN, LIMITS_UNKNOWN};

		if (sysctl_get_numbers(triples[i].name, three, 3) == 0)
			triple = (struct limits_triple){three[0], three[1], three[2]};
		memcpy((char *)out + triples[i].offset, &triple, sizeof(triple));
	}
	if (sysctl_port_range(&out->port_low, &out->port_high) != 0)
		out->port_low = out->port_high = 0;
}

static void read_process(struct limits *out)
{
	struct rlimit limit;

	out->nofile_soft = out->nofile_hard = out->memlock_bytes = LIMITS_NONE;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		out->nofile_soft = from_rlimit(limit.rlim_cur);
		out->nofile_hard = from_rlimit(limit.rlim_max);
	}
	if (!is_capable(CAP_IPC_LOCK_BIT) && getrlimit(RLIMIT_MEMLOCK, &limit) == 0)
		out->memlock_bytes = from_rlimit(limit.rlim_cur);
	out->cpus = limits_cpus(NULL, 0);
}

static uint64_t files_left(uint64_t file_max)
{
	uint64_t used;

	if (is_capable(CAP_SYS_ADMIN_BIT))
		return LIMITS_NONE;
	return sysctl_get_u64("fs.file-nr", &used) == 0 ? left_of(file_max, used) : LIMITS_UNKNOWN;
}

/* Counting reads /proc through, so it is done only where the limit holds. */
static uint64_t nproc_left(uint64_t nproc)
{
	uint64_t used;

	if (nproc >= LIMITS_UNKNOWN)
		return nproc;
	if (is_machine_root() || is_capable(CAP_SYS_RESOURCE_BIT) || is_capable(CAP_SYS_ADMIN_BIT))
		return LIMITS_NONE;
	return tasks_of_user(&used) == 0 ? left_of(nproc, used) : LIMITS_UNKNOWN;
}

static void read_machine_tasks(struct limits *out)
{
	uint64_t all;

	if (tasks_of_machine(&all) != 0)
		all = LIMITS_UNKNOWN;
	out->pids_left = left_of(out->pid_max, all);
	out->threads_left = left_of(out->threads_max, all);
}

static void read_tasks(struct limits *out)
{
	struct rlimit limit;

	read_machine_tasks(out);
	out->nproc = LIMITS_UNKNOWN;
	if (getrlimit(RLIMIT_NPROC, &limit) == 0)
		out->nproc = from_rlimit(limit.rlim_cur);
	out->nproc_left = nproc_left(out->nproc);
	out->cgroup_pids_left = cgroup_pids_left();
}

static void read_memory(struct limits *out)
{
	struct probe_meminfo memory;

	/* Where it fails, all of it is unknown. */
	(void)probe_read_meminfo(&memory);
	out->memory_total_bytes = from_probe(memory.total_bytes);
	out->memory_left_bytes = from_probe(probe_memory_left_bytes(&memory));
	out->swap_total_bytes = from_probe(memory.swap_total_bytes);
	out->swap_free_bytes = from_probe(memory.swap_free_bytes);
	out->cgroup_left_bytes = cgroup_memory_left_bytes();
	out->page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t neighbours(const char *path)
{
	uint64_t entries;

	(void)probe_read_neighbours(path, &entries); /* unknown where it fails */
	return from_probe(entries);
}

static void read_neighbours(struct limits *out)
{
	out->neigh4_used = neighbours("/proc/self/net/stat/arp_cache");
	out->neigh6_used = neighbours("/proc/self/net/stat/ndisc_cache");
}

static void read_conntrack(struct limits *out)
{
	struct conntrack conntrack;

	conntrack_read(&conntrack);
	out->conntrack = conntrack.use;
	out->conntrack_max = conntrack.max;
	out->conntrack_count = conntrack.count;
	out->conntrack_buckets = conntrack.buckets;
}

/* Opening alone makes no device: TUNSETIFF would. */
static void read_tun(struct limits *out)
{
	int fd = open(TUN_PATH, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	int failed = errno;
	struct text why;

	text_init(&why, out->tun_why, sizeof(out->tun_why));
	if (fd >= 0) {
		close(fd);
		out->tun = LIMITS_USE_YES;
		return;
	}
	text_add(&why, "%s: %s", TUN_PATH, strerror(failed));
	/* A lack of descriptors or memory here says nothing of the device. */
	out->tun = failed == EMFILE || failed == ENFILE || failed == ENOMEM ? LIMITS_USE_UNKNOWN
	                                                                    : LIMITS_USE_NO;
}

void limits_read(struct limits *out)
{
	memset(out, 0, sizeof(*out));
	read_settings(out);
	read_process(out);
	out->files_left = files_left(out->file_max);
	read_tasks(out);
	read_memory(out);
	read_neighbours(out);
	read_conntrack(out);
	read_tun(out);
}

void limits_read_settings(struct limits *out)
{
	memset(out, 0, sizeof(*out));
	out->nofile_soft = out->nofile_hard = out->memlock_bytes = LIMITS_UNKNOWN;
	out->nproc = out->nproc_left = out->cgroup_pids_left = LIMITS_UNKNOWN;
	out->files_left = LIMITS_UNKNOWN;
	out->conntrack_max = out->conntrack_count = out->conntrack_buckets = LIMITS_UNKNOWN;
	read_settings(out);
	read_machine_tasks(out);
	read_memory(out);
	read_neighbours(out);
}

uint64_t limits_known(uint64_t value)
{
	return value == LIMITS_UNKNOWN ? LIMITS_NONE : value;
}

uint32_t limits_cpus(uint32_t *cpus, uint32_t max)
{
	static cpu_set_t set[CPUS_MAX / CPU_SETSIZE];
	uint32_t cpu, count = 0;

	memset(set, 0, sizeof(set));
	if (sched_getaffinity(0, sizeof(set), set) < 0)
		return 0;
	for (cpu = 0; cpu < CPUS_MAX; cpu++) {
		if (!CPU_ISSET_S(cpu, sizeof(set), set))
			continue;
		if (count < max)
			cpus[count] = cpu;
		count++;
	}
	return count;
}

void limits_raise_nofile(void)
{
	struct rlimit limit;
	uint64_t nr_open;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	/* setrlimit refuses a hard limit above it, even one that was there before. */
	if (sysctl_get_magnitude("fs.nr_open", &nr_open) == 0 && nr_open < limit.rlim_max)
		limit.rlim_max = nr_open;
	if (limit.rlim_cur >= limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}
