/* merge_grid: numbers of several hosts on one grid of seconds of the wall clock. A counter stands
 * as it was when its host's run ended, a gauge is 0 then. */
#pragma once

#include "base/sample.h"

#include <stdbool.h>
#include <stdint.h>

#define MERGE_GRID_MOST 200000 /* seconds: more than two days */

/* Zeroed memory with start_s set (Unix seconds; 0: the second before the first sample) is an empty
 * grid. What comes later than it has room for is in its last second. */
struct merge_grid {
	uint64_t start_s;
	uint32_t count, room;
	uint64_t *ended;   /* what hosts whose run has ended have counted together */
	uint64_t *numbers; /* of each second merge_grid_columns() of them; PROBE_UNKNOWN: none */
};

/* A host's samples, in their order. Zeroed memory: none yet. */
struct merge_host {
	bool has_before;
	uint64_t next;     /* the second that is filled next */
	uint64_t *numbers; /* of the sample before, the caller's: room for all columns */
};

uint32_t merge_grid_columns(void);

/* Adds a host's next sample: up to its second, what was before it. -ENOMEM. */
int merge_grid_add(struct merge_grid *g, struct merge_host *host, const struct sample *sample);

/* That was its last sample. */
void merge_grid_end(struct merge_grid *g, const struct merge_host *host);

/* Puts second number `i` (below count) into a sample: figures of the run, times, the phase that
 * most hosts are in. */
void merge_grid_sample(const struct merge_grid *g, uint32_t i, struct sample *out);

void merge_grid_free(struct merge_grid *g);
