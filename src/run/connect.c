/* connect: the decisions of clients alone: from where, to where, how many.
 *
 * A server that echoes is proved as in a lab. It is asked on one connection before the ramp; one
 * that does not answer with the token is somebody else's: then connections are watched, so that
 * their end is seen when it comes.
 *
 * Clients of our own TCP come from addresses that are not this host's, so that there are as many as
 * are given; their device and its routes are the workers', and go with them. With a device of a LAN
 * (run/lan) they are hosts there, and reach other hosts. */
#include "run/connect.h"

#include "base/clock.h"
#include "base/text.h"
#include "plan/capacity.h"
#include "plan/walls.h"
#include "run/engines.h"
#include "run/flights.h"
#include "run/gauge.h"
#include "run/hello.h"
#include "run/spare.h"
#include "run/topology.h"
#include "run/verdict.h"
#include "run/workers.h"

#include <string.h>

#define QUIET_NS NS_PER_S
#define HELLO_NS (2 * NS_PER_S)

static enum solution solution_of(const struct tuple_plan *plan)
{
	if (plan->target_port_count == 1)
		return SOLUTION_IPS;
	return plan->source_count == 1 ? SOLUTION_PORTS : SOLUTION_MIXED;
}

static int choose_tuples(const struct connect_options *options, struct experiment *x,
                         struct topology *topology, struct err *err)
{
	const struct topology_options where = {
		.target = options->target,
		.source = options->source,
		.family = options->family,
		.port_low = options->port_low,
		.port_high = options->port_high,
		.allow_public = options->allow_public,
		.is_outside = engine_is_utcp(x->clients),
		.shard = options->shard,
		.device = options->device,
		.lan = &x->lan,
	};
	int failed = topology_choose(&where, &x->tuples, topology, err);

	x->is_on_lan = options->device != NULL;

	x->solution = solution_of(&x->tuples);
	x->freebind = topology->needs_freebind;
	return failed;
}

/* --- how many ------------------------------------------------------------------------------- */

static int set_options(const struct connect_options *options, const struct supervisor *s,
                       struct experiment *x, struct err *err)
{
	int failed;

	x->kind = RUN_CONNECT;
	x->asked = x->n = x->whole = options->n;
	x->nofile = gauge_nofile(&s->limits);
	x->without = options->without;
	x->start_at_unix_ns = options->start_at_unix_ns;
	x->rate_per_s = options->rate_per_s;
	x->timeout_ns = options->timeout_ns;
	x->retries = (uint32_t)options->retries;
	x->proof = options->proof != CONNECT_PROOF_NONE;
	x->reconnect = options->reconnect;
	x->interrupt_ends_hold = options->interrupt_ends_hold;
	x->close = options->close;
	x->reserve_bytes = options->reserve_bytes > 0
	                           ? options->reserve_bytes
	                           : capacity_default_reserve(s->baseline->memory.total_bytes);
	failed = living_set(&options->living, options->hold_ns, options->target, x, err);
	x->watch = options->watch || options->reconnect || !x->proof;
	return failed;
}

static int share_stages(const struct shard_part *part, struct experiment *x, struct err *err)
{
	int failed = shard_take(part, "connections of [ramp]", &x->ramp_to, err);

	for (uint32_t i = 0; i < x->stage_count && failed == 0; i++) {
		struct stage *stage = &x->stages[i];

		failed = shard_take(part, "connections of a stage", &stage->connections, err);
		if (failed == 0)
			failed = shard_take(part, "the rate of a stage", &stage->rate_per_s, err);
		if (failed == 0)
			failed = shard_take(part, "--message-rate", &stage->message_rate_per_s,
			                    err);
		if (failed == 0)
			failed = shard_take(part, "--in-flight", &stage->in_flight, err);
		if (failed == 0)
			failed = shard_take(part, "--churn", &stage->churn_per_s, err);
	}
	return failed;
}

/* What is said of all hosts becomes this one's part of it. */
static int take_part(struct connect_options *options, const struct topology *topology,
                     struct experiment *x, struct err *err)
{
	struct shard_part part;

