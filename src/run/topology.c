/* topology: the decisions about addresses and ports. */
#include "run/topology.h"

#include "kernel/channel.h"
#include "kernel/diag.h"
#include "kernel/resolve.h"
#include "kernel/route.h"
#include "kernel/sysctl.h"
#include "plan/endpoint.h"
#include "run/lan.h"
#include "run/outside.h"

#include <errno.h>
#include <ifaddrs.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#define SOURCES_CHECKED 4096 /* of a range; of a larger one, its ends */

/* --- where to ------------------------------------------------------------------------------- */

/* Binds a socket to it: 0 or a negative errno. */
static int try_address(const struct ip *ip)
{
	struct sockaddr_storage address;
	socklen_t len = ip_sockaddr(ip, 0, &address);
	int fd = socket(ip->family, SOCK_DGRAM | SOCK_CLOEXEC, 0), result;

	if (fd < 0)
		return -errno;
	result = bind(fd, (const struct sockaddr *)&address, len) == 0 ? 0 : -errno;
	close(fd);
	return result;
}

bool topology_is_own(const struct ip *ip)
{
	return try_address(ip) == 0;
}

bool topology_is_gone(const struct ip *ip)
{
	return try_address(ip) == -EADDRNOTAVAIL;
}

static int choose_target(const struct topology_options *options, struct tuple_plan *plan,
                         struct err *err)
{
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

/* --- from where ----------------------------------------------------------------------------- */

/* How many addresses of the range lie in the subnet: both are of one family, and subnets that hold
 * more than a /64 hold all of an IPv6 range that they hold the first address of. */
static uint32_t count_within(const struct pool_range *range, const struct ip *address,
                             const struct ip *mask)
{
	uint32_t bytes = range->first.family == AF_INET ? 4 : 16, count = 0;
	uint32_t step = range->count > SOURCES_CHECKED ? range->count - 1 : 1;

	for (uint32_t i = 0; i < range->count; i += step) {
		struct ip ip = ip_add(&range->first, i);
		bool is_within = true;

		for (uint32_t b = 0; b < bytes; b++)
			is_within &= ((ip.bytes[b] ^ address->bytes[b]) & mask->bytes[b]) == 0;
		count += is_within;
	}
	return step == 1 ? count : count * (range->count / 2);
}

static bool take_address(const struct sockaddr *from, struct ip *out)
{
	memset(out, 0, sizeof(*out));
	if (!from)
		return false;
	out->family = (uint8_t)from->sa_family;
	if (from->sa_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, from, sizeof(in));
		memcpy(out->bytes, &in.sin_addr, 4);
	} else if (from->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;

		memcpy(&in6, from, sizeof(in6));
		memcpy(out->bytes, &in6.sin6_addr, 16);
	}
	return out->family == AF_INET || out->family == AF_INET6;
}

/* How many addresses of the pool are on a link of this host. */
static uint32_t count_on_link(const struct pool *pool)
{
	struct ifaddrs *all = NULL;
	uint32_t count = 0;

	if (getifaddrs(&all) != 0)
		return 0;
	for (const struct ifaddrs *at = all; at; at = at->ifa_next) {
		struct ip address, mask;

		if (!take_address(at->ifa_addr, &address) || !take_address(at->ifa_netmask, &mask))
			continue;
		if (address.family != pool->ranges[0].first.family || ip_is_loopback(&address))
			continue;
		for (uint32_t i = 0; i < pool->range_count; i++)
			count += count_within(&pool->ranges[i], &address, &mask);
	}
	freeifaddrs(all);
	return count < pool->count ? count : pool->count;
}

/* Whether a route makes the address this host's, as AnyIP does. IPv4 takes that for its own. */
static bool is_routed_here(const struct ip *ip)
{
	uint8_t way = ROUTE_NONE;
	struct channel c;

	if (ip->family != AF_INET6 || channel_open(&c) != 0)
		return false;
	bool is_here = route_ways(&c, ip, 1, 0, &way) == 0 && way == ROUTE_LOCAL;

	channel_close(&c);
	return is_here;
}

