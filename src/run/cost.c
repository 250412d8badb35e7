/* cost: two labs of different size, and the line through them. What other programs do meanwhile is
 * in it, so it is done until two lines agree. */
#include "run/cost.h"

#include "base/clock.h"
#include "plan/capacity.h"
#include "plan/line.h"
#include "run/lab.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The kernel's caches of general use (kmalloc-192 ...) have free objects, which small labs take
 * first and a million soon use up: measured, 60 bytes of 8,200 of a pair, 90 of 4,240 where clients
 * are our own TCP. A cgroup is charged for each object, free ones or new. */
#define SLACK_BYTES   90
#define COST_WORKERS  (COST_PROCESSES / 2) /* of each side: as few as can be */
#define LARGE_MOST    25000
#define LARGE_UTCP    100000 /* half the bytes, and a third of the time */
#define LARGE_LEAST   2000
#define SMALL_PART    8 /* the small lab has an eighth of the large one's connections */
#define SHARE         2 /* of what is left of memory, the large lab may take a half */
#define MEASURES_MOST 5
/* Two costs agree that differ by less than this part. */
#define AGREEMENT        50
#define AGREEMENT_CGROUP 100

/* What a lab took away. */
struct taken {
	uint64_t n;
	bool has_machine; /* not where others gave back more than it took */
	int64_t machine_bytes;
	bool has_cgroup; /* one that bounds memory */
	int64_t cgroup_bytes[WALL_ROLE_COUNT];
};

