/* outside: sources behind a device of ours.
 *
 * What the kernel sends to a source IP goes by the route to the device. A route for an address that
 * others have, or that lies in a network of this host's, would cut these off; so what is routed at
 * all, but by a default route, is left alone.
 *
 * The target must be this host's, since nothing that comes in by the device is forwarded; and not
 * 127.0.0.0/8 or ::1, which the kernel takes from no device but the loopback (RFC 1122 section
 * 3.2.1.3; net/ipv4/route.c, ip_route_input_slow). */
#include "run/outside.h"

#include "kernel/channel.h"
#include "kernel/route.h"

#include <errno.h>
#include <string.h>

#define SOURCES   131070 /* 198.18.0.1 ... 198.19.255.254; of IPv6 as many */
#define PORT_LOW  1024
#define PORT_HIGH 65535

/* --- where to ------------------------------------------------------------------------------- */

static bool is_link_local(const struct ip *ip)
{
	return ip->family == AF_INET6 && ip->bytes[0] == 0xfe && (ip->bytes[1] & 0xc0) == 0x80;
}

static int check_target(struct channel *c, const struct ip *target, struct err *err)
{
	char address[IP_TEXT_BYTES];
	uint8_t way = ROUTE_NONE;

	ip_format(target, address);
	if (ip_is_loopback(target))
		return err_set(err, -EADDRNOTAVAIL,
		               "a packet from outside to %s is dropped by the kernel (martian): "
		               "let the server listen on another address of this host (megaconn "
		               "addr up %s --dev lo), or use kernel sockets (--engine uring)",
		               address, target->family == AF_INET ? "198.19.0.1" : "2001:2::1");
	if (is_link_local(target))
		return err_set(err, -EADDRNOTAVAIL,
		               "%s is reached from its own link alone: take another address of "
		               "the server's, or use kernel sockets (--engine uring)",
		               address);
	if (route_ways(c, target, 1, 0, &way) == 0 && way == ROUTE_LOCAL)
		return 0;
	return err_set(err, -EADDRNOTAVAIL,
	               "%s is not an address of this host: clients of our own TCP reach servers "
	               "on this host alone, as nothing is forwarded for them; on a LAN name "
	               "its link (--engine packet --dev eth0), or use kernel sockets (--engine "
	               "uring)",
	               address);
}

/* --- from where ----------------------------------------------------------------------------- */

static int refuse_route(struct channel *c, const struct pool_range *range,
                        const struct route_prefix *route, struct err *err)
{
	char address[IP_TEXT_BYTES], network[IP_TEXT_BYTES];
	int64_t ahead = ip_distance(&range->first, &route->first);
	struct ip one = ahead > 0 ? route->first : range->first;
	uint8_t way = ROUTE_NONE;

	ip_format(&one, address);
	if (route_ways(c, &one, 1, 0, &way) == 0 && way == ROUTE_LOCAL)
		return err_set(err, -EADDRINUSE,
		               "source IP %s is an address of this host: those are for kernel "
		               "sockets (--engine uring)",
		               address);
	return err_set(err, -EADDRINUSE,
	               "source IP %s lies in %s/%u, which this host has a route to: its hosts "
	               "would be cut off; take addresses that nobody has (--source "
	               "198.18.0.0/15)",
	               address, ip_format(&route->first, network), route->len);
}

static int check_ends(const struct pool_range *range, bool allow_public, struct err *err)
{
	struct ip ends[2] = {range->first, ip_add(&range->first, range->count - 1)};
	char address[IP_TEXT_BYTES];

	for (int i = 0; i < 2; i++) {
		if (!ip_is_host(&ends[i]))
			return err_set(err, -EINVAL, "source IP %s is no host's address",
			               ip_format(&ends[i], address));
		if (!allow_public && ip_is_public(&ends[i]))
			return err_set(err, -EPERM,
			               "source IP %s may be somebody's in the Internet: "
			               "--allow-public, if it is yours",
			               ip_format(&ends[i], address));
	}
	return 0;
}

int outside_check_pool(const struct pool *pool, bool allow_public, struct err *err)
{
	int failed = 0;

	for (uint32_t i = 0; i < pool->range_count && failed == 0; i++)
		failed = check_ends(&pool->ranges[i], allow_public, err);
	return failed;
}

