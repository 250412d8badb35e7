/* quantiles: see the header. */
#include "base/quantiles.h"

#include <stddef.h>
#include <string.h>

const char *const quantiles_keys[QUANTILES_EACH] = {"p50", "p90", "p99", "p999", "p9999", "max"};
const char *const quantiles_words[QUANTILES_EACH] = {"p50", "p90", "p99", "p99.9", "p99.99", "max"};
const double quantiles_shares[QUANTILES_EACH] = {0.5, 0.9, 0.99, 0.999, 0.9999, 1};

static const size_t offsets[QUANTILES_EACH] = {
	offsetof(struct quantiles, p50_ns),   offsetof(struct quantiles, p90_ns),
	offsetof(struct quantiles, p99_ns),   offsetof(struct quantiles, p999_ns),
	offsetof(struct quantiles, p9999_ns), offsetof(struct quantiles, max_ns),
};

uint64_t quantiles_at(const struct quantiles *q, int i)
{
	uint64_t value_ns;

	memcpy(&value_ns, (const char *)q + offsets[i], sizeof(value_ns));
	return value_ns;
}

void quantiles_set(struct quantiles *q, int i, uint64_t value_ns)
{
	memcpy((char *)q + offsets[i], &value_ns, sizeof(value_ns));
}

struct quantiles quantiles_of(const struct hist *h)
{
	struct quantiles q = {.count = h->count};

	for (int i = 0; i < QUANTILES_EACH && h->count > 0; i++)
		quantiles_set(&q, i, hist_quantile(h, quantiles_shares[i]));
	return q;
}