void cost_assume(const struct cost_case *of, struct cost *out)
{
	uint64_t one_bytes = capacity_connection_bytes(1, of->ipv6);
	bool is_utcp = engine_is_utcp(of->clients);
	const struct walls_cost one = {.each_bytes = one_bytes};
	const struct walls_cost client = {.each_bytes = is_utcp ? CAPACITY_UTCP_BYTES : one_bytes};
	const struct walls_cost both = {
		.each_bytes = is_utcp ? one_bytes + CAPACITY_UTCP_BYTES
	                              : capacity_connection_bytes(2, of->ipv6)};

	*out = (struct cost){
		.of = *of,
		.machine = both,
		.cgroup = {[WALL_ROLE_BOTH] = both,
	                   [WALL_ROLE_SERVER] = one,
	                   [WALL_ROLE_CLIENT] = client},
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

static int run_lab(const struct cost_case *of, uint64_t n, struct taken *out, struct err *err)
{
	static struct result result;
	const struct lab_options options = {
		.n = n,
		.engine = of->engine,
		.clients = of->clients == ENGINE_TUN      ? LAB_CLIENTS_TUN
	                   : of->clients == ENGINE_PACKET ? LAB_CLIENTS_PACKET
	                                                  : LAB_CLIENTS_SOCKETS,
		.ipv6 = of->ipv6,
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
	out->n = n;
	out->machine_bytes = result_bytes(&result.memory);
	out->has_machine = out->machine_bytes != RESULT_UNKNOWN_BYTES;
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

/* Where no cgroup bounds memory its cost is never asked for. Our own clients' 40 bytes drown in
 * what the kernel charges CPUs in batches. */
static void draw_cgroup(const struct taken *small, const struct taken *large, struct cost *out)
{
	if (!small->has_cgroup || !large->has_cgroup)
		return;
	for (int role = 0; role < WALL_ROLE_COUNT; role++) {
		if (role != WALL_ROLE_BOTH && engine_is_utcp(out->of.clients))
			continue;
		(void)draw_line(small->n, small->cgroup_bytes[role], large->n,
		                large->cgroup_bytes[role], &out->cgroup[role]);
	}
	/* What came back when the clients closed is without the processes, which went on. */
	out->cgroup[WALL_ROLE_CLIENT].fixed_bytes = out->cgroup[WALL_ROLE_BOTH].fixed_bytes;
	out->cgroup[WALL_ROLE_SERVER].fixed_bytes = out->cgroup[WALL_ROLE_BOTH].fixed_bytes;
}

/* One small lab and one large one. */
static int measure_once(uint64_t n, struct cost *out, struct err *err)
{
	struct taken small = {0}, large = {0};
	int failed = run_lab(&out->of, n / SMALL_PART, &small, err);

	if (failed == 0)
		failed = run_lab(&out->of, n, &large, err);
	if (failed != 0)
		return failed;
	if (small.has_machine && large.has_machine)
		(void)draw_line(small.n, small.machine_bytes, large.n, large.machine_bytes,
		                &out->machine);
	draw_cgroup(&small, &large, out);
	return 0;
}

static bool do_agree(const struct walls_cost *a, const struct walls_cost *b, uint64_t part)
{
	uint64_t x = a->each_bytes, y = b->each_bytes;

	return a->is_measured && b->is_measured && (x > y ? x - y : y - x) <= x / part;
}

static void take_mean(const struct walls_cost *a, const struct walls_cost *b,
                      struct walls_cost *out)
{
	out->each_bytes = (a->each_bytes + b->each_bytes) / 2;
	out->fixed_bytes = (a->fixed_bytes + b->fixed_bytes) / 2;
	out->is_measured = a->is_measured && b->is_measured;
}

static bool conclude_machine(const struct cost *a, const struct cost *b, struct cost *out)
{
	if (!do_agree(&a->machine, &b->machine, AGREEMENT))
		return false;
	take_mean(&a->machine, &b->machine, &out->machine);
	out->machine.each_bytes += SLACK_BYTES;
	return true;
}

/* Others' doings do not disturb the cgroup's figures, but the kernel charges CPUs in batches: where
 * no two agree, the last mean is as good as any. */
static bool conclude_cgroup(const struct cost *a, const struct cost *b, struct cost *out)
{
	bool agree = true;

	for (int role = 0; role < WALL_ROLE_COUNT; role++) {
		take_mean(&a->cgroup[role], &b->cgroup[role], &out->cgroup[role]);
		if (out->cgroup[role].is_measured)
			agree &= do_agree(&a->cgroup[role], &b->cgroup[role], AGREEMENT_CGROUP);
	}
	return agree;
}

/* Compares the newest with those before it, until two agree. */
static void conclude(const struct cost *costs, int newest, bool *machine, bool *cgroup,
                     struct cost *out)
{
	for (int i = 0; i < newest; i++) {
		if (!*machine)
			*machine = conclude_machine(&costs[i], &costs[newest], out);
		if (!*cgroup)
			*cgroup = conclude_cgroup(&costs[i], &costs[newest], out);
	}
}

int cost_measure(const struct cost_case *of, uint64_t left_bytes, struct cost *out, struct err *err)
{
	struct cost costs[MEASURES_MOST];
	bool machine = false, cgroup = false;
	uint64_t most = engine_is_utcp(of->clients) ? LARGE_UTCP : LARGE_MOST, n;

	cost_assume(of, out);
	n = left_bytes / SHARE / out->machine.each_bytes;
	if (n < LARGE_LEAST)
		return err_set(err, -ENOMEM, "too little memory is left to measure with");
	n = n < most ? n : most;
	for (int i = 0; i < MEASURES_MOST && !(machine && cgroup); i++) {
		cost_assume(of, &costs[i]);
		int failed = measure_once(n, &costs[i], err);

		if (failed != 0)
			return failed;
		conclude(costs, i, &machine, &cgroup, out);
	}
	if (!machine)
		return err_set(err, -EAGAIN, "other programs use memory too unsteadily");
	return 0;
}

struct walls_cost cost_of_ends(const struct cost *cost, uint32_t ends)
{
	uint64_t one = capacity_connection_bytes(1, cost->of.ipv6);
	uint64_t two = capacity_connection_bytes(2, cost->of.ipv6);

	if (ends == 0)
		return (struct walls_cost){.fixed_bytes = cost->machine.fixed_bytes,
		                           .each_bytes = CAPACITY_UTCP_BYTES};
	if (ends == 2 || engine_is_utcp(cost->of.clients))
		return cost->machine;
	return (struct walls_cost){
		.is_measured = cost->machine.is_measured,
		.fixed_bytes = cost->machine.fixed_bytes / 2,
		.each_bytes = cost->machine.each_bytes * one / two,
	};
}