static int check_range(struct channel *c, const struct pool_range *range, struct err *err)
{
	struct route_prefix route;
	int result = route_overlap(c, &range->first, range->count, &route);
	if (result < 0)
		return err_set(err, result, "cannot read the routes: %s", strerror(-result));
	return result == 0 ? 0 : refuse_route(c, range, &route, err);
}

static int check_sources(struct channel *c, const struct pool *pool, bool allow_public,
                         struct err *err)
{
	int failed = outside_check_pool(pool, allow_public, err);

	for (uint32_t i = 0; i < pool->range_count && failed == 0; i++)
		failed = check_range(c, &pool->ranges[i], err);
	return failed;
}

static void append(struct pool *pool, const struct pool_range *range)
{
	struct pool_range *to = &pool->ranges[pool->range_count++];

	*to = *range;
	to->before = pool->count;
	pool->count += range->count;
}

/* What of a range lies before and behind a route that shares addresses with it; either may be
 * empty. */
static void cut(const struct pool_range *range, const struct route_prefix *route,
                struct pool_range *before, struct pool_range *behind)
{
	uint32_t bits = (range->first.family == AF_INET ? 32u : 128u) - route->len;
	int64_t ahead = ip_distance(&range->first, &route->first);
	int64_t passed = ahead >= 0 ? 0 : ip_distance(&route->first, &range->first);
	int64_t end = bits >= 32 || passed < 0
	                      ? range->count
	                      : (INT64_C(1) << bits) - passed + (ahead > 0 ? ahead : 0);

	*before = (struct pool_range){.first = range->first,
	                              .count = ahead > 0 ? (uint32_t)ahead : 0};
	*behind = (struct pool_range){0};
	if (end < range->count) {
		behind->first = ip_add(&range->first, (uint64_t)end);
		behind->count = range->count - (uint32_t)end;
	}
}

/* Takes what is routed out of one range, piece by piece: the last of `left` is looked at next. */
static int find_free(struct channel *c, const struct pool_range *all, struct pool *pool)
{
	struct pool_range left[POOL_RANGES_MAX + 2] = {*all};
	uint32_t count = 1;

	pool_set(pool, &all->first, 0);
	while (count > 0 && pool->range_count < POOL_RANGES_MAX) {
		struct pool_range range = left[--count];
		struct route_prefix route;
		int result = range.count == 0 ? 0
		                              : route_overlap(c, &range.first, range.count, &route);

		if (result < 0)
			return result;
		if (result == 0 && range.count > 0)
			append(pool, &range);
		if (result == 0)
			continue;
		cut(&range, &route, &left[count + 1], &left[count]);
		count += count + 2 < POOL_RANGES_MAX ? 2 : 0;
	}
	return 0;
}

static int choose_sources(struct channel *c, struct tuple_plan *plan, struct err *err)
{
	bool is_ipv6 = plan->target.family == AF_INET6;
	struct pool_range all = {.count = SOURCES};
	int result = ip_parse(is_ipv6 ? "2001:2:0:1::1" : "198.18.0.1", &all.first);

	if (result == 0)
		result = find_free(c, &all, &plan->sources);
	if (result < 0)
		return err_set(err, result, "cannot read the routes: %s", strerror(-result));
	if (plan->sources.count == 0)
		return err_set(err, -EADDRINUSE,
		               "all of %s is this host's, or routed already: give --source "
		               "addresses that nobody has",
		               is_ipv6 ? "2001:2:0:1::/64" : "198.18.0.0/15");
	return 0;
}

void outside_take_pool(const struct outside_options *options, struct tuple_plan *plan)
{
	uint16_t low = options->port_low, high = options->port_high;

	plan->source_count = plan->sources.count;
	(void)tuple_set_ports(plan, low > 0 ? low : PORT_LOW, low > 0 ? high : PORT_HIGH, NULL,
	                      TUPLE_PORT_BITS);
}

int outside_choose(const struct outside_options *options, struct tuple_plan *plan, struct err *err)
{
	struct channel c;
	int failed = channel_open(&c);

	if (failed != 0)
		return err_set(err, failed, "cannot ask the kernel for its routes: %s",
		               strerror(-failed));
	failed = check_target(&c, &plan->target, err);
	if (failed == 0)
		failed = options->are_given
		                 ? check_sources(&c, &plan->sources, options->allow_public, err)
		                 : choose_sources(&c, plan, err);
	channel_close(&c);
	if (failed == 0)
		outside_take_pool(options, plan);
	return failed;
}
