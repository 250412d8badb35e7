/* pair: RTM_NEWLINK of kind "veth" (drivers/net/veth.c), with the other end put into its network by
 * descriptor.
 *
 * A link that goes up before its other end sends nothing until the kernel's link watch has seen the
 * carrier (net/core/link_watch.c): at once, unless both ends happen to have the same index, for
 * then they look like no pair, and it may take a second. So the other end is given an index of its
 * own.
 */
#include "kernel/pair.h"

#include "base/clock.h"
#include "kernel/channel.h"
#include "kernel/link.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <string.h>

#define OPER_UP  6 /* IF_OPER_UP of linux/if.h, which does not go with net/if.h */
#define AWAIT_NS (5 * NS_PER_S)

static int add_pair(struct channel *c, const char *here, int net, const char *there, int index)
{
	struct nlmsghdr *msg = channel_request(c, 0, RTM_NEWLINK,
	                                       NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);

	mnl_nlmsg_put_extra_header(msg, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(msg, IFLA_IFNAME, here);
	struct nlattr *info = mnl_attr_nest_start(msg, IFLA_LINKINFO);

	mnl_attr_put_strz(msg, IFLA_INFO_KIND, "veth");
	struct nlattr *data = mnl_attr_nest_start(msg, IFLA_INFO_DATA);
	struct nlattr *peer = mnl_attr_nest_start(msg, VETH_INFO_PEER);
	struct ifinfomsg *other = mnl_nlmsg_put_extra_header(msg, sizeof(*other));

	other->ifi_index = index;
	mnl_attr_put_strz(msg, IFLA_IFNAME, there);
	mnl_attr_put_u32(msg, IFLA_NET_NS_FD, (uint32_t)net);
	mnl_attr_nest_end(msg, peer);
	mnl_attr_nest_end(msg, data);
	mnl_attr_nest_end(msg, info);
	return channel_exchange(c, msg->nlmsg_len, 1, channel_take_ack, NULL);
}

int pair_make(const char *here, int net, const char *there, int index, struct err *err)
{
	struct channel c;
	int result = channel_open(&c);

	if (result == 0) {
		result = add_pair(&c, here, net, there, index);
		channel_close(&c);
	}
	return result == 0
	               ? 0
	               : err_set(err, result, "cannot make a veth pair: %s%s", strerror(-result),
	                         result == -EOPNOTSUPP ? " (this kernel has no veth)" : "");
}

int pair_set_up(const char *name, bool ipv6)
{
	const struct link_setup setup = {.no_ipv6_address = !ipv6};
	unsigned int index = if_nametoindex(name);
	struct channel c;
	int result = index > 0 ? channel_open(&c) : -errno;

	if (result != 0)
		return result;
	result = link_set_up(&c, index, &setup);
	channel_close(&c);
	return result;
}

/* Its flags say "running" also where the state is unknown: until the link watch has been there, and
 * only from then on it sends. */
static bool is_up(const struct link *link)
{
	return link->state == OPER_UP;
}

int pair_await(const char *name)
{
	uint64_t end_ns = clock_now_ns() + AWAIT_NS;
	struct link link;
	int result = link_find(name, &link);

	while (result == 0 && !is_up(&link) && clock_now_ns() < end_ns) {
		clock_sleep_ns(NS_PER_MS);
		result = link_find(name, &link);
	}
	return result == 0 && !is_up(&link) ? -ENETDOWN : result;
}
