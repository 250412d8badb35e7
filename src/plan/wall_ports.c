/* wall_ports: a connection is a 4-tuple: source IPs x source ports x targets are how many there can
 * be.
 *
 * megaconn binds the source port of each connection itself, so every free port of the range counts.
 * Programs that leave the choice to the kernel get less: connect(2) looks at the ports of one
 * parity first (Linux 4.2, net/ipv4/inet_hashtables.c, __inet_hash_connect) and crawls once these
 * are used up; bind(2) to a source IP without IP_BIND_ADDRESS_NO_PORT takes a port for all
 * destinations at once (net/ipv4/inet_connection_sock.c). */
#include "plan/wall_ports.h"

#include "plan/capacity.h"
#include "plan/saturate.h"

#include <inttypes.h>

#define WIDE_LOW   10240
#define PORTS_MOST 65535
#define RANGE      "net.ipv4.ip_local_port_range"

static void put_number(struct text *t, uint64_t n, const char *one, const char *many)
{
	if (n == 1)
		text_add(t, "one");
	else
		text_count(t, n);
	text_add(t, " %s", n == 1 ? one : many);
}

static void put_range(const struct walls_case *c, struct text *t)
{
	text_add(t, c->ports.are_given ? "source ports %u-%u" : "ip_local_port_range %u-%u",
	         c->ports.low, c->ports.high);
}

/* How many more source IPs or server ports it takes, at so many tuples for each. */
static void advise(const struct walls_case *c, struct wall_row *row)
{
	const struct tuple_plan *plan = c->tuples;
	uint64_t sources = plan->source_count, targets = plan->target_port_count;
	uint64_t by_source = targets * plan->port_count, by_target = sources * plan->port_count;
	uint64_t n = saturate_plus(c->n, c->spares);
	uint64_t targets_needed = by_target > 0 ? saturate_parts(n, by_target) : UINT64_MAX;
	struct text t = wall_fix(row);

	if (c->is_lab) {
		text_add(&t, "--solution mixed, or widen --ports%s",
		         c->spares > 0 ? ", or --churn-by rst" : "");
		return;
	}
	if (by_source == 0) {
		text_add(&t, "choose --ports where ports are free");
		return;
	}
	text_add(&t, "add ");
	put_number(&t, saturate_parts(n, by_source) - sources, "source IP", "source IPs");
	text_add(&t, " (--source%s)", c->is_loopback || c->is_utcp ? "" : ", megaconn addr up");
	if (targets_needed > PORTS_MOST)
		return;
	text_add(&t, " or ");
	put_number(&t, targets_needed - targets, "server port", "server ports");
}

/* Ports below are for servers. A range that is as wide already was widened by somebody who needs
 * it: it is kept. */
static void widen(const struct walls_case *c, struct wall_row *row, struct wall_report *out)
{
	unsigned int low = c->ports.low < WIDE_LOW ? c->ports.low : WIDE_LOW;
	bool is_wide = c->ports.low == low && c->ports.high == UINT16_MAX;

	if (c->ports.are_given || c->ports.low == 0)
		return;
	if (is_wide)
		wall_meets(out, row, RANGE, "%u %u", low, UINT16_MAX);
	else if (row->allows < c->n)
		wall_ask(out, row, RANGE, "%u %u", low, UINT16_MAX);
}

static void judge_source_ports(const struct walls_case *c, struct wall_row *row,
                               struct wall_report *out)
{
	const struct tuple_plan *plan = c->tuples;
	struct text t = wall_shown(row);

	if (!plan) {
		text_add(&t, "a server port takes 2^32 source IPs x 2^16 ports: no limit here");
		return;
	}
	if (c->ports.low == 0) {
		wall_value(row, LIMITS_UNKNOWN);
		return;
	}
	row->value = tuple_room(plan);
	put_number(&t, plan->source_count, "source IP", "source IPs");
	text_add(&t, " to ");
	put_number(&t, plan->target_port_count, "server port", "server ports");
	text_add(&t, ", ");
	put_range(c, &t);
	if (plan->port_count <= (uint32_t)(c->ports.high - c->ports.low)) {
		text_add(&t, ", ");
		text_count(&t, plan->port_count);
		text_add(&t, " of it free");
	}
	if (c->spares > 0) {
		text_add(&t, ", less ");
		text_count(&t, c->spares);
		text_add(&t, " that rest in TIME_WAIT (churn by FIN)");
	}
	wall_bounds(row, row->value > c->spares ? row->value - c->spares : 0, c->n);
	if (row->allows < c->n)
		advise(c, row);
	widen(c, row, out);
}

/* 127.0.0.0/8 is there wherever the loopback is up. */
static bool is_of_loopback(const struct tuple_plan *plan)
{
	const struct ip *first = &plan->sources.ranges[0].first;

	return first->family == AF_INET && first->bytes[0] == 127;
}

