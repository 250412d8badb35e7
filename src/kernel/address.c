/* address: RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR (net/ipv4/devinet.c, net/ipv6/addrconf.c).
 *
 * The kernel puts in the local route of a new IPv6 address later, from a work queue
 * (addrconf_dad_work), even without duplicate detection; a connect in between fails with
 * ENETUNREACH. So after adding one asks for the route to each address until it is a local one. */
#include "kernel/address.h"

#include "base/clock.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#define DUMP_TRIES 5

uint8_t address_bits(int family)
{
	return family == AF_INET ? 32 : 128;
}

static size_t ip_bytes(const struct ip *ip)
{
	return address_bits(ip->family) / 8;
}

/* ---- adding and deleting -------------------------------------------------------------------- */

static int keep_result(const struct nlmsghdr *msg, uint32_t number, void *context)
{
	int *results = context;

	if (msg->nlmsg_type != NLMSG_ERROR)
		return -EPROTO;
	results[number] = channel_ack(msg);
	return 0;
}

/* Writes a message at `at` of the batch; returns its length. */
static size_t put_address(struct channel *c, size_t at, uint16_t type, uint16_t flags,
                          const struct address *address)
{
	struct nlmsghdr *msg = channel_request(c, at, type, (uint16_t)(NLM_F_ACK | flags));
	struct ifaddrmsg *body = mnl_nlmsg_put_extra_header(msg, sizeof(*body));
	size_t bytes = ip_bytes(&address->ip);

	body->ifa_family = address->ip.family;
	body->ifa_prefixlen = address->prefix_len;
	body->ifa_flags = (uint8_t)address->flags;
	body->ifa_scope = RT_SCOPE_UNIVERSE;
	body->ifa_index = address->link;
	mnl_attr_put(msg, IFA_LOCAL, bytes, address->ip.bytes);
	mnl_attr_put(msg, IFA_ADDRESS, bytes, address->ip.bytes);
	mnl_attr_put_u32(msg, IFA_FLAGS, address->flags);
	return msg->nlmsg_len;
}

static int put_all(struct channel *c, uint16_t type, uint16_t flags, const struct address *list,
                   uint32_t count, int *results)
{
	size_t at = 0;

	for (uint32_t i = 0; i < count; i++)
		at += put_address(c, at, type, flags, &list[i]);
	return channel_exchange(c, at, count, keep_result, results);
}

int address_add(struct channel *c, const struct address *list, uint32_t count, int *results)
{
	return put_all(c, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, list, count, results);
}

int address_delete(struct channel *c, const struct address *list, uint32_t count, int *results)
{
	return put_all(c, RTM_DELADDR, 0, list, count, results);
}

/* ---- their routes --------------------------------------------------------------------------- */

/* RTM_F_FIB_MATCH (Linux 4.13) asks for the table's entry: without it the kernel also looks for a
 * source address, through all addresses of the link. */
static size_t put_get_route(struct channel *c, size_t at, const struct ip *ip)
{
	struct nlmsghdr *msg = channel_request(c, at, RTM_GETROUTE, 0);
	struct rtmsg *body = mnl_nlmsg_put_extra_header(msg, sizeof(*body));

	body->rtm_family = ip->family;
	body->rtm_dst_len = address_bits(ip->family);
	body->rtm_flags = RTM_F_FIB_MATCH;
	mnl_attr_put(msg, RTA_DST, ip_bytes(ip), ip->bytes);
	return msg->nlmsg_len;
}

/* Counts the answers that are local routes; an error says that there is no route yet. */
static int take_route(const struct nlmsghdr *msg, uint32_t number, void *context)
{
	const struct rtmsg *route = mnl_nlmsg_get_payload(msg);
	uint32_t *local = context;

	(void)number;
	if (msg->nlmsg_type == RTM_NEWROUTE && mnl_nlmsg_get_payload_len(msg) >= sizeof(*route) &&
	    route->rtm_type == RTN_LOCAL)
		(*local)++;
	return 0;
}

int address_await_routes(struct channel *c, const struct address *list, uint32_t count,
                         uint32_t *tries)
{
	for (;;) {
		uint32_t local = 0;
		size_t at = 0;

		for (uint32_t i = 0; i < count; i++)
			at += put_get_route(c, at, &list[i].ip);
		int result = channel_exchange(c, at, count, take_route, &local);

		if (result < 0 || local == count)
			return result;
		if (*tries == 0)
			return -ENETDOWN;
		(*tries)--;
		clock_sleep_ns(NS_PER_MS);
	}
}

/* ---- the dump ------------------------------------------------------------------------------- */

struct dump {
	address_visit visit;
	void *context;
};

static int take_address(const struct nlmsghdr *msg, uint32_t number, void *context)
{
	const struct ifaddrmsg *body = mnl_nlmsg_get_payload(msg);
	const struct dump *dump = context;
	struct address address;

	(void)number;
	if (msg->nlmsg_type != RTM_NEWADDR || mnl_nlmsg_get_payload_len(msg) < sizeof(*body))
		return -EPROTO;
	if (body->ifa_family != AF_INET && body->ifa_family != AF_INET6)
		return 0;
	memset(&address, 0, sizeof(address));
	address.ip.family = body->ifa_family;
	address.link = body->ifa_index;
	address.prefix_len = body->ifa_prefixlen;
	address.flags = body->ifa_flags;
	size_t bytes = ip_bytes(&address.ip);
	/* IFA_LOCAL is left out of IPv6 addresses without a peer. */
	const void *ip = channel_attribute(msg, sizeof(*body), IFA_LOCAL, bytes);
	const void *flags = channel_attribute(msg, sizeof(*body), IFA_FLAGS, sizeof(uint32_t));

	if (!ip)
		ip = channel_attribute(msg, sizeof(*body), IFA_ADDRESS, bytes);
	if (!ip)
		return 0;
	memcpy(address.ip.bytes, ip, bytes);
	if (flags)
		memcpy(&address.flags, flags, sizeof(address.flags));
	dump->visit(&address, dump->context);
	return 0;
}

static int dump_once(int family, struct dump *dump)
{
	struct channel c;
	int result = channel_open(&c);

	if (result < 0)
		return result;
	struct nlmsghdr *msg = channel_request(&c, 0, RTM_GETADDR, NLM_F_DUMP);
	struct ifaddrmsg *body = mnl_nlmsg_put_extra_header(msg, sizeof(*body));

	body->ifa_family = (uint8_t)family;
	result = channel_dump(&c, take_address, dump);
	channel_close(&c);
	return result;
}

int address_dump(int family, address_visit visit, void *context)
{
	struct dump dump = {.visit = visit, .context = context};
	int result = -EINTR;

	for (int tries = 0; tries < DUMP_TRIES && result == -EINTR; tries++)
		result = dump_once(family, &dump);
	return result;
}
