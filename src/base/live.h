/* live: what a run is doing: filled by run/supervisor, drawn by out/. */
#pragma once

#include "base/answer.h"
#include "base/cause.h"

#include <stdint.h>

enum live_phase {
	LIVE_START,
	LIVE_RAMP,
	LIVE_SERVE, /* a server's ramp: whoever comes */
	LIVE_PROOF,
	LIVE_HOLD,
	LIVE_CLOSE,
	LIVE_PHASE_COUNT
};

struct live {
	enum live_phase phase;
	uint64_t starts_in_ns; /* it waits to begin; 0: it does not */
	uint32_t stage;        /* of the hold, from 1; 0: none has begun */
	uint64_t target;       /* 0: a server, which has none */
	uint64_t opened;       /* open now; in a proof: proved so far */
	uint64_t rate_per_s;
	uint64_t failed, failed_by_cause[CAUSE_COUNT]; /* those lost later as well */
	uint64_t eta_ns;                               /* UINT64_MAX: unknown */
	uint64_t kernel_bytes_per_connection;          /* 0: not known        */
	uint64_t memory_left_bytes;                    /* 0: not known yet    */

	/* Since the run began. */
	uint64_t connected, accepted; /* by clients, by servers      */
	uint64_t proved;              /* echoes, in all proofs       */
	uint64_t retried, reconnected;
	uint64_t lost_by_cause[CAUSE_COUNT];
	uint64_t received_bytes;
	/* What stages do; in a sample unknown where no stage does it. */
	uint64_t said, heard_bytes, answers[ANSWER_COUNT];
	uint64_t churned, storm_cut, storm_back;
	/* Of the last second; 0: nothing was answered in it. */
	uint64_t answers_per_s, latency_p99_ns;
	/* Now. */
	uint64_t clients_open, servers_open;
	uint64_t user_bytes; /* of all workers, when they were asked last; 0: not yet */
};

/* "ramp", "proof", "hold", ... */
const char *live_phase_name(enum live_phase phase);