static void judge_source_addresses(const struct walls_case *c, struct wall_row *row,
                                   struct wall_report *out)
{
	uint32_t count = c->tuples ? c->tuples->source_count : 0;
	uint32_t here = count > c->sources_missing ? count - c->sources_missing : 0;
	struct text t;

	(void)out;
	if (count == 0) {
		t = wall_shown(row);
		text_add(&t, "whatever clients come from");
		return;
	}
	if (c->is_utcp) {
		wall_value(row, count);
		t = wall_shown(row);
		text_add(&t, " source IP%s of our own TCP: none has to be this host's",
		         count == 1 ? "" : "s");
		row->needed = count;
		return;
	}
	wall_value(row, here);
	t = wall_shown(row);
	text_add(&t, " of %" PRIu32 " source IP%s this host's", count,
	         count == 1 ? " is" : "s are");
	row->needed = count;
	if (c->sources_missing == 0)
		return;
	if (c->ports.low > 0 || here == 0)
		row->allows = tuple_room(c->tuples) / count * here;
	t = wall_fix(row);
	text_add(&t, is_of_loopback(c->tuples) ? "ip link set lo up"
	                                       : "megaconn addr up POOL --dev DEV");
}

static void judge_port_search(const struct walls_case *c, struct wall_row *row,
                              struct wall_report *out)
{
	uint64_t ports = (uint64_t)(c->ports.high - c->ports.low) + 1;
	struct text t = wall_shown(row);

	(void)out;
	if (c->ports.low == 0) {
		wall_value(row, LIMITS_UNKNOWN);
		return;
	}
	row->value = ports / 2;
	text_add(&t, "left to the kernel, a port is found slowly beyond ");
	text_count(&t, ports / 2);
	text_add(&t, " a target, and bound early, ");
	text_count(&t, ports);
	text_add(&t, " are all of a source IP; megaconn chooses itself");
}

/* The value of a row; false, and said so, where it could not be read. */
static bool count_ports(struct wall_row *row, uint32_t ports)
{
	return wall_value(row, ports == WALLS_PORTS_UNKNOWN ? LIMITS_UNKNOWN : ports);
}

static void judge_reserved(const struct walls_case *c, struct wall_row *row,
                           struct wall_report *out)
{
	struct text t;

	(void)out;
	if (!count_ports(row, c->ports.reserved))
		return;
	t = wall_shown(row);
	text_add(&t, " of %u-%u are never source ports", c->ports.low, c->ports.high);
}

/* A server that starts again later may find its port taken by a client. */
static void judge_listening(const struct walls_case *c, struct wall_row *row,
                            struct wall_report *out)
{
	const struct tuple_plan *plan = c->tuples;
	uint32_t within = c->ports.targets_within;
	struct text t;

	if (!count_ports(row, c->ports.listening))
		return;
	t = wall_shown(row);
	text_add(&t, " of %u-%u are listened on", c->ports.low, c->ports.high);
	if (c->ports.listening > 0)
		text_add(&t, ", as %u: not used as source ports", c->ports.first_listening);
	if (within == 0 || !plan)
		return;
	text_add(&t,
	         within == 1 ? "; a server port lies in it"
	                     : "; %" PRIu32 " server ports lie in it",
	         within);
	if (c->ports.reserved > 0) {
		t = wall_fix(row);
		text_add(&t, "beside those that are there, as megaconn tune apply does");
	}
	if (plan->target_port_count == 1)
		wall_ask(out, row, "net.ipv4.ip_local_reserved_ports", "%u", plan->target_port_low);
	else
		wall_ask(out, row, "net.ipv4.ip_local_reserved_ports", "%u-%u",
		         plan->target_port_low,
		         plan->target_port_low + plan->target_port_count - 1);
}

static void judge_index(const struct walls_case *c, struct wall_row *row, struct wall_report *out)
{
	struct text t;

	(void)c;
	(void)out;
	wall_value(row, CAPACITY_INDEX_MOST);
	t = wall_shown(row);
	text_add(&t, ": no more can be numbered by one run");
	wall_bounds(row, CAPACITY_INDEX_MOST, c->n);
}

const struct wall_kind wall_ports[] = {
	{"source_ports", "4-tuples", NULL, judge_source_ports},
	{"source_addresses", "source IPs", wall_for_clients, judge_source_addresses},
	{"port_search", "ports by the kernel's choice", wall_for_clients, judge_port_search},
	{"reserved_ports", "ip_local_reserved_ports", wall_for_clients, judge_reserved},
	{"listening_ports", "listening ports in the range", wall_for_clients, judge_listening},
	{"index", "index of a connection", NULL, judge_index},
	{0},
};
