/* census: which sockets of the kernel's list are ours: those at the addresses and ports we listen
 * on, and those whose 4-tuple is in the plan. */
#include "run/census.h"

#include "kernel/probe.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>

#define TRIES 5 /* of a dump that was interrupted by a change */

static uint32_t states(enum census what)
{
	if (what == CENSUS_ESTABLISHED)
		return 1U << TCP_ESTABLISHED;
	return ~(1U << TCP_LISTEN | 1U << TCP_TIME_WAIT);
}

/* `some`: what the query's match counts besides, anew at each try; or NULL. */
static uint64_t ask_for(const struct diag_query *query, uint64_t *some)
{
	struct diag_counts counts;
	int failed = -EINTR;

	for (int tries = 0; failed == -EINTR && tries < TRIES; tries++) {
		if (some)
			*some = 0;
		failed = diag_count(query, &counts);
	}
	return failed == 0 ? counts.total : PROBE_UNKNOWN;
}

static uint64_t ask(const struct diag_query *query)
{
	return ask_for(query, NULL);
}

static uint64_t add(uint64_t a, uint64_t b)
{
	return a == PROBE_UNKNOWN || b == PROBE_UNKNOWN ? PROBE_UNKNOWN : a + b;
}

static bool is_any(const struct ip *address)
{
	static const uint8_t zeros[sizeof(address->bytes)];

	return memcmp(address->bytes, zeros, sizeof(zeros)) == 0;
}

static bool is_at(const struct experiment_listen *at, const struct diag_socket *socket)
{
	return at->port_low <= socket->local_port && socket->local_port <= at->port_high &&
	       (is_any(&at->address) || ip_equal(&at->address, &socket->local));
}

bool census_is_of_listen(const struct experiment *x, uint32_t number,
                         const struct diag_socket *socket)
{
	uint32_t first = 0;

	while (first < number && (x->listens[first].address.family != socket->local.family ||
	                          !is_at(&x->listens[first], socket)))
		first++;
	return first == number && is_at(&x->listens[number], socket);
}

/* The sockets of one x->listens, and how many of them have a peer of the pool. */
struct of_listen {
	const struct experiment *x;
	uint32_t number;
	const struct pool *pool; /* NULL: none */
	uint64_t *of_pool;
};

static bool is_of_listen(const struct diag_socket *socket, const void *context)
{
	const struct of_listen *of = context;

	if (!census_is_of_listen(of->x, of->number, socket))
		return false;
	if (of->pool) {
		const struct ip peer = ip_unmapped(&socket->remote);

		*of->of_pool += pool_index(of->pool, &peer) >= 0;
	}
	return true;
}

/* One dump for both numbers, as a million take a second. */
static uint64_t count_listen(const struct of_listen *of, enum census what)
{
	const struct experiment_listen *listen = &of->x->listens[of->number];
	const struct diag_query query = {
		.family = listen->address.family,
		.low = listen->port_low,
		.high = listen->port_high,
		.state_mask = states(what),
		.match = is_of_listen,
		.context = of,
	};

	return ask_for(&query, of->of_pool);
}

static uint64_t count_servers(const struct experiment *x, enum census what)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < x->listen_count; i++) {
		const struct of_listen of = {.x = x, .number = i};

		sum = add(sum, count_listen(&of, what));
	}
	return sum;
}

static bool is_planned(const struct diag_socket *socket, const void *context)
{
	const struct experiment *x = context;
	const struct tuple tuple = {
		.source = socket->local,
		.target = socket->remote,
		.source_port = socket->local_port,
		.target_port = socket->remote_port,
	};
	int64_t index = tuple_index(&x->tuples, &tuple);

	return index >= 0 && (uint64_t)index < x->n + x->spares;
}

static uint64_t count_clients(const struct experiment *x, enum census what)
{
	const struct tuple_plan *plan = &x->tuples;
	const struct diag_query query = {
		.family = plan->target.family,
		.by_remote = true,
		.low = plan->target_port_low,
		.high = (uint16_t)(plan->target_port_low + plan->target_port_count - 1),
		.state_mask = states(what),
		.match = is_planned,
		.context = x,
	};

	return ask(&query);
}

/* The same from the other side. */
static bool is_planned_peer(const struct diag_socket *socket, const void *context)
{
	const struct diag_socket theirs = {
		.local = ip_unmapped(&socket->remote),
		.remote = ip_unmapped(&socket->local),
		.local_port = socket->remote_port,
		.remote_port = socket->local_port,
	};

	return is_planned(&theirs, context);
}

