/* connect: the decisions of clients alone: from where, to where, how many.
 *
 * A server that echoes is proved as in a lab. It is asked on one connection before the ramp; one
 * that does not answer with the token is somebody else's: then connections are watched, so that
 * their end is seen when it comes. */
#include "run/connect.h"

#include "base/clock.h"
#include "base/text.h"
#include "kernel/diag.h"
#include "kernel/resolve.h"
#include "kernel/sysctl.h"
#include "plan/capacity.h"
#include "plan/endpoint.h"
#include "run/flights.h"
#include "run/hello.h"
#include "run/verdict.h"
#include "run/workers.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#define QUIET_NS        NS_PER_S
#define HELLO_NS        (2 * NS_PER_S)
#define SOURCES_CHECKED 4096 /* of a range; of a larger one, its ends */

/* --- where to, and from where --------------------------------------------------------------- */

static int choose_target(const struct connect_options *options, struct experiment *x,
                         struct err *err)
{
	struct tuple_plan *plan = &x->tuples;
	struct endpoint endpoint;
	char address[IP_TEXT_BYTES];
	int family = options->source ? plan->sources.ranges[0].first.family : options->family;
	int failed = endpoint_parse(options->target, NULL, &endpoint, err);

	if (failed == 0)
		failed = resolve_host(endpoint.host, family, &plan->target, err);
	if (failed != 0)
		return failed;
	plan->target_port_low = endpoint.port_low;
	plan->target_port_count = (uint32_t)(endpoint.port_high - endpoint.port_low) + 1;
	if (!ip_is_host(&plan->target))
		return err_set(err, -EINVAL, "%s is no host's address: name the server's",
		               ip_format(&plan->target, address));
	if (options->allow_public || !ip_is_public(&plan->target))
		return 0;
	return err_set(err, -EPERM,
	               "%s is neither a loopback, private, link-local nor benchmark address: "
	               "--allow-public, if it is yours",
	               ip_format(&plan->target, address));
}

