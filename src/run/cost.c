/* cost: two labs of different size, and the line through them. */
#include "run/cost.h"

#include "base/clock.h"
#include "plan/capacity.h"
#include "plan/line.h"
#include "run/lab.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define COST_WORKERS 1 /* of each side: the fewer, the less their own memory matters */
#define LARGE_MOST   40000
#define LARGE_LEAST  2000
#define SMALL_PART   8 /* the small lab has an eighth of the large one's connections */
#define SHARE        2 /* of what is left of memory, the large lab may take a half */

/* What a lab took away. */
struct taken {
	uint64_t n;
	int64_t machine_bytes;
	bool has_cgroup; /* one that bounds memory */
	int64_t cgroup_bytes[WALL_ROLE_COUNT];
};

void cost_assume(bool ipv6, struct cost *out)
{
	const struct walls_cost both = {.each_bytes = capacity_connection_bytes(2, ipv6)};
	const struct walls_cost one = {.each_bytes = capacity_connection_bytes(1, ipv6)};

	*out = (struct cost){
		.ipv6 = ipv6,
		.machine = both,
		.cgroup = {[WALL_ROLE_BOTH] = both,
	                   [WALL_ROLE_SERVER] = one,
	                   [WALL_ROLE_CLIENT] = one},
	};
}

static void take_cgroup(const struct result_memory *memory, struct taken *out)
{
	int64_t both = memory->cgroup_bytes, client = memory->cgroup_client_bytes;

	out->has_cgroup = both != RESULT_UNKNOWN_BYTES && client != RESULT_UNKNOWN_BYTES;
	out->cgroup_bytes[WALL_ROLE_BOTH] = both;
	out->cgroup_bytes[WALL_ROLE_CLIENT] = client;
	out->cgroup_bytes[WALL_ROLE_SERVER] = out->has_cgroup ? both - client : 0;
}

static int run_lab(enum engine_kind engine, bool ipv6, uint64_t n, struct taken *out,
                   struct err *err)
{
	static struct result result;
	const struct lab_options options = {
		.n = n,
		.engine = engine,
		.ipv6 = ipv6,
		.timeout_ns = 5 * NS_PER_S,
		.retries = 3,
		.reserve_bytes = 1,
		.workers = COST_WORKERS,
		.is_measurement = true,
	};
	int code = lab_run(&options, NULL, &result);

	if (code == EXIT_INTERRUPTED)
		return err_set(err, -EINTR, "interrupted");
	if (code != EXIT_PASS)
		return err_set(err, -EIO, "a small lab did not pass: %s", result.reason);
	if (result_bytes(&result.memory) == RESULT_UNKNOWN_BYTES)
		return err_set(err, -ENODATA, "the kernel's memory cannot be read");
	out->n = n;
	out->machine_bytes = result_bytes(&result.memory);
	take_cgroup(&result.memory, out);
	return 0;
}

/* In place of what was assumed, where it can be. */
static bool draw_line(uint64_t small, int64_t small_bytes, uint64_t large, int64_t large_bytes,
                      struct walls_cost *cost)
{
	const struct line_point first = {small, small_bytes}, second = {large, large_bytes};

	return line_through(&first, &second, cost->each_bytes, cost);
}

/* Where no cgroup bounds memory its cost is never asked for. */
static void draw_cgroup(const struct taken *small, const struct taken *large, struct cost *out)
{
	if (!small->has_cgroup || !large->has_cgroup)
		return;
	for (int role = 0; role < WALL_ROLE_COUNT; role++)
		(void)draw_line(small->n, small->cgroup_bytes[role], large->n,
		                large->cgroup_bytes[role], &out->cgroup[role]);
}

int cost_measure(enum engine_kind engine, bool ipv6, uint64_t left_bytes, struct cost *out,
                 struct err *err)
{
	uint64_t n = left_bytes / SHARE / capacity_connection_bytes(2, ipv6);
	struct taken small, large;
	int failed;

	cost_assume(ipv6, out);
	if (n < LARGE_LEAST)
		return err_set(err, -ENOMEM, "too little memory is left to measure with");
	n = n < LARGE_MOST ? n : LARGE_MOST;
	failed = run_lab(engine, ipv6, n / SMALL_PART, &small, err);
	if (failed == 0)
		failed = run_lab(engine, ipv6, n, &large, err);
	if (failed != 0)
		return failed;
	if (!draw_line(small.n, small.machine_bytes, large.n, large.machine_bytes, &out->machine))
		return err_set(err, -EAGAIN, "other programs use memory too unsteadily");
	draw_cgroup(&small, &large, out);
	out->is_measured = true;
	return 0;
}

struct walls_cost cost_of_ends(const struct cost *cost, uint32_t ends)
{
	uint64_t one = capacity_connection_bytes(1, cost->ipv6);
	uint64_t two = capacity_connection_bytes(2, cost->ipv6);

	if (ends == 2)
		return cost->machine;
	return (struct walls_cost){
		.fixed_bytes = cost->machine.fixed_bytes / 2,
		.each_bytes = cost->machine.each_bytes * one / two,
	};
}
