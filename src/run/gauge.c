/* gauge: from an experiment and a machine to the table of limits.
 *
 * What processes hold together is asked of run/workers, which knows how many there would be: once
 * with descriptors alone, once with locked memory too, so that the row that binds is named. */
#include "run/gauge.h"

#include "base/clock.h"
#include "plan/capacity.h"
#include "run/spare.h"
#include "run/via.h"
#include "run/workers.h"

#include <errno.h>
#include <string.h>

#define QUIET_NS (3 * NS_PER_S) /* for sockets of what was measured with to be freed */

uint64_t gauge_nofile(const struct limits *limits)
{
	return limits->nr_open < limits->nofile_hard ? limits->nr_open : limits->nofile_hard;
}

/* Limits that bound no tasks, and no locked memory but where it is asked for. */
static struct limits without_tasks(const struct limits *limits, bool with_memlock)
{
	struct limits some = *limits;

	some.pids_left = some.threads_left = some.nproc_left = some.cgroup_pids_left = LIMITS_NONE;
	if (!with_memlock)
		some.memlock_bytes = LIMITS_NONE;
	return some;
}

static bool is_ipv6(const struct experiment *x)
{
	const struct ip *one = x->kind == RUN_SERVE ? &x->listens[0].address : &x->tuples.target;

	return one->family == AF_INET6;
}

static uint32_t workers_of(const struct experiment *x)
{
	return x->kind == RUN_CONNECT ? x->client_workers : x->server_workers;
}

static void ask_workers(const struct gauge *g, struct walls_case *c)
{
	struct experiment *x = g->x;
	const struct limits by_files = without_tasks(g->limits, false);
	const struct limits by_memlock = without_tasks(g->limits, true);
	uint64_t n = x->n;

	x->n = CAPACITY_INDEX_MOST;
	c->held_by_files = workers_choose(x, &by_files, g->workers);
	c->held = workers_choose(x, &by_memlock, g->workers);
	c->worker_most = c->held / workers_of(x);
	x->n = n < CAPACITY_INDEX_MOST ? n : CAPACITY_INDEX_MOST;
	(void)workers_choose(x, &by_memlock, g->workers);
	c->workers = workers_of(x);
	(void)workers_choose(x, g->limits, g->workers);
	x->n = n;
}

static void put_topology(const struct gauge *g, struct walls_case *c)
{
	const struct topology *t = g->topology;

	if (g->x->tuples.port_count > 0 || t)
		c->tuples = &g->x->tuples;
	if (!t) {
		const struct tuple_plan *plan = &g->x->tuples;

		c->ports.are_given = true;
		c->is_lab = true;
		if (plan->port_count > 0) {
			c->ports.low = plan->ports[0];
			c->ports.high = plan->ports[plan->port_count - 1];
		}
		return;
	}
	c->ports = t->ports;
	c->sources_missing = g->role == WALL_ROLE_SERVER ? 0 : t->sources_missing;
	c->neighbours = g->role == WALL_ROLE_SERVER ? t->neighbours : 0;
	c->is_loopback = t->is_loopback;
}

/* With more processes than were measured, up to one of each side a CPU: these are what a run has
 * where nothing else bounds it. */
static void scale_fixed(const struct walls_case *c, struct walls_cost *cost)
{
	uint64_t workers = c->workers < c->limits->cpus ? c->workers : c->limits->cpus;
	uint64_t processes = workers * c->sides;

	if (processes > COST_PROCESSES)
		cost->fixed_bytes = cost->fixed_bytes / COST_PROCESSES * processes;
}

/* One a connection, in any process. */
static bool takes_descriptors(const struct experiment *x)
{
	return (x->kind == RUN_CONNECT ? x->clients : x->engine) == ENGINE_EPOLL;
}

/* What a box between the ends keeps for each. */
static void add_box(const struct gauge *g, struct walls_case *c)
{
	c->machine.each_bytes += via_bytes(g->x);
	c->cgroup.each_bytes += via_bytes(g->x);
}

/* What rests in TIME_WAIT. */
static void add_spares(const struct gauge *g, struct walls_case *c)
{
	c->spares = g->x->spares;
	c->machine.fixed_bytes += c->spares * SPARE_BYTES;
	c->cgroup.fixed_bytes += c->spares * SPARE_BYTES;
}

void gauge_judge(const struct gauge *g, struct wall_report *out)
{
	struct walls_case c = {
		.n = g->x->n,
		.role = g->role,
		.limits = g->limits,
		.is_private = g->is_private,
		.ends = g->ends,
		.cgroup_ends = g->role == WALL_ROLE_BOTH ? g->ends : 1,
		.machine = cost_of_ends(g->cost, g->ends),
		.cgroup = g->cost->cgroup[g->role],
		.reserve_bytes = g->x->reserve_bytes,
		.takes_descriptors = takes_descriptors(g->x),
		.is_utcp = engine_is_utcp(g->x->clients),
		.sides = g->x->kind == RUN_LAB ? 2 : 1,
		.uring = g->uring,
		.namespaces = g->namespaces,
		.utcp = g->utcp,
	};

	ask_workers(g, &c);
	scale_fixed(&c, &c.machine);
	scale_fixed(&c, &c.cgroup);
	add_spares(g, &c);
	add_box(g, &c);
	put_topology(g, &c);
	walls_judge(&c, out);
}

/* Whether n takes more than four fifths of what a row of memory allows. */
static bool is_close(const struct wall_report *report, const char *id)
{
	const struct wall_row *row = walls_row(report, id);

	return row && row->allows / 5 * 4 < report->n && row->allows <= report->largest / 4 * 5;
}

/* A wall that is measured is exact to a hundredth: up to that it is tried, and the guard decides.
 */
static void allow_for_error(struct wall_report *report)
{
	bool is_memory = strcmp(report->rows[0].id, "memory") == 0 ||
	                 strcmp(report->rows[0].id, "cgroup_memory") == 0;

	if (is_memory && report->n > report->largest &&
	    report->n - report->largest <= report->largest / 100) {
		report->largest = report->n;
		report->fits = true;
	}
}

static uint64_t memory_left_bytes(const struct limits *l)
{
	return l->cgroup_left_bytes < l->memory_left_bytes ? l->cgroup_left_bytes
	                                                   : l->memory_left_bytes;
}

int gauge_run(struct gauge *g, struct supervisor *s, struct wall_report *out, struct err *err)
{
	const struct experiment *x = s->experiment;
	const struct cost_case of = {x->engine, x->clients, is_ipv6(x)};
	struct cost cost;
	struct err why;
	int failed;

	g->x = s->experiment;
	g->limits = &s->limits;
	g->cost = &cost;
	cost_assume(&of, &cost);
	gauge_judge(g, out);
	if (g->is_assumed || (!is_close(out, "memory") && !is_close(out, "cgroup_memory")))
		return 0;
	supervisor_say(s, "memory is near its end: measuring what a connection costs here");
	failed = cost_measure(&of, memory_left_bytes(g->limits), &cost, &why);
	if (failed == -EINTR)
		return err_set(err, failed, "%s", why.text);
	supervisor_take_baseline(s, QUIET_NS);
	gauge_judge(g, out); /* as assumed where it could not be measured */
	allow_for_error(out);
	return 0;
}