/* Whether somebody in this network namespace listens on a port of the plan's. */
static bool is_server_here(const struct tuple_plan *plan)
{
	uint8_t ports[TUPLE_PORT_BYTES] = {0};

	if (diag_listening_ports(ports) != 0)
		return false;
	for (uint32_t i = 0; i < plan->target_port_count; i++) {
		if (tuple_port_is_marked(ports, (uint16_t)(plan->target_port_low + i)))
			return true;
	}
	return false;
}

/* Clients that are no sockets: the servers' sockets, whoever has them; on a LAN another host, whose
 * kernel is not asked. */
static uint64_t count_peers(const struct experiment *x, enum census what)
{
	const struct tuple_plan *plan = &x->tuples;
	struct diag_query query = {
		.family = AF_INET6,
		.low = plan->target_port_low,
		.high = (uint16_t)(plan->target_port_low + plan->target_port_count - 1),
		.state_mask = states(what),
		.match = is_planned_peer,
		.context = x,
	};
	uint64_t sum = x->is_on_lan ? PROBE_UNKNOWN : ask(&query);

	if (plan->target.family == AF_INET && !x->is_on_lan) {
		query.family = AF_INET;
		sum = add(sum, ask(&query));
	}
	return sum == 0 && !is_server_here(plan) ? PROBE_UNKNOWN : sum;
}

uint64_t census_count(const struct experiment *x, enum census what)
{
	uint64_t sum = 0;

	if (x->server_workers > 0)
		sum = count_servers(x, what);
	if (engine_is_utcp(x->clients))
		return x->server_workers > 0 ? sum : count_peers(x, what);
	if (x->client_workers > 0 && (what == CENSUS_LEFT || x->server_workers == 0))
		sum = add(sum, count_clients(x, what));
	return sum;
}

void census_peers(const struct experiment *x, const struct pool *pool, struct census_peers *out)
{
	*out = (struct census_peers){0};
	for (uint32_t i = 0; i < x->listen_count; i++) {
		uint64_t some = 0;
		const struct of_listen of = {.x = x, .number = i, .pool = pool, .of_pool = &some};
		uint64_t all = count_listen(&of, CENSUS_ESTABLISHED);

		out->all = add(out->all, all);
		out->of_pool = add(out->of_pool, all == PROBE_UNKNOWN ? all : some);
	}
}

/* `of`: only those of a listen of ours; or NULL. */
static void add_queued(uint64_t *sum, int family, uint16_t low, uint16_t high,
                       const struct of_listen *of)
{
	const struct diag_query query = {
		.family = family,
		.low = low,
		.high = high,
		.state_mask = 1U << TCP_LISTEN,
		.match = of ? is_of_listen : NULL,
		.context = of,
	};
	struct diag_counts counts;

	if (diag_count(&query, &counts) == 0 && counts.total > 0)
		*sum = (*sum == PROBE_UNKNOWN ? 0 : *sum) + counts.queued;
}

uint64_t census_queued(const struct experiment *x)
{
	const struct tuple_plan *plan = &x->tuples;
	uint64_t sum = PROBE_UNKNOWN;

	for (uint32_t i = 0; i < x->listen_count; i++) {
		const struct of_listen of = {.x = x, .number = i};

		add_queued(&sum, x->listens[i].address.family, x->listens[i].port_low,
		           x->listens[i].port_high, &of);
	}
	if (x->listen_count > 0)
		return sum;
	uint16_t high = (uint16_t)(plan->target_port_low + plan->target_port_count - 1);

	add_queued(&sum, AF_INET6, plan->target_port_low, high, NULL); /* on ::, for IPv4 too */
	if (plan->target.family == AF_INET)
		add_queued(&sum, AF_INET, plan->target_port_low, high, NULL);
	return sum;
}

static uint64_t known(uint64_t value)
{
	return value == PROBE_UNKNOWN ? 0 : value;
}

uint64_t census_left(const struct experiment *x)
{
	struct probe_sockstat now;

	if (!x->has_netns)
		return known(census_count(x, CENSUS_LEFT));
	if (probe_read_sockstat(&now) != 0)
		return 0;
	return known(now.tcp_inuse) + known(now.tcp6_inuse);
}
