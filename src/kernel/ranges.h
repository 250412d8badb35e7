/* ranges: a list of ranges of addresses, counted through, as plan/pool hands it over. Pure. */
#pragma once

#include "plan/ip.h"

#include <stdint.h>

struct range {
	struct ip first;
	uint32_t count;  /* addresses, > 0                          */
	uint32_t before; /* addresses of the ranges that precede it */
};

/* Disjoint, of one family; at least one. */
struct ranges {
	const struct range *at;
	uint32_t count;     /* of ranges        */
	uint32_t addresses; /* of all of them   */
};

/* The address of a number below `addresses`. */
struct ip ranges_at(const struct ranges *ranges, uint32_t number);

/* The number of an address, or -1 where it is in none. */
int64_t ranges_index(const struct ranges *ranges, const struct ip *ip);
