/* ranges: from number to address and back. */
#include "kernel/ranges.h"

struct ip ranges_at(const struct ranges *ranges, uint32_t number)
{
	uint32_t i = 0;

	while (i + 1 < ranges->count && ranges->at[i + 1].before <= number)
		i++;
	return ip_add(&ranges->at[i].first, number - ranges->at[i].before);
}

int64_t ranges_index(const struct ranges *ranges, const struct ip *ip)
{
	for (uint32_t i = 0; i < ranges->count; i++) {
		int64_t distance = ip_distance(&ranges->at[i].first, ip);

		if (distance >= 0 && distance < ranges->at[i].count)
			return ranges->at[i].before + distance;
	}
	return -1;
}
