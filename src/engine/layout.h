/* layout: how many rings of which size hold n connections under a descriptor limit. Pure.
 *
 * A ring's table of direct descriptors may be as large as RLIMIT_NOFILE, and each ring takes two
 * ordinary descriptors (itself and its eventfd). So a process with a limit of L holds about L * L /
 * 2 connections. A server leaves room in every table for what a multishot accept may bring in one
 * go (a completion queue full and one per listener), since an accept into a full table drops the
 * connection. */
#pragma once

#include <stdint.h>

struct layout {
	uint32_t rings;
	uint32_t slots;        /* direct descriptors in a ring's table                 */
	uint32_t usable;       /* connections a ring takes                             */
	uint32_t sq_entries;   /* power of two                                         */
	uint32_t cq_entries;   /* power of two                                         */
	uint64_t locked_bytes; /* what all rings together count against RLIMIT_MEMLOCK */
};

/* Fills `out` for `connections` (> 0) under a descriptor limit, a budget of locked memory, and with
 * `listeners` listening sockets (0: a client). Returns 0; -EMFILE where the descriptor limit cannot
 * hold that many; -ENOMEM where even the smallest rings exceed the locked memory. */
int layout_plan(uint32_t connections, uint32_t listeners, uint64_t nofile, uint64_t memlock_bytes,
                struct layout *out);

/* The most connections that one process can hold. 0 where none. */
uint32_t layout_most(uint32_t listeners, uint64_t nofile, uint64_t memlock_bytes);
