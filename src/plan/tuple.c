/* tuple: mixed-radix numbers whose digits are target port, source IP and source port. */
#include "plan/tuple.h"

#include <string.h>

#define CLASSIC_SOURCES      20
#define CLASSIC_TARGET_PORTS 30

void tuple_port_mark(uint8_t *ports, uint16_t port)
{
	ports[port / 8] |= (uint8_t)(1U << (port % 8));
}

bool tuple_port_is_marked(const uint8_t *ports, uint16_t port)
{
	return (ports[port / 8] >> (port % 8) & 1) != 0;
}

uint32_t tuple_set_ports(struct tuple_plan *plan, uint16_t low, uint16_t high,
                         const uint8_t *excluded, uint32_t most)
{
	plan->port_count = 0;
	memset(plan->position_of, 0, sizeof(plan->position_of));
	for (uint32_t port = low > 0 ? low : 1; port <= high && plan->port_count < most; port++) {
		if (excluded && tuple_port_is_marked(excluded, (uint16_t)port))
			continue;
		plan->ports[plan->port_count] = (uint16_t)port;
		plan->position_of[port] = (uint16_t)(++plan->port_count);
	}
	return plan->port_count;
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* Appends those of `from` whose mark is `marked`. */
static uint32_t append_ports(struct tuple_plan *plan, uint32_t count, const uint16_t *from,
                             const uint8_t *marks, bool marked)
{
	for (uint32_t i = 0; i < plan->port_count; i++) {
		if (tuple_port_is_marked(marks, from[i]) == marked)
			plan->ports[count++] = from[i];
	}
	return count;
}

void tuple_defer_ports(struct tuple_plan *plan, const uint8_t *deferred)
{
	uint16_t before[TUPLE_PORT_BITS];

	memcpy(before, plan->ports, plan->port_count * sizeof(before[0]));
	append_ports(plan, append_ports(plan, 0, before, deferred, false), before, deferred, true);
	for (uint32_t i = 0; i < plan->port_count; i++)
		plan->position_of[plan->ports[i]] = (uint16_t)(i + 1);
}

static uint32_t at_most(uint64_t value, uint32_t most)
{
	return value < most ? (uint32_t)value : most;
}

/* How many of `unit` connections each are wanted: those n needs, or the classic number where n has
 * so many at all. */
static uint64_t wanted(uint64_t n, uint64_t unit, uint32_t classic)
{
	uint64_t needed = (n + unit - 1) / unit;
	uint64_t usual = n < classic ? n : classic;

	return needed > usual ? needed : usual;
}

uint64_t tuple_shape(struct tuple_plan *plan, enum solution solution, uint64_t n,
                     uint32_t sources_most, uint32_t target_ports_most)
{
	uint64_t ports = plan->port_count;

	sources_most = smaller(sources_most, plan->sources.count);
	plan->source_count = smaller(sources_most, 1);
	plan->target_port_count = 1;
	if (ports == 0 || n == 0 || sources_most == 0)
		return 0;
	/* Where both may be many, server ports are added only when source IPs have run out. */
	if (solution != SOLUTION_IPS)
		plan->target_port_count =
			at_most(wanted(n, solution == SOLUTION_MIXED ? ports * sources_most : ports,
		                       CLASSIC_TARGET_PORTS),
		                target_ports_most);
	if (solution != SOLUTION_PORTS)
		plan->source_count = at_most(
			wanted(n, ports * plan->target_port_count, CLASSIC_SOURCES), sources_most);
	return tuple_room(plan);
}

uint64_t tuple_room(const struct tuple_plan *plan)
{
	return (uint64_t)plan->port_count * plan->source_count * plan->target_port_count;
}

uint64_t tuple_per_source(const struct tuple_plan *plan)
{
	return (uint64_t)plan->port_count * plan->target_port_count;
}

/* Source ports of each source IP that n connections take. */
static uint32_t spread_ports(const struct tuple_plan *plan, uint64_t n)
{
	uint64_t of_port = (uint64_t)plan->source_count * plan->target_port_count;
	uint64_t needed = of_port > 0 ? (n + of_port - 1) / of_port : 0;

	return at_most(needed > 0 ? needed : 1, plan->port_count);
}

void tuple_spread(struct tuple_plan *plan, uint64_t n)
{
	uint32_t kept = spread_ports(plan, n);

	for (uint32_t i = kept; i < plan->port_count; i++)
		plan->position_of[plan->ports[i]] = 0;
	plan->port_count = kept;
	plan->by_source = true;
}

uint32_t tuple_spread_sources(const struct tuple_plan *plan, uint64_t n)
{
	uint64_t of_source = (uint64_t)spread_ports(plan, n) * plan->target_port_count;

	return of_source > 0 ? at_most((n + of_source - 1) / of_source, plan->source_count) : 0;
}

struct tuple tuple_at(const struct tuple_plan *plan, uint64_t index)
{
	uint64_t rest = index / plan->target_port_count, source, port;

	if (plan->by_source) {
		source = rest / plan->port_count;
		port = rest % plan->port_count;
	} else {
		source = rest % plan->source_count;
		port = rest / plan->source_count;
	}
	return (struct tuple){
		.source = pool_at(&plan->sources, (uint32_t)source),
		.target = plan->target,
		.source_port = plan->ports[port],
		.target_port = (uint16_t)(plan->target_port_low + index % plan->target_port_count),
	};
}

int64_t tuple_index(const struct tuple_plan *plan, const struct tuple *tuple)
{
	int64_t source = pool_index(&plan->sources, &tuple->source);
	uint32_t position = plan->position_of[tuple->source_port];

	if (source < 0 || (uint64_t)source >= plan->source_count || position == 0)
		return -1;
	if (!ip_equal(&plan->target, &tuple->target) ||
	    tuple->target_port < plan->target_port_low ||
	    tuple->target_port - plan->target_port_low >= (int64_t)plan->target_port_count)
		return -1;
	uint64_t rest = plan->by_source
	                        ? (uint64_t)source * plan->port_count + (position - 1)
	                        : (uint64_t)(position - 1) * plan->source_count + (uint64_t)source;

	return (int64_t)(rest * plan->target_port_count +
	                 (uint64_t)(tuple->target_port - plan->target_port_low));
}
