/* stats: medians, ratios and growth over the runs of a bench. */
#pragma once

#include "figures.h"
#include "host.h"

#include <stddef.h>

#define SIZES_MAX  16
#define ROUNDS_MAX 100   /* of one size */
#define RUNS_MAX   12800 /* sizes, rounds, solutions, designs */

struct bench {
	const char *revision; /* of the source */
	struct host host;
	size_t size_count;
	uint64_t sizes[SIZES_MAX]; /* ascending */
	size_t count;
	struct run runs[RUNS_MAX];
};

/* One row: all rounds of this. */
struct cell {
	uint64_t n;
	unsigned int solution;
	enum design design;
};

struct spread {
	double median, least, most; /* NAN where there is no value */
	unsigned int count;
};

/* A quotient that is looked at: `over` divided by `under`. */
struct pair {
	enum design over, under;
};

#define PAIRS 6
extern const struct pair stats_pairs[PAIRS];

/* Notes a size that runs have, and keeps the order; false where there are too many. */
bool stats_add_size(struct bench *b, uint64_t n);

/* How many rounds there were of a size. */
unsigned int stats_rounds(const struct bench *b, uint64_t n);

/* Of all good runs of a cell. */
struct spread stats_figure(const struct bench *b, struct cell cell, enum figure figure);

/* One design's figure divided by another's in the same round, of the rounds where both are good. */
struct spread stats_ratio(const struct bench *b, uint64_t n, unsigned int solution,
                          struct pair pair, enum figure figure);

/* The median at sizes[to] divided by that at the size before it; NAN where one is not known. */
double stats_growth(const struct bench *b, size_t to, unsigned int solution, enum design design,
                    enum figure figure);
