/* hist: a fixed log-linear histogram. Counters are written with plain-cost atomic stores, in the
 * order maximum, bucket, count, so that a reader in another process who sees a value counted also
 * finds it in its bucket and below the maximum. */
#include "base/hist.h"

#define SUB_COUNT (UINT64_C(1) << HIST_SUB_BITS)

static uint64_t load(const uint64_t *at)
{
	return __atomic_load_n(at, __ATOMIC_ACQUIRE);
}

/* clang-tidy does not know that the builtin writes. */
static void store(uint64_t *at, uint64_t value) /* NOLINT(readability-non-const-parameter) */
{
	__atomic_store_n(at, value, __ATOMIC_RELEASE);
}

static void raise_max(struct hist *h, uint64_t value_ns)
{
	if (value_ns > load(&h->max_ns))
		store(&h->max_ns, value_ns);
}

/* How far the values of a power of two are shifted to leave HIST_SUB_BITS + 1 bits. */
static unsigned int shift_of(uint64_t value_ns)
{
	if (value_ns < SUB_COUNT)
		return 0;
	return 63 - (unsigned int)__builtin_clzll(value_ns) - HIST_SUB_BITS;
}

static size_t bucket_of(uint64_t value_ns)
{
	unsigned int shift;

	if (value_ns > HIST_MAX_NS)
		return HIST_BUCKETS - 1;
	shift = shift_of(value_ns);
	return ((size_t)shift << HIST_SUB_BITS) + (size_t)(value_ns >> shift);
}

uint64_t hist_bound(size_t bucket)
{
	size_t shift;

	if (bucket < 2 * SUB_COUNT)
		return bucket;
	shift = (bucket >> HIST_SUB_BITS) - 1;
	return (((uint64_t)bucket - ((uint64_t)shift << HIST_SUB_BITS) + 1) << shift) - 1;
}

void hist_add(struct hist *h, uint64_t value_ns, uint64_t times)
{
	uint64_t *bucket = &h->buckets[bucket_of(value_ns)];

	if (times == 0)
		return;
	raise_max(h, value_ns);
	store(bucket, *bucket + times);
	store(&h->count, h->count + times);
}

void hist_record(struct hist *h, uint64_t value_ns)
{
	hist_add(h, value_ns, 1);
}

void hist_merge(struct hist *into, const struct hist *from)
{
	uint64_t added = 0;

	if (load(&from->count) == 0)
		return;
	/* Twice: before, so that readers of `into` find the values below its maximum; after, for
	 * those that were recorded in `from` while its buckets were read. */
	raise_max(into, load(&from->max_ns));
	for (size_t i = 0; i < HIST_BUCKETS; i++) {
		uint64_t n = load(&from->buckets[i]);

		if (n == 0)
			continue;
		store(&into->buckets[i], into->buckets[i] + n);
		added += n;
	}
	raise_max(into, load(&from->max_ns));
	store(&into->count, into->count + added);
}

void hist_subtract(struct hist *out, const struct hist *now, const struct hist *before)
{
	out->count = out->max_ns = 0;
	for (size_t i = 0; i < HIST_BUCKETS; i++) {
		uint64_t came = now->buckets[i] - before->buckets[i];

		out->buckets[i] = came;
		out->count += came;
		if (came > 0)
			out->max_ns = hist_bound(i);
	}
	if (out->max_ns > now->max_ns || out->buckets[HIST_BUCKETS - 1] > 0)
		out->max_ns = now->max_ns;
}

/* ceil(q * count). The tolerance keeps the rounding of q itself out: 0.07 of 100 values are 7,
 * though 0.07 * 100 > 7. */
uint64_t hist_rank(double q, uint64_t count)
{
	double exact = q * (double)count * (1 - 1e-12);
	uint64_t rank;

	if (q >= 1)
		return count;
	if (!(exact > 0))
		return 1;
	rank = (uint64_t)exact;
	if ((double)rank < exact)
		rank++;
	return rank < count ? rank : count;
}

uint64_t hist_quantile(const struct hist *h, double q)
{
	uint64_t count = load(&h->count);
	uint64_t rank, seen = 0, max_ns;
	size_t i;

	if (count == 0)
		return 0;
	rank = hist_rank(q, count);
	for (i = 0; i < HIST_BUCKETS - 1; i++) {
		seen += load(&h->buckets[i]);
		if (seen >= rank)
			break;
	}
	max_ns = load(&h->max_ns);
	/* The last bucket also holds what is beyond its bound: only the maximum is never too low.
	 */
	if (i == HIST_BUCKETS - 1 || hist_bound(i) > max_ns)
		return max_ns;
	return hist_bound(i);
}
