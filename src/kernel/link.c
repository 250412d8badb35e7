/* link: RTM_GETLINK, RTM_NEWLINK, RTM_DELLINK (net/core/rtnetlink.c), RTM_NEWQDISC (net/sched). */
#include "kernel/link.h"

#include "kernel/channel.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#define DUMP_TRIES 5

struct list {
	struct link *out;
	uint32_t most, count;
};

static int take_link(const struct nlmsghdr *msg, struct link *out)
{
	const struct ifinfomsg *body = mnl_nlmsg_get_payload(msg);

	if (msg->nlmsg_type != RTM_NEWLINK || mnl_nlmsg_get_payload_len(msg) < sizeof(*body))
		return -EPROTO;
	memset(out, 0, sizeof(*out));
	out->index = (unsigned int)body->ifi_index;
	out->type = body->ifi_type;
	out->flags = body->ifi_flags;
	const char *name = channel_attribute(msg, sizeof(*body), IFLA_IFNAME, 2);
	const void *mac = channel_attribute(msg, sizeof(*body), IFLA_ADDRESS, LINK_MAC_BYTES);

	const void *peer = channel_attribute(msg, sizeof(*body), IFLA_LINK, sizeof(out->peer));
	const void *master = channel_attribute(msg, sizeof(*body), IFLA_MASTER,
	                                       sizeof(out->master));

	const uint8_t *state = channel_attribute(msg, sizeof(*body), IFLA_OPERSTATE, 1);

	if (state)
		out->state = *state;
	if (name)
		memcpy(out->name, name, strnlen(name, sizeof(out->name) - 1));
	if (mac && out->type == ARPHRD_ETHER) {
		memcpy(out->mac, mac, LINK_MAC_BYTES);
		out->has_mac = true;
	}
	if (peer)
		memcpy(&out->peer, peer, sizeof(out->peer));
	if (master)
		memcpy(&out->master, master, sizeof(out->master));
	return 0;
}

static int take_one(const struct nlmsghdr *msg, uint32_t number, void *context)
{
	(void)number;
	return msg->nlmsg_type == NLMSG_ERROR ? channel_ack(msg) : take_link(msg, context);
}

static int take_next(const struct nlmsghdr *msg, uint32_t number, void *context)
{
	struct list *list = context;
	struct link link;
	int failed = take_link(msg, &link);

	(void)number;
	if (failed == 0 && list->count < list->most)
		list->out[list->count] = link;
	list->count += failed == 0;
	return failed;
}

int link_read(struct channel *c, unsigned int index, struct link *out)
{
	struct nlmsghdr *msg = channel_request(c, 0, RTM_GETLINK, 0);
	struct ifinfomsg *body = mnl_nlmsg_put_extra_header(msg, sizeof(*body));

	body->ifi_family = AF_UNSPEC;
	body->ifi_index = (int)index;
	return channel_exchange(c, msg->nlmsg_len, 1, take_one, out);
}

int link_at(unsigned int index, struct link *out)
{
	struct channel c;
	int result = channel_open(&c);

	if (result < 0)
		return result;
	result = link_read(&c, index, out);
	channel_close(&c);
	return result;
}

int link_find(const char *name, struct link *out)
{
	unsigned int index = if_nametoindex(name);

	return index > 0 ? link_at(index, out) : -errno;
}

static int list_once(struct list *list)
{
	struct channel c;
	int result = channel_open(&c);

	if (result < 0)
		return result;
	struct nlmsghdr *msg = channel_request(&c, 0, RTM_GETLINK, NLM_F_DUMP);
	struct ifinfomsg *body = mnl_nlmsg_put_extra_header(msg, sizeof(*body));

	body->ifi_family = AF_UNSPEC;
	result = channel_dump(&c, take_next, list);
	channel_close(&c);
	return result;
}

int link_list(struct link *out, uint32_t most)
{
	struct list list = {.out = out, .most = most};
	int result = -EINTR;

	for (int tries = 0; tries < DUMP_TRIES && result == -EINTR; tries++) {
		list.count = 0;
		result = list_once(&list);
	}
	return result < 0 ? result : (int)list.count;
}

