/* route: RTM_NEWROUTE, RTM_DELROUTE, RTM_GETROUTE (net/ipv4/fib_frontend.c, net/ipv6/route.c). */
#include "kernel/route.h"

#include "kernel/address.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#define DUMP_TRIES 5

/* ---- prefixes ------------------------------------------------------------------------------- */

struct route_prefix route_prefix_of(const struct ip *ip, uint8_t len)
{
	struct route_prefix prefix = {.first = *ip, .len = len};
	uint32_t bytes = address_bits(ip->family) / 8u;

	for (uint32_t i = 0; i < bytes; i++) {
		uint32_t kept = len > i * 8 ? len - i * 8u : 0;

		if (kept < 8)
			prefix.first.bytes[i] &= (uint8_t)(0xff00u >> kept);
	}
	return prefix;
}

bool route_prefix_has(const struct route_prefix *prefix, const struct ip *ip)
{
	if (ip->family != prefix->first.family)
		return false;
	struct route_prefix of = route_prefix_of(ip, prefix->len);

	return ip_equal(&of.first, &prefix->first);
}

/* How many addresses a prefix can have that begins here: a power of two, given as its exponent. */
static uint32_t zeros_at_end(const struct ip *ip)
{
	uint32_t zeros = 0;

	for (uint32_t i = address_bits(ip->family) / 8u; i-- > 0; zeros += 8) {
		if (ip->bytes[i] != 0)
			return zeros + (uint32_t)__builtin_ctz(ip->bytes[i]);
	}
	return zeros;
}

/* The largest that begins at the first address and does not go beyond the last, again and again. */
uint32_t route_prefixes_of(const struct ip *first, uint32_t count, struct route_prefix *out,
                           uint32_t most)
{
	uint32_t found = 0;

	for (uint32_t at = 0, left = count; left > 0; found++) {
		struct ip ip = ip_add(first, at);
		uint32_t zeros = zeros_at_end(&ip), fits = 31u - (uint32_t)__builtin_clz(left);
		uint32_t bits = zeros < fits ? zeros : fits;

		if (found < most)
			out[found] = (struct route_prefix){
				.first = ip, .len = (uint8_t)(address_bits(ip.family) - bits)};
		at += UINT32_C(1) << bits;
		left -= UINT32_C(1) << bits;
	}
	return found;
}

/* ---- local routes --------------------------------------------------------------------------- */

static int ask_local(struct channel *c, const struct route_prefix *prefix, uint16_t type,
                     uint16_t flags)
{
	uint32_t lo = if_nametoindex("lo");
	size_t bytes = address_bits(prefix->first.family) / 8u;

	if (lo == 0)
		return -errno;
	struct nlmsghdr *msg = channel_request(c, 0, type, (uint16_t)(NLM_F_ACK | flags));
	struct rtmsg *body = mnl_nlmsg_put_extra_header(msg, sizeof(*body));

	body->rtm_family = prefix->first.family;
	body->rtm_dst_len = prefix->len;
	body->rtm_table = RT_TABLE_LOCAL;
	body->rtm_protocol = RTPROT_STATIC;
	body->rtm_scope = RT_SCOPE_HOST;
	body->rtm_type = RTN_LOCAL;
	mnl_attr_put(msg, RTA_DST, bytes, prefix->first.bytes);
	mnl_attr_put_u32(msg, RTA_OIF, lo);
	return channel_exchange(c, msg->nlmsg_len, 1, channel_take_ack, NULL);
}

int route_add_local(struct channel *c, const struct route_prefix *prefix)
{
	return ask_local(c, prefix, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL);
}

int route_delete_local(struct channel *c, const struct route_prefix *prefix)
{
	return ask_local(c, prefix, RTM_DELROUTE, 0);
}

struct search {
	const struct route_prefix *prefix;
	bool is_found;
};

static int take_route(const struct nlmsghdr *msg, uint32_t number, void *context)
{
	const struct rtmsg *body = mnl_nlmsg_get_payload(msg);
	struct search *search = context;
	const struct route_prefix *prefix = search->prefix;
	size_t bytes = address_bits(prefix->first.family) / 8u;

	(void)number;
	if (msg->nlmsg_type != RTM_NEWROUTE || mnl_nlmsg_get_payload_len(msg) < sizeof(*body))
		return -EPROTO;
	const void *dst = channel_attribute(msg, sizeof(*body), RTA_DST, bytes);

	if (body->rtm_family == prefix->first.family && body->rtm_table == RT_TABLE_LOCAL &&
	    body->rtm_type == RTN_LOCAL && body->rtm_dst_len == prefix->len && dst &&
	    memcmp(dst, prefix->first.bytes, bytes) == 0)
		search->is_found = true;
	return 0;
}

