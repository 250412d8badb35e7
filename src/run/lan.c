/* lan: what `addr up` does before it adds addresses, for some that are not added.
 *
 * The kernel's routes say what is on the link: a source must be, by the way an answer to it would
 * take if this host sent it, as the server's answer comes by ARP on the same link. */
#include "run/lan.h"

#include "base/map.h"
#include "base/text.h"
#include "kernel/channel.h"
#include "kernel/claim.h"
#include "kernel/neighbour.h"
#include "kernel/route.h"
#include "kernel/sysctl.h"

#include <errno.h>
#include <string.h>

#define NAME_TEXT_BYTES 80 /* of a setting */

struct choice {
	const char *device; /* as it was typed */
	struct tuple_plan *plan;
	struct lan *lan;
	struct err *err;
};

static struct text_quoted quoted(const char *name)
{
	return text_quote(name, strlen(name));
}

/* ---- the link ------------------------------------------------------------------------------- */

static int find_link(const struct choice *c)
{
	struct link *link = &c->lan->link;
	int failed = link_find(c->device, link);

	if (failed == -ENODEV || failed == -EINVAL || failed == -ENAMETOOLONG)
		return err_set(c->err, -EINVAL, "--dev %s: there is no such link (see: ip link)",
		               quoted(c->device).text);
	if (failed < 0)
		return err_set(c->err, failed, "cannot look at %s: %s", quoted(c->device).text,
		               strerror(-failed));
	if (!link_has_neighbours(link))
		return err_set(c->err, -ENOTSUP,
		               "%s is no Ethernet with ARP, so it has no neighbours that could "
		               "answer: --dev takes a LAN's link; without it the engine packet "
		               "reaches servers on this host",
		               quoted(c->device).text);
	if (!link_is_running(link))
		return err_set(c->err, -ENETDOWN,
		               "%s is down, or has no carrier: ip link set %s up",
		               quoted(c->device).text, quoted(c->device).text);
	return 0;
}

static bool is_set(const char *family, const char *link)
{
	char name[NAME_TEXT_BYTES];
	uint64_t value = 0;
	struct text t;

	text_init(&t, name, sizeof(name));
	text_add(&t, "net.%s.conf.", family);
	for (const char *at = link; *at; at++)
		text_add(&t, "%c", *at == '.' ? '/' : *at);
	text_add(&t, ".forwarding");
	return sysctl_get_u64(name, &value) == 0 && value > 0;
}

/* Whether this host's kernel sends on what comes to its Ethernet address for others (see
 * utcp/device_lan). What is set for all was once set for this one; a bridge over it has its own. */
static bool forwards(const struct choice *c)
{
	const char *family = c->plan->target.family == AF_INET ? "ipv4" : "ipv6";

	return is_set(family, "all") || is_set(family, c->lan->link.name);
}

/* ---- where to ------------------------------------------------------------------------------- */

static int refuse_other_link(const struct choice *c, const struct route_hop *hop)
{
	char target[IP_TEXT_BYTES];
	struct link link = {.name = "another link"};

	(void)link_at(hop->link, &link);
	return err_set(c->err, -EADDRNOTAVAIL, "%s is reached over %s, not over %s: --dev %s",
	               ip_format(&c->plan->target, target), quoted(link.name).text,
	               quoted(c->device).text, quoted(link.name).text);
}

static int find_hop(const struct choice *c, struct channel *channel)
{
	const struct ip *target = &c->plan->target;
	char text[IP_TEXT_BYTES];
	struct route_hop hop;
	int failed = route_find(channel, target, &hop);

	ip_format(target, text);
	if (failed < 0)
		return err_set(c->err, failed, "no way to %s over %s: %s (see: ip route get %s)",
		               text, quoted(c->device).text, strerror(-failed), text);
	if (hop.is_local)
		return err_set(c->err, -EADDRNOTAVAIL,
		               "%s is an address of this host, which is not on the wire of %s: "
		               "without --dev the engine packet reaches it",
		               text, quoted(c->device).text);
	if (hop.is_broadcast)
		return err_set(c->err, -EINVAL, "%s is a broadcast address, no host's", text);
	if (hop.link != c->lan->link.index)
		return refuse_other_link(c, &hop);
	if (hop.neighbour.family != target->family)
		return err_set(c->err, -ENOTSUP,
		               "the router to %s has an address of another family: that is not "
		               "supported with --dev",
		               text);
	c->lan->hop = hop.neighbour;
	c->lan->is_hop_router = !ip_equal(&hop.neighbour, target);
	c->lan->has_own_mac = forwards(c);
	return 0;
}

/* ---- from where ----------------------------------------------------------------------------- */

static int refuse_way(const struct choice *c, const struct ip *ip, uint8_t way)
{
	char text[IP_TEXT_BYTES];

	ip_format(ip, text);
	if (way == ROUTE_LOCAL)
		return err_set(c->err, -EADDRINUSE,
		               "source IP %s is an address of this host: those are for kernel "
		               "sockets (--engine uring)",
		               text);
	return err_set(c->err, -EADDRNOTAVAIL,
	               "source IP %s lies in no network that %s is on, so nobody there would "
	               "answer it: take addresses of that network (see: ip route show dev %s)",
	               text, quoted(c->device).text, quoted(c->device).text);
}

