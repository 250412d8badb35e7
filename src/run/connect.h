/* connect: clients alone, to any server. */
#pragma once

#include "base/result.h"
#include "run/living.h"
#include "run/supervisor.h"

#include <stdbool.h>
#include <stdint.h>

enum connect_proof {
	CONNECT_PROOF_AUTO, /* where the server echoes; it is asked first */
	CONNECT_PROOF_ECHO, /* always */
	CONNECT_PROOF_NONE
};

struct connect_options {
	const char *target; /* HOST:PORT[-PORT] */
	const char *source; /* LIST|RANGE|CIDR; NULL: what the kernel chooses for the target */
	uint64_t n;
	struct shard shard;      /* n, rates and what is in flight are of all shards */
	int family;              /* AF_INET or AF_INET6 alone; AF_UNSPEC: either */
	enum engine_kind engine; /* AUTO: the best of kernel sockets */
	const char *device;      /* of ENGINE_PACKET: the LAN its clients are on; NULL: this host */
	uint16_t port_low, port_high; /* source ports; 0, 0: the kernel's range */
	uint64_t start_at_unix_ns;    /* of the ramp; 0: as soon as all is ready */
	uint64_t rate_per_s;          /* 0: as fast as it goes */
	uint64_t in_flight; /* connects and echoes under way, and messages of a closed loop; 0: the
	                     * default */
	uint64_t hold_ns;   /* UINT64_MAX: until interrupted */
	struct living_options living;
	uint64_t timeout_ns;
	uint64_t retries;
	enum connect_proof proof;
	enum engine_close close;
	bool watch; /* see losses in the hold at once also where the second proof would */
	bool reconnect;
	bool interrupt_ends_hold; /* an interrupt in the hold ends that alone: what is open is
	                           * proved again, and nothing is missing from the run */
	bool all_or_none; /* n that does not fit is refused, in place of going to the wall */
	bool allow_public;
	uint64_t reserve_bytes;      /* 0: the default */
	uint64_t workers;            /* 0: as many as it takes */
	uint32_t without;            /* ENGINE_WITHOUT_... */
	struct envoy_options server; /* which is asked for its counts */
	uint64_t probe_idle_ns;      /* of run/idle: the longest rest; 0: not that */
};

/* Connects, proves where it can, holds. Where n does not fit it says which wall stops it, and runs
 * to that. `result` is filled in any case, as by lab_run. Returns the exit code of the program; see
 * supervisor_run for signals. */
int connect_run(const struct connect_options *options, const struct run_view *view,
                struct result *result);
