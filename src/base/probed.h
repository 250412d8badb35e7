/* probed: what the kernel tells in text files, as plain structures. kernel/probe and kernel/vitals
 * fill them; a sample (base/sample.h) is made of them. What could not be read is PROBE_UNKNOWN. */
#pragma once

#include <stdint.h>

#define PROBE_UNKNOWN UINT64_MAX

/* /proc/meminfo (fs/proc/meminfo.c), in bytes. */
struct probe_meminfo {
	uint64_t total_bytes, free_bytes, available_bytes;
	uint64_t active_file_bytes, inactive_file_bytes, shmem_bytes, dirty_bytes;
	uint64_t anon_bytes; /* AnonPages: user memory of all processes */
	uint64_t slab_bytes, slab_reclaimable_bytes, slab_unreclaim_bytes;
	uint64_t cpu_lists_bytes; /* free pages in per-CPU lists, which MemFree leaves out */
	uint64_t kernel_stack_bytes, page_tables_bytes, vmalloc_used_bytes, percpu_bytes;
	uint64_t swap_total_bytes, swap_free_bytes;
};

/* /proc/slabinfo, version 2.x (mm/slab_common.c). */
#define PROBE_SLABS_MAX 512
struct probe_slab {
	char name[32];
	uint64_t objects; /* active */
	uint64_t object_bytes;
	uint64_t bytes; /* whole pages: num_slabs * pagesperslab * page size */
};
struct probe_slabinfo {
	uint32_t count;
	struct probe_slab slabs[PROBE_SLABS_MAX];
};

/* /proc/net/sockstat and sockstat6 (net/ipv4/proc.c): inuse and tw are the network namespace's;
 * orphan, alloc and mem (pages) the machine's. tcp6_inuse comes from sockstat6. */
struct probe_sockstat {
	uint64_t tcp_inuse, tcp_orphan, tcp_tw, tcp_alloc, tcp_mem_pages, tcp6_inuse;
};

/* /proc/net/snmp and /proc/net/netstat, of the network namespace. All but curr_estab only grow. */
struct probe_tcp {
	/* Tcp: */
	uint64_t active_opens, passive_opens, attempt_fails, estab_resets, curr_estab, in_segs,
		out_segs, retrans_segs, in_errs, out_rsts;
	/* TcpExt: */
	uint64_t listen_overflows, listen_drops, syncookies_sent, syncookies_recv,
		syncookies_failed, syn_retrans, timeouts, abort_on_timeout, abort_on_memory,
		req_q_full_drop, req_q_full_do_cookies, backlog_drop;
};

/* /proc/stat (fs/proc/stat.c): time of one CPU since the boot. busy is all but idle and iowait;
 * softirq, which is a part of it, is mostly the network's. */
#define PROBE_CPUS_MAX 256
struct probe_cpu {
	char name[8]; /* "0", "1", ...: those that are offline are missing */
	uint64_t busy_ns, softirq_ns, idle_ns;
};
struct probe_cpus {
	uint32_t count; /* the first PROBE_CPUS_MAX of those online */
	struct probe_cpu cpus[PROBE_CPUS_MAX];
};

/* What else there is of the machine, and of this network namespace. */
struct probe_vitals {
	uint64_t files;                    /* fs.file-nr: open files of the machine       */
	uint64_t backlog_drops, squeezes;  /* /proc/net/softnet_stat, all CPUs together:
	                                    * netdev_max_backlog was full; the budget ended */
	uint64_t conntrack, conntrack_max; /* nf_conntrack_count and _max                 */
};
