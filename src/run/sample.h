/* sample: memory and CPU as the kernel has them, now; and what lies between two samples as a bill.
 */
#pragma once

#include "base/result.h"
#include "kernel/probe.h"

#include <stdbool.h>
#include <stdint.h>

struct sample {
	struct probe_meminfo memory;
	uint64_t cgroup_left_bytes; /* cgroup_memory_left_bytes */
	struct probe_sockstat sockets;
	bool has_slabs;
	struct probe_slabinfo slabs;
};

/* Takes one. What cannot be read is PROBE_UNKNOWN, or has_slabs is false. */
void sample_take(struct sample *out);

/* Waits, at most `most_ns`, until no sockets of an earlier run are being freed any more. */
void sample_wait_quiet(uint64_t most_ns);

/* Kernel memory that went into connections between two samples: slabs by whole pages, less those
 * that other programs' doings fill (file caches, /proc inodes); page tables, kernel stacks, vmalloc
 * and per-CPU memory. */
int64_t sample_kernel_bytes(const struct sample *before, const struct sample *now);

/* The bill of `connections`: kernel, slab by slab, and what memory lost beyond kernel and
 * `user_bytes`. */
void sample_bill(const struct sample *before, const struct sample *now, uint64_t connections,
                 int64_t server_user_bytes, int64_t client_user_bytes, struct result_memory *out);

/* Private memory of the calling process; RESULT_UNKNOWN where it cannot be read. */
uint64_t sample_own_bytes(void);

/* User and system time of the calling process so far. */
uint64_t sample_own_cpu_ns(void);
