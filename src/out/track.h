/* track: the samples of a record, kept small: of each only the numbers, in columns that stand one
 * beside the other. A sample is 70 KiB, and a record of ten hours has 36,000 of them.
 *
 * A column is one number of the table of figures: ("tcp_established", ""), ("slab", "TCP"). Columns
 * come by themselves as samples have them, so that a new figure has one without a line here. */
#pragma once

#include "base/figure.h"
#include "base/quantiles.h"
#include "base/sample.h"

#include <stdbool.h>
#include <stdint.h>

#define TRACK_POINTS_MOST 2000
#define TRACK_NO_PHASE    UINT32_MAX

/* Of the time to connect: 0.5, 0.9, 0.99, 0.999, 1. */
#define TRACK_QUANTILES 5
extern const double track_quantiles[TRACK_QUANTILES];

struct track_point {
	uint64_t at_ns; /* since the first one */
	uint64_t unix_ns;
	uint32_t phase; /* enum live_phase; TRACK_NO_PHASE where there was no run */
	uint64_t connects, connect_ns[TRACK_QUANTILES]; /* of all so far; 0, 0: none yet */
	struct quantiles latency; /* of answers since the sample before; count 0: none */
};

struct track_column {
	enum figure_id figure;
	char label[32];   /* "" of a single number             */
	uint64_t *values; /* one a point; PROBE_UNKNOWN: none */
};

struct track {
	uint32_t count, room;
	struct track_point *points;
	uint32_t column_count, column_room;
	struct track_column *columns; /* of one figure they are not always neighbours */
	uint32_t guess;               /* where the next number probably is */
	uint64_t first_ns;
};

/* Adds one sample. 0; -ENOMEM; -EINVAL where it is older than the one before. */
int track_add(struct track *track, const struct sample *sample);

/* Reads a series (out/series.h) of any length: at most some TRACK_POINTS_MOST samples, evenly, and
 * those at both sides of a change of the phase, the first and the last. `track` is zeroed before.
 * Lines that cannot be read, as the last one of a run that was killed, are skipped and counted in
 * *bad. 0; -ENOTSUP where the first line is of a later schema, or a negative errno of reading. */
int track_read(struct track *track, const char *path, uint64_t *lines, uint64_t *bad);

void track_free(struct track *track);

/* The values of a single number, or of one of a family; NULL where no sample has it. */
const uint64_t *track_column(const struct track *track, enum figure_id figure, const char *label);

/* The sum of a figure's columns at a point; PROBE_UNKNOWN where none is known. */
uint64_t track_sum(const struct track *track, enum figure_id figure, uint32_t point);

/* How much of it came in a second between the point before and this one, of all columns; < 0 where
 * that is not known. */
double track_rate_per_s(const struct track *track, enum figure_id figure, uint32_t point);

/* The first and last known and the largest sum; all PROBE_UNKNOWN where there is none. */
struct track_range {
	uint64_t first, last, most;
};
struct track_range track_range(const struct track *track, enum figure_id figure);