static int search_once(struct search *search)
{
	struct channel c;
	int result = channel_open(&c);

	if (result < 0)
		return result;
	struct nlmsghdr *msg = channel_request(&c, 0, RTM_GETROUTE, NLM_F_DUMP);
	struct rtmsg *body = mnl_nlmsg_put_extra_header(msg, sizeof(*body));

	body->rtm_family = search->prefix->first.family;
	result = channel_dump(&c, take_route, search);
	channel_close(&c);
	return result;
}

int route_has_local(const struct route_prefix *prefix)
{
	struct search search = {.prefix = prefix};
	int result = -EINTR;

	for (int tries = 0; tries < DUMP_TRIES && result == -EINTR; tries++)
		result = search_once(&search);
	return result < 0 ? result : search.is_found;
}

/* ---- routes over a link --------------------------------------------------------------------- */

int route_add_link(struct channel *c, const struct route_prefix *prefix, unsigned int link,
                   const struct ip *gateway)
{
	size_t bytes = address_bits(prefix->first.family) / 8u;
	struct nlmsghdr *msg = channel_request(c, 0, RTM_NEWROUTE,
	                                       NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
	struct rtmsg *body = mnl_nlmsg_put_extra_header(msg, sizeof(*body));

	body->rtm_family = prefix->first.family;
	body->rtm_dst_len = prefix->len;
	body->rtm_table = RT_TABLE_MAIN;
	body->rtm_protocol = RTPROT_STATIC;
	body->rtm_scope = gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
	body->rtm_type = RTN_UNICAST;
	mnl_attr_put(msg, RTA_DST, bytes, prefix->first.bytes);
	mnl_attr_put_u32(msg, RTA_OIF, link);
	if (gateway) {
		body->rtm_flags = RTNH_F_ONLINK;
		mnl_attr_put(msg, RTA_GATEWAY, bytes, gateway->bytes);
	}
	return channel_exchange(c, msg->nlmsg_len, 1, channel_take_ack, NULL);
}

struct overlap {
	const struct ip *first;
	uint32_t count;
	struct route_prefix *out;
	bool is_found;
};

static int take_overlap(const struct nlmsghdr *msg, uint32_t number, void *context)
{
	const struct rtmsg *body = mnl_nlmsg_get_payload(msg);
	struct overlap *overlap = context;
	const uint8_t family = overlap->first->family;
	struct route_prefix route = {.first.family = family};
	size_t bytes = address_bits(family) / 8u;

	(void)number;
	if (msg->nlmsg_type != RTM_NEWROUTE || mnl_nlmsg_get_payload_len(msg) < sizeof(*body))
		return -EPROTO;
	const void *dst = channel_attribute(msg, sizeof(*body), RTA_DST, bytes);

	if (body->rtm_family != family || !dst || body->rtm_dst_len < (family == AF_INET ? 8 : 16))
		return 0;
	if (body->rtm_table != RT_TABLE_MAIN && body->rtm_table != RT_TABLE_LOCAL)
		return 0;
	memcpy(route.first.bytes, dst, bytes);
	route.len = body->rtm_dst_len;
	int64_t ahead = ip_distance(overlap->first, &route.first);

	if (!overlap->is_found &&
	    ((ahead >= 0 && ahead < overlap->count) || route_prefix_has(&route, overlap->first))) {
		*overlap->out = route;
		overlap->is_found = true;
	}
	return 0;
}

int route_overlap(struct channel *c, const struct ip *first, uint32_t count,
                  struct route_prefix *out)
{
	struct overlap overlap = {.first = first, .count = count, .out = out};
	int result = -EINTR;

	for (int tries = 0; tries < DUMP_TRIES && result == -EINTR; tries++) {
		struct nlmsghdr *msg = channel_request(c, 0, RTM_GETROUTE, NLM_F_DUMP);
		struct rtmsg *body = mnl_nlmsg_put_extra_header(msg, sizeof(*body));

		body->rtm_family = first->family;
		result = channel_dump(c, take_overlap, &overlap);
	}
	return result < 0 ? result : overlap.is_found;
}

/* ---- ways ----------------------------------------------------------------------------------- */

struct ways {
	uint32_t link;
	uint8_t *of;
};

static enum route_way way_of(const struct nlmsghdr *msg, uint32_t link)
{
	const struct rtmsg *body = mnl_nlmsg_get_payload(msg);
	uint32_t out = 0;

	if (msg->nlmsg_type != RTM_NEWROUTE || mnl_nlmsg_get_payload_len(msg) < sizeof(*body))
		return ROUTE_NONE;
	switch (body->rtm_type) {
	case RTN_LOCAL:
	case RTN_ANYCAST:
		return ROUTE_LOCAL;
	case RTN_UNICAST:
	case RTN_BROADCAST:
		break;
	default:
		return ROUTE_NONE;
	}
	const void *oif = channel_attribute(msg, sizeof(*body), RTA_OIF, sizeof(out));

	if (oif)
		memcpy(&out, oif, sizeof(out));
	/* Several next hops have neither; those are routers as a rule. */
	return out == link && !channel_attribute(msg, sizeof(*body), RTA_GATEWAY, 4) &&
	                       !channel_attribute(msg, sizeof(*body), RTA_VIA, 4)
	               ? ROUTE_LINK
	               : ROUTE_BEYOND;
}

static int take_way(const struct nlmsghdr *msg, uint32_t number, void *context)
{
	const struct ways *ways = context;

	ways->of[number] = (uint8_t)way_of(msg, ways->link);
	return 0;
}

int route_ways(struct channel *c, const struct ip *first, uint32_t count, unsigned int link,
               uint8_t *ways)
{
	struct ways out = {.link = link};
	size_t at = 0, bytes = address_bits(first->family) / 8u;

	out.of = ways;
	for (uint32_t i = 0; i < count; i++) {
		struct ip ip = ip_add(first, i);
		struct nlmsghdr *msg = channel_request(c, at, RTM_GETROUTE, 0);
		struct rtmsg *body = mnl_nlmsg_put_extra_header(msg, sizeof(*body));

		body->rtm_family = ip.family;
		body->rtm_dst_len = address_bits(ip.family);
		body->rtm_flags = RTM_F_FIB_MATCH;
		mnl_attr_put(msg, RTA_DST, bytes, ip.bytes);
		at += msg->nlmsg_len;
	}
	return channel_exchange(c, at, count, take_way, &out);
}

/* ---- the next hop --------------------------------------------------------------------------- */

struct finding {
	const struct ip *target;
	struct route_hop *out;
};

/* RTA_VIA is a router of another family: struct rtvia. */
static void take_router(const struct nlmsghdr *msg, const struct ip *target, struct ip *out)
{
	const size_t header = sizeof(struct rtmsg), bytes = address_bits(target->family) / 8u;
	const struct rtvia *via = channel_attribute(msg, header, RTA_VIA, sizeof(*via) + 16);
	const void *gateway = channel_attribute(msg, header, RTA_GATEWAY, bytes);

	*out = *target;
	if (gateway) {
		*out = (struct ip){.family = target->family};
		memcpy(out->bytes, gateway, bytes);
	} else if (via) {
		*out = (struct ip){.family = (uint8_t)via->rtvia_family};
		memcpy(out->bytes, via->rtvia_addr, sizeof(out->bytes));
	}
}

static int take_hop(const struct nlmsghdr *msg, uint32_t number, void *context)
{
	const struct finding *finding = context;
	const struct rtmsg *body = mnl_nlmsg_get_payload(msg);
	struct route_hop *out = finding->out;

	(void)number;
	if (msg->nlmsg_type == NLMSG_ERROR)
		return channel_ack(msg);
	if (msg->nlmsg_type != RTM_NEWROUTE || mnl_nlmsg_get_payload_len(msg) < sizeof(*body))
		return -EPROTO;
	*out = (struct route_hop){
		.is_local = body->rtm_type == RTN_LOCAL || body->rtm_type == RTN_ANYCAST,
		.is_broadcast = body->rtm_type == RTN_BROADCAST,
	};
	if (!out->is_local && !out->is_broadcast && body->rtm_type != RTN_UNICAST)
		return -ENETUNREACH;
	const void *link = channel_attribute(msg, sizeof(*body), RTA_OIF, sizeof(out->link));

	if (link)
		memcpy(&out->link, link, sizeof(out->link));
	take_router(msg, finding->target, &out->neighbour);
	return 0;
}

int route_find(struct channel *c, const struct ip *target, struct route_hop *out)
{
	struct finding finding = {.target = target, .out = out};
	struct nlmsghdr *msg = channel_request(c, 0, RTM_GETROUTE, 0);
	struct rtmsg *body = mnl_nlmsg_put_extra_header(msg, sizeof(*body));

	body->rtm_family = target->family;
	body->rtm_dst_len = address_bits(target->family);
	mnl_attr_put(msg, RTA_DST, address_bits(target->family) / 8u, target->bytes);
	if (target->scope != 0)
		mnl_attr_put_u32(msg, RTA_OIF, target->scope);
	return channel_exchange(c, msg->nlmsg_len, 1, take_hop, &finding);
}
