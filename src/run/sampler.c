/* sampler: reads what a sample is made of. */
#include "run/sampler.h"

#include "base/clock.h"
#include "base/figure.h"
#include "base/limits.h"
#include "kernel/cgroup.h"
#include "kernel/netns_join.h"
#include "kernel/probe.h"
#include "kernel/vitals.h"

#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define QUIET_STEP_NS (50 * NS_PER_MS)

static uint64_t unix_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static void take_memory(struct sample *out)
{
	uint64_t cgroup_left_bytes = cgroup_memory_left_bytes();

	if (probe_read_meminfo(&out->memory) == 0)
		out->memory_left_bytes = probe_memory_left_bytes(&out->memory);
	if (cgroup_left_bytes < LIMITS_UNKNOWN)
		out->cgroup_left_bytes = cgroup_left_bytes;
}

void sampler_take(struct sample *out)
{
	figure_clear(out);
	out->at_ns = clock_now_ns();
	out->unix_ns = unix_now_ns();
	take_memory(out);
	(void)probe_read_sockstat(&out->sockets);
	if (out->sockets.tcp_mem_pages != PROBE_UNKNOWN)
		out->socket_memory_bytes = out->sockets.tcp_mem_pages *
		                           (uint64_t)sysconf(_SC_PAGESIZE);
	(void)probe_read_tcp(&out->tcp);
	vitals_read(&out->vitals);
	(void)vitals_read_cpus(&out->cpus);
	out->has_slabs = probe_read_slabinfo(&out->slabs) == 0;
}

int sampler_enter_netns(const char *which, struct err *err)
{
	return netns_join(which, err);
}

/* A socket is counted no more before its memory is free: that takes an RCU grace period. */
static bool has_shrunk(const struct sample *before, const struct sample *now, const char *cache)
{
	const struct probe_slab *b = probe_find_slab(&before->slabs, cache);
	const struct probe_slab *n = probe_find_slab(&now->slabs, cache);

	return b && n && n->objects + 64 < b->objects;
}

/* Slabs that shrink by more than 4 MiB in a tenth of a second are sockets going; so is 1 MiB that
 * the cgroup gets back, whatever others' sockets do. */
static bool is_quiet(const struct sample *before, const struct sample *now)
{
	uint64_t left_before = before->cgroup_left_bytes, left_now = now->cgroup_left_bytes;

	if (before->has_slabs && now->has_slabs &&
	    (has_shrunk(before, now, "TCP") || has_shrunk(before, now, "sock_inode_cache")))
		return false;
	return now->sockets.tcp_alloc + 64 >= before->sockets.tcp_alloc &&
	       (left_now == PROBE_UNKNOWN || left_now <= left_before + (1U << 20)) &&
	       now->memory.slab_bytes + (UINT64_C(4) << 20) >= before->memory.slab_bytes;
}

const struct sample *sampler_wait_quiet(uint64_t most_ns)
{
	static struct sample looks[SAMPLER_LOOKS];
	uint64_t end_ns = clock_now_ns() + most_ns;

	do {
		for (int i = 0; i < SAMPLER_LOOKS; i++) {
			if (i > 0)
				clock_sleep_ns(QUIET_STEP_NS);
			sampler_take(&looks[i]);
		}
		if (is_quiet(&looks[0], &looks[SAMPLER_LOOKS - 1]))
			break;
	} while (clock_now_ns() < end_ns);
	return looks;
}

uint64_t sampler_own_bytes(void)
{
	struct probe_smaps smaps;

	return probe_read_smaps(&smaps) == 0 ? smaps.private_bytes : PROBE_UNKNOWN;
}

uint64_t sampler_own_cpu_ns(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * NS_PER_S +
	       (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000;
}
