/* tuple: the bijection between a connection's index and its 4-tuple. Pure.
 *
 * index = (position of source port * source IPs + source IP) * target ports + target port
 *
 * where the source IP is its number in the pool.
 *
 * The target port runs fastest and the source port slowest, so that connections made one after the
 * other use the same source port to or from many addresses (the kernel's bind bucket for it stays
 * in the cache), and workers with disjoint ranges of indexes use disjoint source ports.
 *
 * Clients with a TCP of their own have a device for each worker, and a source IP's packets come out
 * of one device. Their plan is `by_source`: the source IP runs slowest,
 *
 * index = (source IP * source ports + position of source port) * target ports + target port
 *
 * and ranges of indexes that begin at multiples of tuple_per_source share no source IP. */
#pragma once

#include "plan/ip.h"
#include "plan/pool.h"

#include <stdbool.h>
#include <stdint.h>

#define TUPLE_PORT_BITS  65536
#define TUPLE_PORT_BYTES (TUPLE_PORT_BITS / 8)

enum solution {
	SOLUTION_IPS,   /* 1: many source IPs to one server port   */
	SOLUTION_PORTS, /* 2: one source IP to many server ports   */
	SOLUTION_MIXED, /* many of both                            */
	SOLUTION_COUNT
};

struct tuple {
	struct ip source, target;
	uint16_t source_port, target_port;
};

struct tuple_plan {
	struct pool sources;
	uint32_t source_count; /* how many of the pool are used, the first ones */
	bool by_source;        /* the source IP runs slowest */
	struct ip target;
	uint16_t target_port_low;
	uint32_t target_port_count;
	uint32_t port_count;                   /* source ports of one source IP               */
	uint16_t ports[TUPLE_PORT_BITS];       /* position -> source port                     */
	uint16_t position_of[TUPLE_PORT_BITS]; /* source port -> position + 1, 0: not in pool */
};

/* Sets the pool of source ports to low..high less those marked in `excluded` (TUPLE_PORT_BYTES; may
 * be NULL), at most `most` of them. Returns how many there are. */
uint32_t tuple_set_ports(struct tuple_plan *plan, uint16_t low, uint16_t high,
                         const uint8_t *excluded, uint32_t most);

/* Moves the ports that are marked in `deferred` behind all others: they are used last. */
void tuple_defer_ports(struct tuple_plan *plan, const uint8_t *deferred);

/* Chooses source_count and target_port_count for n connections: the classic 20 IPs and 30 ports,
 * more where n needs more, fewer where n is smaller, at most what is given and what the pool of
 * sources has. Both pools, the target and target_port_low are set before. Returns how many
 * connections the plan then has room for (may be < n). */
uint64_t tuple_shape(struct tuple_plan *plan, enum solution solution, uint64_t n,
                     uint32_t sources_most, uint32_t target_ports_most);

/* How many tuples there are: indexes are below it. */
uint64_t tuple_room(const struct tuple_plan *plan);

/* How many tuples each source IP has. */
uint64_t tuple_per_source(const struct tuple_plan *plan);

/* Makes the plan by_source for n connections (at most tuple_room): of the source ports, the first
 * ones that all source IPs together need, so that each IP gets its share. */
void tuple_spread(struct tuple_plan *plan, uint64_t n);

/* How many source IPs have connections then: the first ones, of n. */
uint32_t tuple_spread_sources(const struct tuple_plan *plan, uint64_t n);

/* The tuple of an index below tuple_room. */
struct tuple tuple_at(const struct tuple_plan *plan, uint64_t index);

/* The index of a tuple, or -1 where the plan has it not. */
int64_t tuple_index(const struct tuple_plan *plan, const struct tuple *tuple);

/* Bits of a set of ports. */
void tuple_port_mark(uint8_t *ports, uint16_t port);
bool tuple_port_is_marked(const uint8_t *ports, uint16_t port);