/* Counts those that this host has not; the first of them is left in *missing. */
static uint32_t count_missing(const struct pool_range *range, struct ip *missing,
                              bool *needs_freebind)
{
	uint32_t step = range->count > SOURCES_CHECKED ? range->count - 1 : 1, count = 0;

	for (uint32_t i = 0; i < range->count; i += step) {
		struct ip ip = ip_add(&range->first, i);

		if (ip_is_host(&ip) && topology_is_own(&ip))
			continue;
		if (ip_is_host(&ip) && is_routed_here(&ip)) {
			*needs_freebind = true;
			continue;
		}
		if (count++ == 0)
			*missing = ip;
	}
	if (step > 1 && count > 0)
		return count == 1 ? range->count / 2 : range->count;
	return count;
}

static int check_sources(const struct topology_options *options, const struct pool *pool,
                         struct topology *out, struct err *err)
{
	char address[IP_TEXT_BYTES];
	struct ip missing;

	for (uint32_t i = 0; i < pool->range_count; i++) {
		uint32_t count = count_missing(&pool->ranges[i], &missing, &out->needs_freebind);

		out->sources_missing += count;
		if (count > 0 && !options->allow_missing)
			return err_set(err, -EADDRNOTAVAIL,
			               "source IP %s is not an address of this host: add it "
			               "(megaconn addr up), or take another --source",
			               ip_format(&missing, address));
	}
	if (out->sources_missing > 0)
		out->neighbours = count_on_link(pool);
	return 0;
}

static int choose_sources(const struct topology_options *options, struct tuple_plan *plan,
                          struct topology *out, struct err *err)
{
	struct ip source;
	int failed = 0;

	if (!options->source) {
		/* A network of its own whose loopback is down can be judged all the same. */
		bool is_known = options->allow_missing && ip_is_loopback(&plan->target);

		failed = resolve_source(&plan->target, &source, is_known ? NULL : err);
		if (failed != 0 && is_known) {
			source = plan->target;
			out->sources_missing = 1;
			failed = 0;
		}
		if (failed == 0)
			pool_set(&plan->sources, &source, 1);
	}
	/* Link-local addresses are of the link that the target is on. */
	for (uint32_t i = 0; i < plan->sources.range_count; i++)
		plan->sources.ranges[i].first.scope = plan->target.scope;
	plan->source_count = plan->sources.count;
	return failed == 0 ? check_sources(options, &plan->sources, out, err) : failed;
}

/* --- source ports --------------------------------------------------------------------------- */

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

static uint32_t count_marked(const uint8_t *ports, uint16_t low, uint16_t high, uint16_t *first)
{
	uint32_t count = 0;

	for (uint32_t port = low; port <= high; port++) {
		if (tuple_port_is_marked(ports, (uint16_t)port) && count++ == 0 && first)
			*first = (uint16_t)port;
	}
	return count;
}

/* Server ports that lie in the range and that nothing keeps clients from. */
static uint32_t count_unreserved(const struct tuple_plan *plan, const struct walls_ports *ports,
                                 const uint8_t *reserved)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < plan->target_port_count; i++) {
		uint32_t port = plan->target_port_low + i;

		count += port >= ports->low && port <= ports->high &&
		         !tuple_port_is_marked(reserved, (uint16_t)port);
	}
	return count;
}

/* Marks in `excluded` what may not be a source port, and counts by reason. */
static void exclude(const struct tuple_plan *plan, struct walls_ports *ports, uint8_t *excluded)
{
	uint8_t marked[TUPLE_PORT_BYTES] = {0};
	uint32_t so_far;

	ports->reserved = ports->listening = WALLS_PORTS_UNKNOWN;
	if (sysctl_reserved_ports(excluded) == 0)
		ports->reserved = count_marked(excluded, ports->low, ports->high, NULL);
	ports->targets_within = count_unreserved(plan, ports, excluded);
	if (diag_listening_ports(marked) == 0)
		ports->listening = count_marked(marked, ports->low, ports->high,
		                                &ports->first_listening);
	(void)diag_listening_ports(excluded);
	so_far = count_marked(excluded, ports->low, ports->high, NULL);
	mark_taken(plan, ~(1U << TCP_TIME_WAIT), excluded);
	/* A socket that connects to its own address and port is its own peer. */
	for (uint32_t i = 0; i < plan->target_port_count; i++) {
		uint16_t port = (uint16_t)(plan->target_port_low + i);

		if (pool_index(&plan->sources, &plan->target) >= 0)
			tuple_port_mark(excluded, port);
	}
	ports->taken = count_marked(excluded, ports->low, ports->high, NULL) - so_far;
}

