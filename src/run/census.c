/* census: which sockets of the kernel's list are ours: those on the ports we listen on, and those
 * whose 4-tuple is in the plan. */
#include "run/census.h"

#include "kernel/diag.h"
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

static uint64_t ask(const struct diag_query *query)
{
	struct diag_counts counts;
	int failed = -EINTR;

	for (int tries = 0; failed == -EINTR && tries < TRIES; tries++)
		failed = diag_count(query, &counts);
	return failed == 0 ? counts.total : PROBE_UNKNOWN;
}

static uint64_t add(uint64_t a, uint64_t b)
{
	return a == PROBE_UNKNOWN || b == PROBE_UNKNOWN ? PROBE_UNKNOWN : a + b;
}

static uint64_t count_servers(const struct experiment *x, enum census what)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < x->listen_count; i++) {
		const struct diag_query query = {
			.family = x->listens[i].address.family,
			.low = x->listens[i].port_low,
			.high = x->listens[i].port_high,
			.state_mask = states(what),
		};

		sum = add(sum, ask(&query));
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

/* A server on :: has IPv4 peers as ::ffff:0:0/96 (RFC 4291 section 2.5.5.2). */
static struct ip unmapped(const struct ip *ip)
{
	static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};
	struct ip out = {.family = AF_INET};

	if (ip->family != AF_INET6 || memcmp(ip->bytes, prefix, sizeof(prefix)) != 0)
		return *ip;
	memcpy(out.bytes, ip->bytes + sizeof(prefix), 4);
	return out;
}

/* The same from the other side. */
static bool is_planned_peer(const struct diag_socket *socket, const void *context)
{
	const struct diag_socket theirs = {
		.local = unmapped(&socket->remote),
		.remote = unmapped(&socket->local),
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

/* Clients that are no sockets: the servers' sockets, whoever has them. */
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
	uint64_t sum = ask(&query);

	if (plan->target.family == AF_INET) {
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

static void add_queued(uint64_t *sum, int family, uint16_t low, uint16_t high)
{
	const struct diag_query query = {
		.family = family, .low = low, .high = high, .state_mask = 1U << TCP_LISTEN};
	struct diag_counts counts;

	if (diag_count(&query, &counts) == 0 && counts.total > 0)
		*sum = (*sum == PROBE_UNKNOWN ? 0 : *sum) + counts.queued;
}

uint64_t census_queued(const struct experiment *x)
{
	const struct tuple_plan *plan = &x->tuples;
	uint64_t sum = PROBE_UNKNOWN;

	for (uint32_t i = 0; i < x->listen_count; i++)
		add_queued(&sum, x->listens[i].address.family, x->listens[i].port_low,
		           x->listens[i].port_high);
	if (x->listen_count > 0)
		return sum;
	uint16_t high = (uint16_t)(plan->target_port_low + plan->target_port_count - 1);

	add_queued(&sum, AF_INET6, plan->target_port_low, high); /* on ::, for IPv4 too */
	if (plan->target.family == AF_INET)
		add_queued(&sum, AF_INET, plan->target_port_low, high);
	return sum;
}
