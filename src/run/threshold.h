/* threshold: whether what was said and done in the stages of a run is good enough: --p99, --fail,
 * and without --fail that everything was answered and came back. Pure. */
#pragma once

#include "base/result.h"
#include "base/text.h"
#include "run/experiment.h"

#include <stdbool.h>

/* Failed parts of what was tried, 0 .. 1: of messages (said, less those that we cut; bad is what
 * was not whole, right and in time), or of connections (to be opened first, again after a churn or
 * a storm), whichever is more. `lost`: connections that were open, and are missing. */
double threshold_failed_parts(const struct result *r, uint64_t n, uint64_t lost);

/* The longest p99 of the corrected latency of a stage; RESULT_UNKNOWN where nothing was answered.
 */
uint64_t threshold_p99_ns(const struct result *r);

/* True where it is; else the gravest of what is not is added to `why`: "p99 61.2 ms is above 50 ms
 * (--p99)". */
bool threshold_is_met(const struct experiment *x, const struct result *r, uint64_t lost,
                      struct text *why);
