/* noise: how far a number of a run may be off by chance, seen from within the run: half of a 95 %
 * interval, in the number's unit. NAN where there is too little to say so. */
#pragma once

#include "out/report.h"

/* Of the mean of a series' rate within a phase. */
double noise_of_rate(const struct track *track, enum figure_id figure, uint32_t phase);

/* Of a quantile (base/quantiles.h) of the latency of answers, `all` of the whole hold. */
double noise_of_latency(const struct track *track, const struct quantiles *all, int quantile);

/* Of a quantile (out/track.h) of the time to connect, `ns` of all of them. */
double noise_of_connect(const struct report *run, const uint64_t *ns, int quantile);
