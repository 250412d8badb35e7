/* capacity: figures. */
#include "plan/capacity.h"

#define RESERVE_LEAST (UINT64_C(512) << 20)

uint64_t capacity_connection_bytes(uint32_t ends, bool is_ipv6)
{
	if (ends == 1)
		return is_ipv6 ? CAPACITY_END_BYTES_IPV6 : CAPACITY_END_BYTES_IPV4;
	return is_ipv6 ? CAPACITY_PAIR_BYTES_IPV6 : CAPACITY_PAIR_BYTES_IPV4;
}

uint64_t capacity_default_reserve(uint64_t memory_total_bytes)
{
	uint64_t twentieth = memory_total_bytes / 20;

	return twentieth > RESERVE_LEAST ? twentieth : RESERVE_LEAST;
}