bool link_has_neighbours(const struct link *link)
{
	return link->has_mac && (link->flags & (IFF_LOOPBACK | IFF_NOARP)) == 0;
}

bool link_is_running(const struct link *link)
{
	return (link->flags & IFF_UP) != 0 && (link->flags & IFF_RUNNING) != 0;
}

/* ---- setting up ----------------------------------------------------------------------------- */

static struct nlmsghdr *begin(struct channel *c, uint16_t type, unsigned int index,
                              struct ifinfomsg **body)
{
	struct nlmsghdr *msg = channel_request(c, 0, type, NLM_F_ACK);

	*body = mnl_nlmsg_put_extra_header(msg, sizeof(**body));
	(*body)->ifi_family = AF_UNSPEC;
	(*body)->ifi_index = (int)index;
	return msg;
}

static int finish(struct channel *c, const struct nlmsghdr *msg)
{
	return channel_exchange(c, msg->nlmsg_len, 1, channel_take_ack, NULL);
}

static int set_flags(struct channel *c, unsigned int index, uint32_t flags)
{
	struct ifinfomsg *body;
	struct nlmsghdr *msg = begin(c, RTM_NEWLINK, index, &body);

	body->ifi_change = flags;
	body->ifi_flags = flags;
	return finish(c, msg);
}

static int set_queue(struct channel *c, unsigned int index, uint32_t packets)
{
	struct ifinfomsg *body;
	struct nlmsghdr *msg = begin(c, RTM_NEWLINK, index, &body);

	mnl_attr_put_u32(msg, IFLA_TXQLEN, packets);
	return finish(c, msg);
}

/* IN6_ADDR_GEN_MODE_NONE. Without an address nothing is asked of routers either. -EAFNOSUPPORT:
 * there is no IPv6, on this link or at all. */
static int set_no_ipv6_address(struct channel *c, unsigned int index)
{
	struct ifinfomsg *body;
	struct nlmsghdr *msg = begin(c, RTM_NEWLINK, index, &body);
	struct nlattr *families = mnl_attr_nest_start(msg, IFLA_AF_SPEC);
	struct nlattr *ipv6 = mnl_attr_nest_start(msg, AF_INET6);

	mnl_attr_put_u8(msg, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
	mnl_attr_nest_end(msg, ipv6);
	mnl_attr_nest_end(msg, families);
	int result = finish(c, msg);

	return result == -EAFNOSUPPORT || result == -EOPNOTSUPP ? 0 : result;
}

/* `tc qdisc replace dev ... root noqueue`. A kernel without traffic control has no queue to take
 * away; one before 4.2 does not know the name. */
static int set_no_queue(struct channel *c, unsigned int index)
{
	struct nlmsghdr *msg = channel_request(c, 0, RTM_NEWQDISC,
	                                       NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE);
	struct tcmsg *body = mnl_nlmsg_put_extra_header(msg, sizeof(*body));

	body->tcm_family = AF_UNSPEC;
	body->tcm_ifindex = (int)index;
	body->tcm_parent = TC_H_ROOT;
	mnl_attr_put_strz(msg, TCA_KIND, "noqueue");
	int result = finish(c, msg);

	return result == -ENOENT || result == -EOPNOTSUPP ? 0 : result;
}

int link_set_up(struct channel *c, unsigned int index, const struct link_setup *setup)
{
	int result = 0;

	if (setup->queue_packets > 0)
		result = set_queue(c, index, setup->queue_packets);
	if (result == 0 && setup->no_arp)
		result = set_flags(c, index, IFF_NOARP);
	if (result == 0 && setup->no_ipv6_address)
		result = set_no_ipv6_address(c, index);
	if (result == 0 && setup->no_queue)
		result = set_no_queue(c, index);
	return result == 0 ? set_flags(c, index, IFF_UP) : result;
}

int link_delete(struct channel *c, unsigned int index)
{
	struct ifinfomsg *body;
	struct nlmsghdr *msg = begin(c, RTM_DELLINK, index, &body);

	return finish(c, msg);
}
