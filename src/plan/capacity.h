/* capacity: what N connections need and which limit stops them first. Pure. */
#pragma once

#include "base/err.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

#define CAPACITY_NO_LIMIT UINT64_MAX

/* An index is 32 bits, and so are the tables that it names. */
#define CAPACITY_INDEX_MOST (UINT64_C(1) << 30)

/* What an established connection costs, kernel and user, measured (make bench) and rounded up: with
 * both ends on this host, receiving armed on the server; and one end alone, receiving armed. */
#define CAPACITY_PAIR_BYTES_IPV4 8450
#define CAPACITY_PAIR_BYTES_IPV6 8900
#define CAPACITY_END_BYTES_IPV4  4350
#define CAPACITY_END_BYTES_IPV6  4600

enum wall {
	WALL_MEMORY,
	WALL_CGROUP_MEMORY,
	WALL_FILES,
	WALL_PORTS,
	WALL_DESCRIPTORS,
	WALL_INDEX,
	WALL_COUNT
};

struct capacity_limits {
	uint64_t memory_left_bytes; /* of the machine                               */
	uint64_t cgroup_left_bytes; /* of the cgroup; CAPACITY_NO_LIMIT             */
	uint64_t reserve_bytes;     /* what must stay free of either                */
	uint32_t ends;              /* of a connection on this host: 1 or 2         */
	uint64_t connection_bytes;  /* what one costs, with these ends              */
	uint64_t files_left;        /* of fs.file-max; CAPACITY_NO_LIMIT            */
	uint64_t tuples;            /* room of the tuple plan; CAPACITY_NO_LIMIT    */
	uint64_t process_most;      /* connections one worker of a side can hold    */
	uint64_t workers_most;      /* workers of a side                            */
};

/* How many connections wall `wall` allows. */
uint64_t capacity_allows(const struct capacity_limits *limits, enum wall wall);

/* The largest N that fits, and in *first the wall that stops it. */
uint64_t capacity_largest(const struct capacity_limits *limits, enum wall *first);

/* One of the above. */
uint64_t capacity_connection_bytes(uint32_t ends, bool is_ipv6);

/* Appends the wall's name, its number and what to do about it, for a reason of a result. */
void capacity_describe(const struct capacity_limits *limits, enum wall wall, struct text *out);

/* 0 where n fits; else -E2BIG and one line: the wall, its number, what to do. */
int capacity_check(const struct capacity_limits *limits, uint64_t n, struct err *err);

/* What the memory guard keeps free by default: 5 % of memory or 512 MiB, whichever is more. */
uint64_t capacity_default_reserve(uint64_t memory_total_bytes);
