/* pool: the addresses that clients connect from, numbered 0 ... count-1 in the order in which they
 * were given. Pure. */
#pragma once

#include "base/err.h"
#include "plan/ip.h"

#include <stdint.h>

#define POOL_RANGES_MAX    64
#define POOL_ADDRESSES_MAX UINT32_C(16777216) /* 2^24, that pool_parse takes */

/* Ranges are disjoint and of one family; those beyond range_count are not used. */
struct pool {
	uint32_t count; /* addresses of all ranges */
	uint32_t range_count;
	struct pool_range {
		struct ip first;
		uint32_t count;  /* addresses, > 0                          */
		uint32_t before; /* addresses of the ranges that precede it */
	} ranges[POOL_RANGES_MAX];
};

/* Makes the pool one range, of `count` addresses from `first` on; empty where count is 0. The range
 * must not run past the last address of IPv4, or of IPv6's /64. */
void pool_set(struct pool *pool, const struct ip *first, uint32_t count);

/* Reads a list of addresses (198.18.0.1), ranges (198.18.0.1-198.18.0.20, or 198.18.0.1-20 with the
 * last number of an IPv4 address) and prefixes (198.18.0.0/24), separated by commas, without
 * blanks; IPv6 likewise, but without short ranges. Of a prefix are left out what hosts cannot have:
 * the network and broadcast address of IPv4 (not of /31 and /32), the subnet-router anycast
 * address, which is the first, of IPv6 (not of /127 and /128).
 *
 * 0; -EINVAL with one line that names the item where it has none of these forms, has host bits set,
 * is reversed, overlaps one before it or is of another family, where an IPv6 range leaves its /64,
 * or where there are more than POOL_RANGES_MAX items or POOL_ADDRESSES_MAX addresses. *out is only
 * written on success. */
int pool_parse(const char *text, struct pool *out, struct err *err);

/* Keeps of a pool the `count` (> 0) addresses from number `first` on, of which it has so many. */
void pool_slice(struct pool *pool, uint32_t first, uint32_t count);

/* The address of a number below count. */
struct ip pool_at(const struct pool *pool, uint32_t number);

/* The number of an address, or -1 where the pool has it not. Scopes are not looked at. */
int64_t pool_index(const struct pool *pool, const struct ip *ip);
