/* world: clients of ours and model servers, a bad wire between them, and simulated time. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define WORLD_CONNECTIONS 1000

/* In thousandths of packets, each way. */
struct world_wire {
	unsigned int lost, twice, corrupt, late;
	bool is_quick; /* no jitter, and who reads does so at once */
	bool is_ipv6;
	unsigned int tries; /* a client connects so often before it fails */
};

struct world_result {
	uint32_t proved, failed;
	uint64_t packets, lost, corrupt, caught; /* caught by a checksum, or as malformed */
	uint64_t retransmitted, probes, reconnected, refused, simulated_ms, steps;
	uint32_t by_error[3]; /* refused, reset or gone, timed out */
	uint32_t impatient;   /* timed out, of them: by the application, whose server had gone */
	uint32_t unnamed;     /* failed without a known error      */
	uint32_t wrong;       /* bytes that came back wrong        */
	uint32_t unended;     /* connections that are not closed when nothing happens any more */
	uint32_t changed;     /* corrupt packets that were taken for others                    */
};

/* Runs until nothing is left to happen. */
void world_run(const struct world_wire *wire, uint64_t seed, struct world_result *result);
