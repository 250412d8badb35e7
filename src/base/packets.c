/* packets: the counts are summed as what they are, an array of numbers. */
#include "base/packets.h"

#include <assert.h>
#include <string.h>

#define COUNTS (sizeof(struct packets) / sizeof(uint64_t))
static_assert(sizeof(struct packets) % sizeof(uint64_t) == 0, "nothing but counts");

void packets_add(struct packets *to, const struct packets *from)
{
	uint64_t sums[COUNTS], more[COUNTS];

	memcpy(sums, to, sizeof(sums));
	memcpy(more, from, sizeof(more));
	for (unsigned int i = 0; i < COUNTS; i++)
		sums[i] += more[i];
	memcpy(to, sums, sizeof(sums));
}