static int check_ways(const struct choice *c, struct channel *channel,
                      const struct pool_range *range)
{
	uint8_t ways[CHANNEL_BATCH] = {0};
	uint32_t size;

	for (uint32_t from = 0; from < range->count; from += size) {
		struct ip first = ip_add(&range->first, from);

		size = range->count - from;
		size = size < CHANNEL_BATCH ? size : CHANNEL_BATCH;
		int failed = route_ways(channel, &first, size, c->lan->link.index, ways);

		if (failed < 0)
			return err_set(c->err, failed, "cannot ask the kernel for routes: %s",
			               strerror(-failed));
		for (uint32_t i = 0; i < size; i++) {
			const struct ip ip = ip_add(&first, i);

			if (ways[i] != ROUTE_LINK)
				return refuse_way(c, &ip, ways[i]);
		}
	}
	return 0;
}

static int check_broadcast(const struct choice *c, struct channel *channel,
                           const struct pool_range *range)
{
	const struct ip ends[2] = {range->first, ip_add(&range->first, range->count - 1)};
	char text[IP_TEXT_BYTES];
	struct route_hop hop;

	for (int i = 0; i < 2; i++) {
		if (route_find(channel, &ends[i], &hop) == 0 && hop.is_broadcast)
			return err_set(c->err, -EINVAL,
			               "source IP %s is the broadcast address of its network, no "
			               "host's",
			               ip_format(&ends[i], text));
	}
	return 0;
}

static int check_sources(const struct choice *c, struct channel *channel)
{
	const struct pool *pool = &c->plan->sources;
	int failed = 0;

	if (pool->count > LAN_SOURCES_MOST)
		return err_set(c->err, -E2BIG,
		               "%u source IPs: at most %d on a LAN, as each is asked for first",
		               pool->count, LAN_SOURCES_MOST);
	for (uint32_t i = 0; i < pool->range_count && failed == 0; i++) {
		failed = check_ways(c, channel, &pool->ranges[i]);
		if (failed == 0)
			failed = check_broadcast(c, channel, &pool->ranges[i]);
	}
	return failed;
}

/* ---- are they free? ------------------------------------------------------------------------- */

static int refuse_taken(const struct choice *c, const struct neighbour *neighbours, uint32_t first,
                        uint32_t count)
{
	const struct ip ip = pool_at(&c->plan->sources, first);
	const uint8_t *m = neighbours[first].mac;
	char text[IP_TEXT_BYTES], others[64] = "";
	struct text t;

	text_init(&t, others, sizeof(others));
	if (count > 1)
		text_add(&t, ", and %u more of them", count - 1);
	return err_set(c->err, -EADDRINUSE,
	               "source IP %s is taken on %s: %02x:%02x:%02x:%02x:%02x:%02x has it%s; take "
	               "others (megaconn addr ping says which are free)",
	               ip_format(&ip, text), quoted(c->device).text, m[0], m[1], m[2], m[3], m[4],
	               m[5], others);
}

static int judge(const struct choice *c, const struct neighbour *neighbours)
{
	uint32_t first = 0, count = 0;

	for (uint32_t i = c->plan->sources.count; i-- > 0;) {
		if (neighbours[i].state != NEIGHBOUR_TAKEN)
			continue;
		first = i;
		count++;
	}
	return count > 0 ? refuse_taken(c, neighbours, first, count) : 0;
}

static int ask(const struct choice *c)
{
	const struct pool *pool = &c->plan->sources;
	const size_t bytes = pool->count * sizeof(struct neighbour);
	struct neighbour *neighbours = map_private(bytes);
	struct range at[POOL_RANGES_MAX];
	const struct ranges ranges = {
		.at = at, .count = pool->range_count, .addresses = pool->count};

	if (!neighbours)
		return err_set(c->err, -ENOMEM, "no memory to ask for %u addresses", pool->count);
	for (uint32_t i = 0; i < pool->range_count; i++)
		at[i] = (struct range){.first = pool->ranges[i].first,
		                       .count = pool->ranges[i].count,
		                       .before = pool->ranges[i].before};
	int failed = claim_ranges(&c->lan->link, &ranges, c->err);

	if (failed == 0)
		failed = neighbour_ask(&c->lan->link, &ranges, neighbours, c->err);

	if (failed == 0)
		failed = judge(c, neighbours);
	map_drop(neighbours, bytes);
	return failed;
}

/* What each worker will do, by the first source: so that a run is refused before it begins. */
static int try_device(const struct choice *c)
{
	const struct device_config config = {.tuples = c->plan, .source_count = 1};
	struct device *device;
	int failed = device_lan_open(&config, c->lan, &device, c->err);

	if (failed == 0)
		device_close(device);
	return failed;
}

int lan_choose(const struct outside_options *options, const char *device, struct tuple_plan *plan,
               struct lan *lan, struct err *err)
{
	const struct choice c = {.device = device, .plan = plan, .lan = lan, .err = err};
	struct channel channel;
	int failed = find_link(&c);

	if (failed == 0)
		failed = outside_check_pool(&plan->sources, options->allow_public, err);
	if (failed != 0)
		return failed;
	failed = channel_open(&channel);
	if (failed != 0)
		return err_set(err, failed, "cannot ask the kernel for its routes: %s",
		               strerror(-failed));
	failed = find_hop(&c, &channel);
	if (failed == 0)
		failed = check_sources(&c, &channel);
	channel_close(&channel);
	if (failed == 0)
		failed = ask(&c);
	if (failed != 0)
		return failed;
	outside_take_pool(options, plan);
	return try_device(&c);
}
