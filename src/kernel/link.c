/* link: RTM_GETLINK and RTM_NEWLINK (net/core/rtnetlink.c). */
#include "kernel/link.h"

#include "kernel/channel.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_arp.h>
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

	if (name)
		memcpy(out->name, name, strnlen(name, sizeof(out->name) - 1));
	if (mac && out->type == ARPHRD_ETHER) {
		memcpy(out->mac, mac, LINK_MAC_BYTES);
		out->has_mac = true;
	}
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

int link_at(unsigned int index, struct link *out)
{
	struct channel c;
	int result = channel_open(&c);

	if (result < 0)
		return result;
	struct nlmsghdr *msg = channel_request(&c, 0, RTM_GETLINK, 0);
	struct ifinfomsg *body = mnl_nlmsg_put_extra_header(msg, sizeof(*body));

	body->ifi_family = AF_UNSPEC;
	body->ifi_index = (int)index;
	result = channel_exchange(&c, msg->nlmsg_len, 1, take_one, out);
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

static int take_ack(const struct nlmsghdr *msg, uint32_t number, void *context)
{
	(void)number;
	(void)context;
	return channel_ack(msg);
}

int link_up(const char *name)
{
	unsigned int index = if_nametoindex(name);
	struct channel c;

	if (index == 0)
		return -errno;
	int result = channel_open(&c);

	if (result < 0)
		return result;
	struct nlmsghdr *msg = channel_request(&c, 0, RTM_NEWLINK, NLM_F_ACK);
	struct ifinfomsg *body = mnl_nlmsg_put_extra_header(msg, sizeof(*body));

	body->ifi_family = AF_UNSPEC;
	body->ifi_index = (int)index;
	body->ifi_change = IFF_UP;
	body->ifi_flags = IFF_UP;
	result = channel_exchange(&c, msg->nlmsg_len, 1, take_ack, NULL);
	channel_close(&c);
	return result;
}