	if (options->shard.of == 0)
		return 0;
	int failed = shard_divide(&options->shard, options->n, topology->sources_given, &part, err);

	if (failed == 0)
		failed = shard_take(&part, "--rate", &x->rate_per_s, err);
	if (failed == 0)
		failed = shard_take(&part, "--in-flight", &options->in_flight, err);
	if (failed == 0)
		failed = share_stages(&part, x, err);
	if (failed != 0)
		return failed;
	x->shard = options->shard;
	x->asked = x->n = part.count;
	x->index_first = (uint32_t)part.first;
	return 0;
}

/* What is under way is shared by the clients. */
static void share_flights(const struct connect_options *options, struct experiment *x)
{
	uint64_t share = options->in_flight / x->clients_at_once;

	x->in_flight = options->in_flight == 0 ? FLIGHTS_USUAL : share > 0 ? share : 1;
	if (x->in_flight > FLIGHTS_MOST)
		x->in_flight = FLIGHTS_MOST;
}

/* Fewer connects under way than CPUs need no more clients than that. */
static uint64_t workers_wanted(const struct connect_options *options, const struct limits *limits)
{
	bool few = options->in_flight > 0 && options->in_flight < limits->cpus;

	return options->workers == 0 && few ? options->in_flight : options->workers;
}

/* "churn by FIN wants 1,240,000 4-tuples to spare, as each rests for 61 s
 * (TIME_WAIT), and 64,512 are left: at most 1,057/s; add source IPs (--source), or
 * --churn-by rst". */
static void say_few_spares(struct supervisor *s, uint64_t wanted)
{
	const struct experiment *x = s->experiment;
	char line[400];
	struct text t;

	text_init(&t, line, sizeof(line));
	text_add(&t, "churn by FIN wants ");
	text_count(&t, wanted);
	text_add(&t, " 4-tuples to spare, as each rests for ");
	text_duration(&t, x->rest_ns);
	text_add(&t, " (TIME_WAIT), and ");
	text_count(&t, x->spares);
	text_add(&t, " are left: at most ");
	text_count(&t, spare_rate(x->spares, x->rest_ns));
	text_add(&t, "/s; more with source IPs (--source), or by --churn-by rst");
	supervisor_say(s, line);
}

/* Tuples beyond those of the connections, as many as there are. */
static void take_spares(struct supervisor *s)
{
	struct experiment *x = s->experiment;
	uint64_t room = tuple_room(&x->tuples), left = room > x->n ? room - x->n : 0;
	uint64_t wanted;

	x->rest_ns = spare_rest_ns(x);
	wanted = spare_wanted(x, x->rest_ns, s->limits.cpus);
	x->spares = wanted < left ? wanted : left;
	if (x->spares < wanted)
		say_few_spares(s, wanted);
}

/* Sockets of this host's that a connection has. */
static uint32_t ends_here(const struct experiment *x, const struct topology *topology)
{
	if (engine_is_utcp(x->clients))
		return x->is_on_lan ? 0 : 1;
	return topology->is_own_target ? 2 : 1;
}

/* Cuts n to what fits, and says so. */
static int fit(const struct connect_options *options, struct supervisor *s,
               const struct topology *topology, struct err *err)
{
	struct experiment *x = s->experiment;
	struct gauge gauge = {
		.topology = topology,
		.role = WALL_ROLE_CLIENT,
		.is_private = x->is_on_lan, /* its packets pass no rule of this host's */
		.ends = ends_here(x, topology),
		.workers = workers_wanted(options, &s->limits),
	};
	struct wall_report report;
	char line[640];
	struct text t;
	int failed = gauge_run(&gauge, s, &report, err);

	if (failed != 0)
		return failed;
	supervisor_tell_walls(s, &report);
	if (report.largest == 0 || (options->all_or_none && !report.fits))
		return walls_refuse(&report, err);
	x->n = report.fits ? x->n : report.largest;
	if (engine_is_utcp(x->clients))
		tuple_spread(&x->tuples, x->n);
	(void)workers_choose(x, &s->limits, gauge.workers);
	share_flights(options, x);
	take_spares(s);
	if (report.fits)
		return 0;
	walls_describe(&report, x->wall, sizeof(x->wall));
	text_init(&t, line, sizeof(line));
	text_count(&t, x->asked);
	text_add(&t, " connections do not fit: going to ");
	text_count(&t, x->n);
	text_add(&t, ", the wall being %s", x->wall);
	supervisor_say(s, line);
	return 0;
}

