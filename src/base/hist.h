/* hist: a fixed log-linear histogram of durations: record, merge, quantile.
 *
 * Values below 2^HIST_SUB_BITS are exact; above, each power of two is cut into 2^HIST_SUB_BITS
 * equal buckets, so that a quantile is at most 1 part in 128 too high and never too low. Values
 * beyond HIST_MAX_NS are counted in the last bucket (max_ns stays exact). One writer; a reader in
 * another process may read while it writes and sees each counter whole. No allocation: the struct
 * can lie in shared memory; zeroed memory is an empty histogram. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define HIST_SUB_BITS 7
#define HIST_MAX_BITS 40 /* 2^40 ns: 18 minutes */
#define HIST_MAX_NS   ((UINT64_C(1) << HIST_MAX_BITS) - 1)
#define HIST_BUCKETS  ((HIST_MAX_BITS - HIST_SUB_BITS + 1) << HIST_SUB_BITS)

struct hist {
	uint64_t count;
	uint64_t max_ns;
	uint64_t buckets[HIST_BUCKETS];
};

void hist_record(struct hist *h, uint64_t value_ns);

/* Records the same value `times` over (0: nothing). */
void hist_add(struct hist *h, uint64_t value_ns, uint64_t times);

/* Adds all of `from` to `into`. */
void hist_merge(struct hist *into, const struct hist *from);

/* What came between two copies of a histogram, `before` the earlier one. Its max_ns is the bound of
 * the highest bucket in which something came, never above that of `now`: of the values between,
 * only their buckets are known. */
void hist_subtract(struct hist *out, const struct hist *now, const struct hist *before);

/* The smallest bucket bound such that at least a fraction q (0 <= q <= 1) of the values is not
 * above it; never above max_ns. max_ns where that is in the last bucket. 0 for an empty
 * histogram. */
uint64_t hist_quantile(const struct hist *h, double q);

/* Which of `count` values, counted from the smallest as 1, is that quantile: what hist_quantile
 * looks for. */
uint64_t hist_rank(double q, uint64_t count);

/* The largest value that falls into a bucket, bucket < HIST_BUCKETS. */
uint64_t hist_bound(size_t bucket);
