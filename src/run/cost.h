/* cost: what a connection costs in memory: by the figures of make bench, or measured on this kernel
 * just now, by two small labs: the difference between them is what connections cost, the rest what
 * a run costs before its first one. */
#pragma once

#include "base/err.h"
#include "engine/engine.h"
#include "plan/walls.h"

#include <stdbool.h>
#include <stdint.h>

#define COST_PROCESSES 2 /* servers and clients that the fixed part is for */

/* Of what. */
struct cost_case {
	enum engine_kind engine, clients; /* as in an experiment */
	bool ipv6;
};

struct cost {
	struct cost_case of;
	struct walls_cost machine; /* of a connection with both its ends                       */
	/* What the cgroup's limit loses: by both ends, the server's or the client's. Which end the
	 * kernel charges for what depends on the kernel. */
	struct walls_cost cgroup[WALL_ROLE_COUNT];
};

/* By the figures of make bench. */
void cost_assume(const struct cost_case *of, struct cost *out);

/* Measures, with as many connections as `left_bytes` of memory take without harm; takes three
 * seconds, more on a busy machine. 0; or a negative errno with the reason in `err`, and *out is as
 * cost_assume has it: -EINTR where the user interrupted it, -EAGAIN where others' doings hide what
 * the machine loses (the cgroup's part is as measured then). */
int cost_measure(const struct cost_case *of, uint64_t left_bytes, struct cost *out,
                 struct err *err);

/* The machine's with so many sockets of each connection (1 or 2) on this host; a client of our own
 * TCP is always here, and is none. */
struct walls_cost cost_of_ends(const struct cost *cost, uint32_t ends);