/* --- the run -------------------------------------------------------------------------------- */

/* Asks the server whether it echoes, where that is not said. */
static int find_proof(struct experiment *x, struct shm *shm, struct err *err)
{
	uint64_t timeout_ns = x->timeout_ns < HELLO_NS ? x->timeout_ns : HELLO_NS;

	(void)err;
	x->has_hello = true;
	switch (hello_ask(x, shm->key, timeout_ns)) {
	case HELLO_ECHOES:
		return 0;
	case HELLO_MUTE:
		shm_notice(shm, "the server does not echo: connections are held and watched, no "
		                "echo proof is possible");
		break;
	case HELLO_NOBODY: /* the ramp will say why, if it is soon */
		if (x->start_at_unix_ns > 0)
			shm_notice(shm, "nobody answers there yet, so it is not known whether the "
			                "server echoes: connections are held and watched, without "
			                "an echo proof (--proof echo has it)");
		break;
	}
	x->proof = false;
	x->watch = true;
	return 0;
}

/* Kernel sockets, or the one of our own that was asked for. */
static int choose_clients(const struct connect_options *options, struct supervisor *s,
                          struct err *err)
{
	if (!engine_is_utcp(options->engine))
		return supervisor_choose_engine(s, options->engine, err);
	s->experiment->engine = ENGINE_AUTO; /* there are none, but where cost is measured */
	s->experiment->clients = options->engine;
	if (options->device) /* which takes no more than a packet socket: it will be seen */
		return 0;
	return engines_choose_utcp(options->engine, false, &s->experiment->clients, err);
}

/* "eth0: nobody has the 51 source IPs; 198.18.0.2 is asked for as their neighbour". */
static void say_lan(struct supervisor *s)
{
	const struct experiment *x = s->experiment;
	char line[300], hop[IP_TEXT_BYTES];
	struct text t;

	text_init(&t, line, sizeof(line));
	text_add(&t, "%s: nobody answers for the ", x->lan.link.name);
	text_count(&t, x->tuples.source_count);
	text_add(&t, " source IP%s; packets go to %s%s", x->tuples.source_count == 1 ? "" : "s",
	         ip_format(&x->lan.hop, hop), x->lan.is_hop_router ? ", a router" : "");
	if (x->lan.has_own_mac)
		text_add(&t, ", from MACs of our own: this host forwards, and would send on what "
		             "comes to its own");
	supervisor_say(s, line);
}

static int decide(struct connect_options *options, struct supervisor *s, struct err *err)
{
	struct experiment *x = s->experiment;
	struct topology topology;
	int failed = set_options(options, s, x, err);

	if (failed == 0)
		failed = choose_clients(options, s, err);
	if (failed == 0)
		failed = choose_tuples(options, x, &topology, err);
	if (failed == 0)
		failed = take_part(options, &topology, x, err);
	x->has_same_clock = failed == 0 && topology.is_own_target;
	x->watches_path = failed == 0 && !topology.is_own_target;
	if (failed == 0 && x->is_on_lan)
		say_lan(s);
	return failed == 0 ? fit(options, s, &topology, err) : failed;
}

int connect_run(const struct connect_options *options, const struct run_view *view,
                struct result *result)
{
	struct connect_options own = *options; /* this host's part of it */
	struct err err = {""};
	struct supervisor s;
	int failed = supervisor_init(&s, QUIET_NS, view, result, &err), code;

	result->target = options->n;
	if (failed == 0)
		failed = decide(&own, &s, &err);
	if (options->proof == CONNECT_PROOF_AUTO && s.experiment->proof)
		s.prepare = find_proof;
	if (options->server.base[0] != '\0')
		s.envoy = &options->server;
	code = failed == 0 ? supervisor_run(&s) : supervisor_refuse(&s, failed, &err);
	supervisor_end(&s);
	return code;
}
