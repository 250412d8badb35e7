/* sample: one look at a host, and at the run on it where there is one. Taken once a second;
 * everything that is shown of it, wherever, is drawn from this structure by the table of figures
 * (base/figure.h). run/sampler takes it.
 *
 * It lies in memory that processes share, so it has no pointers. What is not known is
 * PROBE_UNKNOWN. */
#pragma once

#include "base/hist.h"
#include "base/live.h"
#include "base/probed.h"
#include "base/quantiles.h"

#include <stdbool.h>
#include <stdint.h>

struct sample {
	uint64_t at_ns;   /* CLOCK_MONOTONIC */
	uint64_t unix_ns; /* CLOCK_REALTIME  */

	struct probe_meminfo memory;
	uint64_t memory_left_bytes; /* probe_memory_left_bytes                                 */
	uint64_t cgroup_left_bytes; /* cgroup_memory_left_bytes, LIMITS_NONE and _UNKNOWN unknown */
	uint64_t socket_memory_bytes; /* receive and send memory of TCP: sockets.tcp_mem_pages   */
	struct probe_sockstat sockets;
	struct probe_tcp tcp;
	struct probe_vitals vitals;
	struct probe_cpus cpus;
	bool has_slabs;
	struct probe_slabinfo slabs;

	bool has_run;
	struct live run;
	struct hist connect; /* clients: time from connect to connected */
	/* Clients: time until an answer was whole, from when its message was due, and from when it
	 * was said (base/result.h); all so far. And of the first, those since the sample before. */
	struct hist corrected, uncorrected;
	struct quantiles latency;
};
