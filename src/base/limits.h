/* limits: what bounds connections on this machine, as plain numbers. kernel/limits fills it,
 * plan/walls weighs it. */
#pragma once

#include <stdint.h>

#define LIMITS_NONE    UINT64_MAX       /* nothing bounds us there                             */
#define LIMITS_UNKNOWN (UINT64_MAX - 1) /* cannot be read: not fine, but not known to stop us */

enum limits_use { LIMITS_USE_UNKNOWN, LIMITS_USE_NO, LIMITS_USE_YES };

/* Three numbers of one setting, as in net.ipv4.tcp_rmem: least, default, most. */
struct limits_triple {
	uint64_t least, usual, most;
};

/* Each is a number, LIMITS_NONE or LIMITS_UNKNOWN. "Left" is what may still be added now. UNKNOWN
 * is above every number and below NONE, so that the least of several may simply be taken. */
struct limits {
	uint32_t cpus; /* in this process's affinity mask */

	/* Descriptors and locked memory of a process. */
	uint64_t nofile_soft, nofile_hard; /* RLIMIT_NOFILE                                       */
	uint64_t nr_open;                  /* fs.nr_open                                          */
	uint64_t memlock_bytes;            /* RLIMIT_MEMLOCK; NONE with CAP_IPC_LOCK              */

	/* Files and processes of the machine. */
	uint64_t file_max, files_left; /* fs.file-max, less fs.file-nr; left is NONE with
	                                * CAP_SYS_ADMIN in the first user namespace           */
	uint64_t pid_max, pids_left;   /* kernel.pid_max, less all tasks                      */
	uint64_t threads_max, threads_left; /* kernel.threads-max, likewise                   */
	uint64_t nproc, nproc_left; /* RLIMIT_NPROC (soft), less this user's tasks; left is NONE
	                             * for root and with CAP_SYS_RESOURCE or CAP_SYS_ADMIN */
	uint64_t cgroup_pids_left;  /* least (pids.max - pids.current) of the cgroup and its
	                             * ancestors                                           */

	/* Memory. */
	uint64_t memory_total_bytes;
	uint64_t memory_left_bytes; /* probe_memory_left_bytes                             */
	uint64_t cgroup_left_bytes; /* smallest (limit - usage + its droppable page cache) over the
	                             * cgroup's ancestors, v1 and v2                       */
	uint64_t swap_total_bytes, swap_free_bytes;
	uint64_t overcommit; /* vm.overcommit_memory: 0 guess, 1 always, 2 never           */
	uint64_t page_bytes;

	/* Of this network namespace, or of the machine where the kernel has one for all. */
	uint64_t somaxconn, syn_backlog, syncookies;
	struct limits_triple tcp_mem_pages, tcp_rmem, tcp_wmem;
	uint64_t max_orphans, max_tw_buckets, tw_reuse;
	uint64_t ehash_entries; /* net.ipv4.tcp_ehash_entries without its sign (negative where it is
	                         * the first namespace's)                                      */
	uint64_t netdev_max_backlog;
	/* neigh.default.gc_thresh3, and the entries of the tables; of the machine, and shown in its
	 * first network namespace only. */
	uint64_t neigh4_max, neigh4_used, neigh6_max, neigh6_used;
	uint16_t port_low, port_high; /* net.ipv4.ip_local_port_range; 0, 0 where unreadable   */

	/* Connection tracking. NONE where the kernel has none; max also where it is 0. */
	enum limits_use conntrack; /* whether this namespace's rules make the kernel track */
	uint64_t conntrack_max, conntrack_count, conntrack_buckets;

	enum limits_use tun; /* whether /dev/net/tun can be opened          */
	char tun_why[96];    /* where not: "/dev/net/tun: Permission denied" */
};
