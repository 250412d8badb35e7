/* doctor: puts an experiment together as serve, connect or lab --no-netns would, and asks the table
 * of limits about it. */
#include "run/doctor.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/text.h"
#include "kernel/netns.h"
#include "plan/capacity.h"
#include "run/engines.h"
#include "run/gauge.h"
#include "run/sampler.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define DEFAULT_TARGET "127.0.0.1:8090"
#define QUIET_NS       (3 * NS_PER_S)

struct examination {
	const struct doctor_options *options;
	struct experiment *x;
	struct limits limits;
	struct topology topology;
	struct cost cost;
	struct gauge gauge;
};

static enum run_kind kind_of(enum wall_role role)
{
	switch (role) {
	case WALL_ROLE_SERVER:
		return RUN_SERVE;
	case WALL_ROLE_CLIENT:
		return RUN_CONNECT;
	case WALL_ROLE_BOTH:
	case WALL_ROLE_COUNT:
		break;
	}
	return RUN_LAB;
}

static int choose_topology(struct examination *e, struct err *err)
{
	const struct doctor_options *o = e->options;
	const struct topology_options where = {
		.target = o->target ? o->target : DEFAULT_TARGET,
		.source = o->source,
		.family = o->family,
		.port_low = o->port_low,
		.port_high = o->port_high,
		.allow_public = true,
		.allow_missing = true,
	};
	struct tuple_plan *plan = &e->x->tuples;
	int failed = topology_choose(&where, plan, &e->topology, err);

	if (failed != 0)
		return failed;
	e->x->listens[0] = (struct experiment_listen){.address = plan->target};
	e->x->listen_count = 1;
	e->x->listeners = plan->target_port_count;
	return 0;
}

/* As auto chooses; where the wanted one does not work here, the report still is of it. */
static void choose_engine(struct examination *e)
{
	struct err why = {""};
	struct text t = {.at = e->gauge.uring.why, .size = sizeof(e->gauge.uring.why)};

	e->gauge.uring.is_there = engine_choose(ENGINE_URING, &e->x->engine, &why) == 0;
	if (!e->gauge.uring.is_there)
		text_add(&t, "%s", why.text);
	else
		text_add(&t, "connections need no descriptors");
	if (e->options->engine == ENGINE_EPOLL || !e->gauge.uring.is_there)
		e->x->engine = ENGINE_EPOLL;
	e->x->clients = e->x->engine;
}

/* What lab's clients are where both ends do not fit as sockets. */
static void probe_utcp(struct examination *e)
{
	struct text t = {.at = e->gauge.utcp.why, .size = sizeof(e->gauge.utcp.why)};
	enum engine_kind kind;
	struct err why = {""};

	e->gauge.utcp.is_there = e->gauge.namespaces.is_there &&
	                         engines_choose_utcp(ENGINE_AUTO, true, &kind, &why) == 0;
	if (e->gauge.utcp.is_there)
		text_add(&t, "where memory ends, clients of a lab are our own TCP (%s)",
		         engine_kind_name(kind));
	else
		text_add(&t, "clients of a lab are kernel sockets always");
}

static void probe_namespaces(struct examination *e)
{
	struct err why = {""};
	struct text t = {.at = e->gauge.namespaces.why, .size = sizeof(e->gauge.namespaces.why)};
	enum netns_kind kind = netns_probe(&why);

	e->gauge.namespaces.is_there = kind != NETNS_HOST;
	text_add(&t, "%s",
	         kind == NETNS_USER   ? "for this user, without root"
	         : kind == NETNS_ROOT ? "by root's right"
	                              : why.text);
}

static int find_cost(struct examination *e, void (*say)(const char *line), struct err *err)
{
	const struct cost_case of = {e->x->engine, e->x->clients,
	                             e->x->tuples.target.family == AF_INET6};
	uint64_t left = e->limits.memory_left_bytes;
	char line[640];
	struct err why = {""};
	struct text t;
	int failed;

	cost_assume(&of, &e->cost);
	if (e->options->is_assumed)
		return 0;
	if (e->limits.cgroup_left_bytes < left)
		left = e->limits.cgroup_left_bytes;
	failed = cost_measure(&of, left, &e->cost, &why);
	if (failed == -EINTR)
		return err_set(err, failed, "%s", why.text);
	if (failed != 0 && say) {
		text_init(&t, line, sizeof(line));
		text_add(&t,
		         "what a connection costs is taken from earlier figures, not measured: %s",
		         why.text);
		say(line);
	}
	/* What was measured with is gone by now. */
	(void)sampler_wait_quiet(QUIET_NS);
	limits_read(&e->limits);
	return 0;
}

static int examine(struct examination *e, void (*say)(const char *line), struct wall_report *report,
                   struct err *err)
{
	const struct doctor_options *o = e->options;
	int failed;

	e->x->kind = kind_of(o->role);
	e->x->n = o->n;
	limits_read(&e->limits);
	e->x->nofile = gauge_nofile(&e->limits);
	e->x->reserve_bytes = o->reserve_bytes > 0
	                              ? o->reserve_bytes
	                              : capacity_default_reserve(e->limits.memory_total_bytes);
	choose_engine(e);
	probe_namespaces(e);
	probe_utcp(e);
	failed = choose_topology(e, err);
	if (failed == 0)
		failed = find_cost(e, say, err);
	if (failed != 0)
		return failed;
	e->gauge.x = e->x;
	e->gauge.limits = &e->limits;
	e->gauge.cost = &e->cost;
	e->gauge.role = o->role;
	e->gauge.workers = o->workers;
	e->gauge.topology = o->role == WALL_ROLE_SERVER && !o->source ? NULL : &e->topology;
	e->gauge.ends = o->role == WALL_ROLE_BOTH                                  ? 2
	                : o->role == WALL_ROLE_CLIENT && e->topology.is_own_target ? 2
	                                                                           : 1;
	if (!e->gauge.topology)
		e->x->tuples.port_count = 0; /* clients may come from anywhere */
	gauge_judge(&e->gauge, report);
	return 0;
}

int doctor_examine(const struct doctor_options *options, void (*say)(const char *line),
                   struct wall_report *report, struct err *err)
{
	struct examination e = {.options = options, .x = map_private(sizeof(*e.x))};
	int failed;

	if (!e.x)
		return err_set(err, -ENOMEM, "no memory to look around");
	failed = examine(&e, say, report, err);
	map_drop(e.x, sizeof(*e.x));
	return failed;
}
