/* sizing: the arithmetic of N, both ways. */
#include "plan/sizing.h"

#include "plan/capacity.h"
#include "plan/saturate.h"

#include <assert.h>

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t most(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* --- memory --------------------------------------------------------------------------------- */

static uint64_t connection_bytes(enum sizing_role role, bool is_ipv6)
{
	return capacity_connection_bytes(role == SIZING_BOTH ? 2 : 1, is_ipv6);
}

uint64_t sizing_memory_bytes(uint64_t n, enum sizing_role role, bool is_ipv6)
{
	return capacity_with_reserve(saturate_times(n, connection_bytes(role, is_ipv6)));
}

uint64_t sizing_held(uint64_t bytes, enum sizing_role role, bool is_ipv6)
{
	uint64_t reserve_bytes = capacity_default_reserve(bytes);

	return bytes > reserve_bytes ? (bytes - reserve_bytes) / connection_bytes(role, is_ipv6)
	                             : 0;
}

/* --- 4-tuples ------------------------------------------------------------------------------- */

/* IPv6 is counted within a /64, which has 2^64: as many as can be counted. */
static uint64_t addresses(const struct sizing_ask *ask)
{
	return ask->is_ipv6 ? UINT64_MAX : SIZING_IPV4_ADDRESSES;
}

static struct sizing_shape shape(const struct sizing_ask *ask, uint64_t sources,
                                 uint64_t server_ports)
{
	return (struct sizing_shape){
		.sources = sources,
		.server_ports = server_ports,
		.room = saturate_times(saturate_times(sources, server_ports), ask->source_ports),
		.is_possible = sources <= addresses(ask) &&
	                       server_ports <= SIZING_SERVER_PORTS_MOST,
	};
}

static void set_shapes(const struct sizing_ask *ask, struct sizing *s)
{
	uint64_t of_source = (uint64_t)ask->source_ports * ask->server_ports;
	uint64_t sources = ask->sources > 0 ? ask->sources : 1;
	uint64_t of_port = saturate_times(sources, ask->source_ports);

	s->by_sources = shape(ask, most(saturate_parts(s->n, of_source), 1), ask->server_ports);
	s->by_ports = shape(ask, sources, most(saturate_parts(s->n, of_port), 1));
	s->sources_wide =
		most(saturate_parts(s->n, (uint64_t)SIZING_PORTS_WIDE * ask->server_ports), 1);
}

/* --- what ends first ------------------------------------------------------------------------ */

static void bound(struct sizing *s, enum sizing_end end, uint64_t allows)
{
	if (allows >= s->largest)
		return;
	s->largest = allows;
	s->ends = end;
}

static void set_largest(const struct sizing_ask *ask, struct sizing *s)
{
	uint64_t of_source = (uint64_t)ask->source_ports * ask->server_ports;

	s->ends = SIZING_END_ADDRESSES;
	s->largest = saturate_times(addresses(ask), of_source);
	if (ask->sources > 0)
		bound(s, SIZING_END_SOURCES, saturate_times(ask->sources, of_source));
	if (ask->memory_bytes > 0)
		bound(s, SIZING_END_MEMORY, least(s->held[SIZING_SERVER], s->held[SIZING_CLIENT]));
}

/* --- how it is run -------------------------------------------------------------------------- */

static void set_runs(const struct sizing_ask *ask, struct sizing *s)
{
	uint64_t of_source = (uint64_t)ask->source_ports * ask->server_ports;
	uint64_t n = least(s->n, s->largest);

	if (n == 0)
		return;
	s->servers = saturate_parts(n, CAPACITY_INDEX_MOST);
	s->server_n = saturate_parts(n, s->servers);
	s->clients = most(s->servers,
	                  saturate_parts(saturate_parts(n, of_source), SIZING_RUN_SOURCES));
	s->client_n = saturate_parts(n, s->clients);
	s->client_sources = saturate_parts(s->client_n, of_source);
}

void sizing_work(const struct sizing_ask *ask, struct sizing *out)
{
	assert(ask->server_ports > 0 && ask->source_ports > 0);
	assert(ask->nofile > SIZING_SPARE_DESCRIPTORS);
	*out = (struct sizing){.n = ask->n};
	for (int role = 0; role < SIZING_ROLE_COUNT; role++)
		out->held[role] = sizing_held(ask->memory_bytes, (enum sizing_role)role,
		                              ask->is_ipv6);
	set_largest(ask, out);
	if (ask->n == 0)
		out->n = most(out->largest, 1);
	out->fits = out->n <= out->largest;
	for (int role = 0; role < SIZING_ROLE_COUNT; role++)
		out->memory_bytes[role] = sizing_memory_bytes(out->n, (enum sizing_role)role,
		                                              ask->is_ipv6);
	out->processes = saturate_parts(out->n, ask->nofile - SIZING_SPARE_DESCRIPTORS);
	set_shapes(ask, out);
	set_runs(ask, out);
}