/* Whether this host has the address. */
static bool is_own(const struct ip *ip)
{
	struct sockaddr_storage address;
	socklen_t len = ip_sockaddr(ip, 0, &address);
	int fd = socket(ip->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool own = fd >= 0 && bind(fd, (const struct sockaddr *)&address, len) == 0;

	if (fd >= 0)
		close(fd);
	return own;
}

static int check_range(const struct pool_range *range, struct err *err)
{
	uint32_t step = range->count > SOURCES_CHECKED ? range->count - 1 : 1;
	char address[IP_TEXT_BYTES];

	for (uint32_t i = 0; i < range->count; i += step) {
		struct ip ip = ip_add(&range->first, i);

		if (!ip_is_host(&ip) || !is_own(&ip))
			return err_set(err, -EADDRNOTAVAIL,
			               "source IP %s is not an address of this host: add it "
			               "(ip addr add), or take another --source",
			               ip_format(&ip, address));
	}
	return 0;
}

static int check_sources(const struct pool *pool, struct err *err)
{
	int failed = 0;

	for (uint32_t i = 0; i < pool->range_count && failed == 0; i++)
		failed = check_range(&pool->ranges[i], err);
	return failed;
}

static int choose_sources(const struct connect_options *options, struct experiment *x,
                          struct err *err)
{
	struct ip source;
	int failed = 0;

	if (!options->source) {
		failed = resolve_source(&x->tuples.target, &source, err);
		if (failed == 0)
			pool_set(&x->tuples.sources, &source, 1);
	}
	/* Link-local addresses are of the link that the target is on. */
	for (uint32_t i = 0; i < x->tuples.sources.range_count; i++)
		x->tuples.sources.ranges[i].first.scope = x->tuples.target.scope;
	x->tuples.source_count = x->tuples.sources.count;
	return failed == 0 ? check_sources(&x->tuples.sources, err) : failed;
}

static bool is_from_pool(const struct diag_socket *socket, const void *context)
{
	const struct tuple_plan *plan = context;

	return pool_index(&plan->sources, &socket->local) >= 0;
}

/* Marks the ports that sockets in some state have at one of our addresses. */
static void mark_taken(const struct tuple_plan *plan, uint32_t state_mask, uint8_t *ports)
{
	const struct diag_query query = {
		.family = plan->target.family,
		.high = UINT16_MAX,
		.state_mask = state_mask,
		.match = is_from_pool,
		.context = plan,
	};

	(void)diag_mark_ports(&query, ports);
}

/* Others' ports are left out. Those in TIME_WAIT may be had or not, and are used last. */
static int choose_ports(const struct connect_options *options, struct experiment *x,
                        struct err *err)
{
	struct tuple_plan *plan = &x->tuples;
	uint8_t excluded[TUPLE_PORT_BYTES] = {0}, waiting[TUPLE_PORT_BYTES] = {0};
	uint16_t low = options->port_low, high = options->port_high;

	if (low == 0 && sysctl_port_range(&low, &high) != 0)
		return err_set(err, -EINVAL,
		               "cannot read net.ipv4.ip_local_port_range: give --ports LO-HI");
	(void)sysctl_reserved_ports(excluded);
	(void)diag_listening_ports(excluded);
	mark_taken(plan, ~(1U << TCP_TIME_WAIT), excluded);
	mark_taken(plan, 1U << TCP_TIME_WAIT, waiting);
	/* A socket that connects to its own address and port is its own peer. */
	for (uint32_t i = 0; i < plan->target_port_count; i++) {
		if (pool_index(&plan->sources, &plan->target) >= 0)
			tuple_port_mark(excluded, (uint16_t)(plan->target_port_low + i));
	}
	if (tuple_set_ports(plan, low, high, excluded, TUPLE_PORT_BITS) == 0)
		return err_set(err, -EADDRINUSE, "no source port is left in %u-%u: widen --ports",
		               low, high);
	tuple_defer_ports(plan, waiting);
	return 0;
}

static enum solution solution_of(const struct tuple_plan *plan)
{
	if (plan->target_port_count == 1)
		return SOLUTION_IPS;
	return plan->source_count == 1 ? SOLUTION_PORTS : SOLUTION_MIXED;
}

static int choose_tuples(const struct connect_options *options, struct experiment *x,
                         struct err *err)
{
	int failed = 0;

	if (options->source)
		failed = pool_parse(options->source, &x->tuples.sources, err);
	if (failed == 0)
		failed = choose_target(options, x, err);
	if (failed == 0)
		failed = choose_sources(options, x, err);
	if (failed == 0)
		failed = choose_ports(options, x, err);
	x->solution = solution_of(&x->tuples);
	return failed;
}

/* --- how many ------------------------------------------------------------------------------- */

static void set_options(const struct connect_options *options, const struct supervisor *s,
                        struct experiment *x)
{
	x->kind = RUN_CONNECT;
	x->asked = x->n = options->n;
	x->nofile = s->limits.nofile_hard;
	x->without = options->without;
	x->rate_per_s = options->rate_per_s;
	x->hold_ns = options->hold_ns;
	x->timeout_ns = options->timeout_ns;
	x->retries = (uint32_t)options->retries;
	x->proof = options->proof != CONNECT_PROOF_NONE;
	x->reconnect = options->reconnect;
	x->watch = options->watch || options->reconnect || !x->proof;
	x->close = options->close;
	x->reserve_bytes = options->reserve_bytes > 0
	                           ? options->reserve_bytes
	                           : capacity_default_reserve(s->baseline->memory.total_bytes);
}

static void describe_walls(const struct supervisor *s, const struct experiment *x,
                           struct capacity_limits *walls)
{
	uint32_t ends = is_own(&x->tuples.target) ? 2 : 1;

	*walls = (struct capacity_limits){
		.memory_left_bytes = probe_memory_left_bytes(&s->baseline->memory),
		.cgroup_left_bytes = limits_known(s->limits.cgroup_left_bytes),
		.reserve_bytes = x->reserve_bytes,
		.ends = ends,
		.connection_bytes = capacity_connection_bytes(ends,
	                                                      x->tuples.target.family == AF_INET6),
		.files_left = limits_known(s->limits.files_left),
		.tuples = tuple_room(&x->tuples),
		.process_most = CAPACITY_INDEX_MOST,
		.workers_most = 1,
	};
}

/* What is under way is shared by the clients. */
static void share_flights(const struct connect_options *options, struct experiment *x)
{
	uint64_t share = options->in_flight / x->clients_at_once;

	x->in_flight = options->in_flight == 0 ? FLIGHTS_USUAL : share > 0 ? share : 1;
	if (x->in_flight > FLIGHTS_MOST)
		x->in_flight = FLIGHTS_MOST;
}

static void choose_workers(const struct connect_options *options, const struct supervisor *s,
                           struct capacity_limits *walls)
{
	struct experiment *x = s->experiment;
	uint64_t wanted = options->workers;

	if (options->in_flight > 0 && options->in_flight < s->limits.cpus && wanted == 0)
		wanted = options->in_flight;
	uint64_t held = workers_choose(x, &s->limits, wanted); /* and sets client_workers */

	walls->process_most = held / x->client_workers;
	walls->workers_most = x->client_workers;
	share_flights(options, x);
}

/* Cuts n to what fits, and says so. */
static int fit(const struct connect_options *options, struct supervisor *s, struct err *err)
{
	struct experiment *x = s->experiment;
	struct capacity_limits walls;
	enum wall wall = WALL_INDEX;
	char line[640];
	struct text t;

	describe_walls(s, x, &walls);
	uint64_t largest = capacity_largest(&walls, &wall);

	x->n = largest < x->n ? largest : x->n;
	choose_workers(options, s, &walls);
	largest = capacity_largest(&walls, &wall);
	if (largest == 0)
		return capacity_check(&walls, 1, err);
	if (largest >= x->asked)
		return 0;
	text_init(&t, x->wall, sizeof(x->wall));
	capacity_describe(&walls, wall, &t);
	x->n = largest;
	choose_workers(options, s, &walls);
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
	switch (hello_ask(x, shm->key, timeout_ns)) {
	case HELLO_ECHOES:
		return 0;
	case HELLO_MUTE:
		shm_notice(shm, "the server does not echo: connections are held and watched, no "
		                "echo proof is possible");
		break;
	case HELLO_NOBODY: /* the ramp will say why */
		break;
	}
	x->proof = false;
	x->watch = true;
	return 0;
}

static int decide(const struct connect_options *options, struct supervisor *s, struct err *err)
{
	struct experiment *x = s->experiment;
	int failed;

	set_options(options, s, x);
	failed = supervisor_choose_engine(s, options->engine, err);
	if (failed == 0)
		failed = choose_tuples(options, x, err);
	return failed == 0 ? fit(options, s, err) : failed;
}

int connect_run(const struct connect_options *options, const struct run_view *view,
                struct result *result)
{
	struct err err = {""};
	struct supervisor s;
	int failed = supervisor_init(&s, QUIET_NS, view, result, &err), code;

	result->target = options->n;
	if (failed == 0)
		failed = decide(options, &s, &err);
	if (options->proof == CONNECT_PROOF_AUTO)
		s.prepare = find_proof;
	code = failed == 0 ? supervisor_run(&s) : supervisor_refuse(&s, failed, &err);
	supervisor_end(&s);
	return code;
}