/* Others' ports are left out. Those in TIME_WAIT may be had or not, and are used last. */
static int choose_ports(const struct topology_options *options, struct tuple_plan *plan,
                        struct walls_ports *ports, struct err *err)
{
	uint8_t excluded[TUPLE_PORT_BYTES] = {0}, waiting[TUPLE_PORT_BYTES] = {0};

	ports->low = options->port_low;
	ports->high = options->port_high;
	ports->are_given = options->port_low > 0;
	if (!ports->are_given && sysctl_port_range(&ports->low, &ports->high) != 0) {
		ports->low = ports->high = 0;
		ports->reserved = ports->listening = WALLS_PORTS_UNKNOWN;
		if (options->allow_missing)
			return 0;
		return err_set(err, -EINVAL,
		               "cannot read net.ipv4.ip_local_port_range: give --ports LO-HI");
	}
	exclude(plan, ports, excluded);
	mark_taken(plan, 1U << TCP_TIME_WAIT, waiting);
	if (tuple_set_ports(plan, ports->low, ports->high, excluded, TUPLE_PORT_BITS) == 0 &&
	    !options->allow_missing)
		return err_set(err, -EADDRINUSE, "no source port is left in %u-%u: widen --ports",
		               ports->low, ports->high);
	tuple_defer_ports(plan, waiting);
	return 0;
}

/* Nobody else has these addresses, hence none of their ports. */
static int choose_outside(const struct topology_options *options, struct tuple_plan *plan,
                          struct topology *out, struct err *err)
{
	const struct outside_options where = {
		.are_given = options->source,
		.port_low = options->port_low,
		.port_high = options->port_high,
		.allow_public = options->allow_public,
	};
	int failed = options->device ? lan_choose(&where, options->device, plan, options->lan, err)
	                             : outside_choose(&where, plan, err);

	if (failed != 0)
		return failed;
	out->is_own_target = !options->device;
	out->ports.are_given = true;
	out->ports.low = plan->ports[0];
	out->ports.high = plan->ports[plan->port_count - 1];
	return 0;
}

/* Addresses of other shards need not be this host's. */
static int parse_sources(const struct topology_options *options, struct pool *pool,
                         struct topology *out, struct err *err)
{
	struct shard_part part;
	int failed = pool_parse(options->source, pool, err);

	if (failed != 0)
		return failed;
	out->sources_given = pool->count;
	if (options->shard.of == 0)
		return 0;
	failed = shard_divide(&options->shard, SHARD_INDEXES_MAX, pool->count, &part, err);
	if (failed == 0)
		pool_slice(pool, part.source_first, part.source_count);
	return failed;
}

int topology_choose(const struct topology_options *options, struct tuple_plan *plan,
                    struct topology *out, struct err *err)
{
	int failed = 0;

	memset(out, 0, sizeof(*out));
	if (options->source)
		failed = parse_sources(options, &plan->sources, out, err);
	if (failed == 0)
		failed = choose_target(options, plan, err);
	if (failed == 0 && options->is_outside)
		return choose_outside(options, plan, out, err);
	if (failed == 0)
		failed = choose_sources(options, plan, out, err);
	if (failed == 0)
		failed = choose_ports(options, plan, &out->ports, err);
	if (failed != 0)
		return failed;
	out->is_own_target = topology_is_own(&plan->target);
	/* All of 127.0.0.0/8 is there without being added; of IPv6 only ::1. */
	out->is_loopback = plan->target.family == AF_INET && ip_is_loopback(&plan->target);
	return 0;
}
