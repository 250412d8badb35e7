/* capacity: figures. */
#include "plan/capacity.h"

#include "plan/saturate.h"

#define RESERVE_LEAST (UINT64_C(512) << 20)
#define RESERVE_SHARE 20 /* one part in so many */

uint64_t capacity_connection_bytes(uint32_t ends, bool is_ipv6)
{
	if (ends == 1)
		return is_ipv6 ? CAPACITY_END_BYTES_IPV6 : CAPACITY_END_BYTES_IPV4;
	return is_ipv6 ? CAPACITY_PAIR_BYTES_IPV6 : CAPACITY_PAIR_BYTES_IPV4;
}

uint64_t capacity_default_reserve(uint64_t memory_total_bytes)
{
	uint64_t share = memory_total_bytes / RESERVE_SHARE;

	return share > RESERVE_LEAST ? share : RESERVE_LEAST;
}

/* The share is rounded down: the least memory that leaves `bytes` beside it is
 * bytes + (bytes - 1) / 19. */
uint64_t capacity_with_reserve(uint64_t bytes)
{
	if (bytes == 0)
		return 0;
	uint64_t by_share = saturate_plus(bytes, (bytes - 1) / (RESERVE_SHARE - 1));
	uint64_t by_least = saturate_plus(bytes, RESERVE_LEAST);

	return by_share > by_least ? by_share : by_least;
}
