/* veth: RTM_NEWLINK of kind "veth" (drivers/net/veth.c), SIOCETHTOOL (net/ethtool/ioctl.c).
 *
 * The pair is made in the network the caller was in, with the other end put into the new one by the
 * caller's process id, so that no /proc is needed. The kernel counts the name; the index is read
 * from the other end, which tells it as IFLA_LINK.
 *
 * What the end there costs: it has no address. A link without ARP sends to the device's own
 * hardware address, which at the other end is somebody else's (PACKET_OTHERHOST): IP drops such a
 * frame before it looks at it, and a packet socket has had it before. */
#include "kernel/veth.h"

#include "kernel/channel.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <linux/veth.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define THERE "mcveth" /* the only link there, but for lo */

static int add_pair(struct channel *here, const char *pattern)
{
	struct nlmsghdr *msg = channel_request(here, 0, RTM_NEWLINK,
	                                       NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);

	mnl_nlmsg_put_extra_header(msg, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(msg, IFLA_IFNAME, pattern);
	struct nlattr *info = mnl_attr_nest_start(msg, IFLA_LINKINFO);

	mnl_attr_put_strz(msg, IFLA_INFO_KIND, "veth");
	struct nlattr *data = mnl_attr_nest_start(msg, IFLA_INFO_DATA);
	struct nlattr *peer = mnl_attr_nest_start(msg, VETH_INFO_PEER);

	mnl_nlmsg_put_extra_header(msg, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(msg, IFLA_IFNAME, THERE);
	mnl_attr_put_u32(msg, IFLA_NET_NS_PID, (uint32_t)getpid());
	mnl_attr_nest_end(msg, peer);
	mnl_attr_nest_end(msg, data);
	mnl_attr_nest_end(msg, info);
	return channel_exchange(here, msg->nlmsg_len, 1, channel_take_ack, NULL);
}

/* `socket` is of the network that the link is in. A kernel that cannot switch one of these has it
 * off. Checksums stay the receiver's: what is never computed costs nothing. */
static int switch_offloads_off(int socket, const char *name)
{
	static const uint32_t commands[] = {ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_SGRO};
	struct ifreq request = {0};

	memcpy(request.ifr_name, name, strnlen(name, IF_NAMESIZE - 1));
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		struct ethtool_value value = {.cmd = commands[i]};

		request.ifr_data = (void *)&value;
		if (ioctl(socket, SIOCETHTOOL, &request) != 0 && errno != EOPNOTSUPP)
			return -errno;
	}
	return 0;
}

static int set_up(int socket, struct channel *c, const struct link *link)
{
	const struct link_setup setup = {.no_arp = true, .no_ipv6_address = true};
	int result = switch_offloads_off(socket, link->name);

	return result == 0 ? link_set_up(c, link->index, &setup) : result;
}

/* Finds both ends, and sets up first the one there: an end is not running before the other is. */
static int set_up_both(int socket_here, int socket_there, struct channel *here, struct veth *out)
{
	struct channel there;
	int result = channel_open(&there);

	if (result < 0)
		return result;
	result = link_find(THERE, &out->there);
	if (result == 0)
		result = link_read(here, out->there.peer, &out->here);
	if (result == 0)
		result = set_up(socket_there, &there, &out->there);
	if (result == 0)
		result = set_up(socket_here, here, &out->here);
	channel_close(&there);
	return result;
}

static int say(struct err *err, int code, const char *step)
{
	return err_set(err, code, "cannot make a veth pair for the engine packet (%s: %s)%s", step,
	               strerror(-code),
	               code == -EPERM || code == -EACCES
	                       ? "; it needs root, or a user namespace (unshare -Urn)"
	               : code == -EOPNOTSUPP ? "; this kernel has no veth, take the engine tun"
	                                     : "");
}

static int open_from(int socket_here, const char *pattern, struct veth *out, struct channel *here,
                     struct err *err)
{
	if (unshare(CLONE_NEWNET) != 0)
		return say(err, -errno, "a network namespace");
	int socket_there = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (socket_there < 0)
		return say(err, -errno, "a socket");
	int result = add_pair(here, pattern);

	if (result < 0) {
		say(err, result, "the pair");
	} else {
		result = set_up_both(socket_here, socket_there, here, out);
		if (result < 0)
			say(err, result, "its links");
	}
	close(socket_there);
	return result;
}

int veth_open(const char *pattern, struct veth *out, struct channel *here_channel, struct err *err)
{
	int result = channel_open(here_channel);

	if (result < 0)
		return say(err, result, "rtnetlink");
	int socket_here = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	result = socket_here < 0 ? say(err, -errno, "a socket")
	                         : open_from(socket_here, pattern, out, here_channel, err);
	if (socket_here >= 0)
		close(socket_here);
	if (result < 0)
		channel_close(here_channel);
	return result;
}
