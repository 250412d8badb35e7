/* pace: how many operations are due at a time. Pure: the caller brings the clock.
 *
 * Due counts follow the ideal line start + rate * t exactly (no drift, no accumulated rounding).
 * After a pause of the caller the backlog is bounded to `burst_max`, so that a stall is not
 * followed by a storm; what was given up then moves the line. */
#pragma once

#include <stdint.h>

struct pace {
	uint64_t rate_per_s; /* 0: no limit */
	uint64_t start_ns;
	uint64_t taken;     /* since start_ns, which moves: not a total */
	uint64_t burst_max; /* most that may be due at once, >= 1 */
};

/* What number `number` of `sharers` (> 0) has of a rate: all parts together are the rate, where
 * that is at least one for each; where it is less, each has one. Of 0, no limit, 0. */
uint64_t pace_share(uint64_t rate_per_s, uint32_t number, uint32_t sharers);

void pace_init(struct pace *p, uint64_t rate_per_s, uint64_t burst_max, uint64_t now_ns);

/* How many may start now, at most burst_max (UINT64_MAX where there is no limit). May move
 * start_ns. */
uint64_t pace_due(struct pace *p, uint64_t now_ns);

/* Takes n (<= what pace_due said). */
void pace_take(struct pace *p, uint64_t n);

/* When the next one is due; `now_ns` where one is due now or there is no limit. */
uint64_t pace_next_ns(const struct pace *p, uint64_t now_ns);
