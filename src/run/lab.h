/* lab: a whole experiment on this machine, in namespaces of its own. */
#pragma once

#include "base/err.h"
#include "base/result.h"
#include "base/via.h"
#include "plan/tuple.h"
#include "run/living.h"
#include "run/supervisor.h"

#include <stdbool.h>
#include <stdint.h>

enum lab_clients {
	LAB_CLIENTS_AUTO, /* kernel sockets where memory holds n of them, else our own TCP */
	LAB_CLIENTS_SOCKETS,
	LAB_CLIENTS_TUN,
	LAB_CLIENTS_PACKET,
	LAB_CLIENTS_COUNT
};

#define LAB_N_MOST UINT64_MAX /* as many as fit */

struct lab_options {
	uint64_t n; /* or LAB_N_MOST */
	enum solution solution;
	enum engine_kind engine; /* of kernel sockets */
	enum lab_clients clients;
	bool ipv6;
	bool no_netns;
	uint64_t start_at_unix_ns; /* of the ramp; 0: as soon as all is ready */
	uint64_t rate_per_s;       /* 0: as fast as it goes */
	struct via via;            /* a box between clients and servers */
	uint64_t hold_ns;
	struct living_options living;
	uint64_t timeout_ns;
	uint64_t retries;
	uint64_t reserve_bytes;       /* 0: the default */
	uint64_t workers;             /* of each side; 0: as many as it takes */
	uint64_t backlog;             /* 0: as large as the kernel lets it be */
	uint16_t port_low, port_high; /* source ports; 0, 0: the kernel's range */
	uint32_t without;             /* ENGINE_WITHOUT_... */
	bool is_measurement; /* by run/cost: judged by known figures, since it is to find them */
};

/* Runs it. `result` is filled in any case: where the run was refused or could not start, its
 * verdict says so, and its reason why and what to do. Returns the exit code of the program; see
 * supervisor_run for signals. */
int lab_run(const struct lab_options *options, const struct run_view *view, struct result *result);
