/* experiment: what an experiment is, decided before anything is opened: who connects where, with
 * how many workers, for how long. Everybody reads it; nobody changes it once workers are forked. */
#pragma once

#include "plan/tuple.h"

#include <stdbool.h>
#include <stdint.h>

struct experiment {
	uint64_t n;
	enum solution solution;
	struct tuple_plan tuples;
	uint32_t server_workers, client_workers;
	uint32_t server_worker_most; /* connections a server's engine is sized for           */
	uint64_t nofile;             /* descriptor limit of a worker                         */
	uint64_t memlock_bytes;      /* of locked memory for one worker; UINT64_MAX: no bound */
	uint32_t without;            /* features of the engine that may not be used          */
	int backlog;
	bool pinned;         /* a server and a client on each CPU, joined by SO_INCOMING_CPU */
	uint64_t rate_per_s; /* of all workers together; 0: as fast as it goes          */
	uint64_t hold_ns;
	uint64_t timeout_ns; /* of a connect, and of an echo                            */
	uint32_t retries;
	uint64_t reserve_bytes; /* of memory: below it the guard ends the ramp         */
	bool has_netns;
};
