/* quantiles: what is told of a histogram. */
#pragma once

#include "base/hist.h"

#include <stdint.h>

/* Of durations. count 0: there were none, and the others are 0. */
struct quantiles {
	uint64_t count, p50_ns, p90_ns, p99_ns, p999_ns, p9999_ns, max_ns;
};

struct quantiles quantiles_of(const struct hist *h);

/* The same in an array, in the order of the structure: their names in results ("p50", ... "p9999",
 * "max"), what people call them ("p99.99"), and which they are (0.5 ... 1). */
#define QUANTILES_EACH 6
extern const char *const quantiles_keys[QUANTILES_EACH];
extern const char *const quantiles_words[QUANTILES_EACH];
extern const double quantiles_shares[QUANTILES_EACH];
uint64_t quantiles_at(const struct quantiles *q, int i);
void quantiles_set(struct quantiles *q, int i, uint64_t value_ns);
