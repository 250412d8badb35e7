/* live: what the live line of a run shows: filled by run/, drawn by out/. */
#pragma once

#include "base/cause.h"

#include <stdint.h>

struct live {
	const char *phase; /* "ramp", "proof", "hold", ... */
	uint64_t target;   /* 0: a server, which has none */
	uint64_t opened;   /* connected so far; in a proof: proved so far */
	uint64_t reconnected;
	uint64_t rate_per_s;
	uint64_t failed, failed_by_cause[CAUSE_COUNT];
	uint64_t eta_ns;                      /* UINT64_MAX: unknown */
	uint64_t kernel_bytes_per_connection; /* 0: not known yet    */
	uint64_t memory_left_bytes;           /* 0: not known yet    */
};
