/* subnet: the sources first_source .. of a pool, which are parts of its ranges, as prefixes.
 *
 * Why a gateway: a route without one makes each address a neighbour of its own on first use, of
 * which the kernel keeps gc_thresh3 (1,024) of all networks together, and gives up beyond. That is
 * so of IPv6 on every device. Of IPv4 it is so on Ethernet, also without ARP; a point-to-point
 * device has one neighbour for all (net/ipv4/arp.c). */
#include "utcp/subnet.h"

#include "kernel/route.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* Of a range of less than 2^32 addresses: two for each size. */
#define PREFIXES_MOST 64

struct ip subnet_gateway(int family)
{
	if (family == AF_INET)
		return (struct ip){.family = AF_INET, .bytes = {192, 0, 0, 8}};
	return (struct ip){.family = AF_INET6, .bytes = {0xfe, 0x80, [15] = 1}};
}

static int say(struct err *err, int code, const struct route_prefix *prefix)
{
	char text[IP_TEXT_BYTES];

	return err_set(err, code, "cannot route %s/%u to a device: %s%s",
	               ip_format(&prefix->first, text), prefix->len, strerror(-code),
	               prefix->first.family == AF_INET6 && code == -EACCES
	                       ? " (IPv6 is switched off there: net.ipv6.conf.*.disable_ipv6)"
	                       : "");
}

static int refuse_overlap(struct channel *c, const struct ip *first, uint32_t count,
                          struct err *err)
{
	char from[IP_TEXT_BYTES], taken[IP_TEXT_BYTES];
	struct route_prefix route;
	int result = route_overlap(c, first, count, &route);

	if (result < 0)
		return err_set(err, result, "cannot read the routes: %s", strerror(-result));
	if (result == 0)
		return 0;
	return err_set(err, -EEXIST,
	               "%s/%u is routed, or an address of this host, already: sources from %s on "
	               "cannot be led to a device of ours; take others (--source)",
	               ip_format(&route.first, taken), route.len, ip_format(first, from));
}

static int route_range(struct channel *c, unsigned int link, const struct ip *first, uint32_t count,
                       const struct ip *gateway, struct err *err)
{
	struct route_prefix prefixes[PREFIXES_MOST];
	uint32_t prefix_count = route_prefixes_of(first, count, prefixes, PREFIXES_MOST);
	int result = refuse_overlap(c, first, count, err);

	for (uint32_t i = 0; i < prefix_count && result == 0; i++) {
		int failed = route_add_link(c, &prefixes[i], link, gateway);

		if (failed < 0)
			result = say(err, failed, &prefixes[i]);
	}
	return result;
}

int subnet_route(struct channel *c, unsigned int link, const struct device_config *config,
                 const struct ip *gateway, struct err *err)
{
	const struct pool *pool = &config->tuples->sources;
	const uint64_t begin = config->first_source, end = begin + config->source_count;
	int result = 0;

	for (uint32_t i = 0; i < pool->range_count && result == 0; i++) {
		const struct pool_range *range = &pool->ranges[i];
		const uint64_t range_end = (uint64_t)range->before + range->count;
		const uint64_t from = begin > range->before ? begin : range->before;
		const uint64_t to = end < range_end ? end : range_end;

		if (from >= to)
			continue;
		struct ip first = ip_add(&range->first, from - range->before);

		result = route_range(c, link, &first, (uint32_t)(to - from), gateway, err);
	}
	return result;
}
