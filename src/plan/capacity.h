/* capacity: what connections cost, and how much is kept free of them. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* An index is 32 bits, and so are the tables that it names. */
#define CAPACITY_INDEX_MOST (UINT64_C(1) << 30)

/* What an established connection costs, kernel and user, measured (make bench) and rounded up: with
 * both ends on this host, receiving armed on the server; and one end alone, receiving armed. */
#define CAPACITY_PAIR_BYTES_IPV4 8450
#define CAPACITY_PAIR_BYTES_IPV6 8900
#define CAPACITY_END_BYTES_IPV4  4350
#define CAPACITY_END_BYTES_IPV6  4600

/* The other end, where it is a client of our own TCP: 32 bytes, and what the experiment keeps. */
#define CAPACITY_UTCP_BYTES 40

/* One of those of sockets. */
uint64_t capacity_connection_bytes(uint32_t ends, bool is_ipv6);

/* What the memory guard keeps free by default: 5 % of memory or 512 MiB, whichever is more. */
uint64_t capacity_default_reserve(uint64_t memory_total_bytes);

/* The least memory of which `bytes` are left beside that reserve; 0 for 0, UINT64_MAX where it does
 * not fit. */
uint64_t capacity_with_reserve(uint64_t bytes);
