/* netlink: links and addresses over rtnetlink(7) (net/core/rtnetlink.c, net/ipv4/devinet.c,
 * net/ipv6/addrconf.c).
 *
 * Requests go out in batches: one datagram holds many messages, and each is answered by one. A
 * batch is small enough for all its answers to lie in a receive buffer of the default size.
 *
 * The kernel puts in the local route of a new IPv6 address later, from a work queue
 * (addrconf_dad_work), even without duplicate detection; a connect in between fails with
 * ENETUNREACH.
 * So after adding we ask for the route to each address until it is a local one. Not for two
 * threads at once: the buffers are static. */
#include "kernel/netlink.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

#define BATCH_MAX     32
#define MESSAGE_BYTES 128  /* more than any request here takes */
#define ROUTE_TRIES   2000 /* a millisecond apart */

struct channel {
	struct mnl_socket *socket;
	unsigned int seq; /* of the next message */
};

static _Alignas(8) char requests[BATCH_MAX * MESSAGE_BYTES];
static _Alignas(8) char answers[64 * 1024];

/* Sees an answer to one request; returns a negative errno to end, or 0. */
typedef int (*answer_fn)(const struct nlmsghdr *msg, void *context);

static int channel_open(struct channel *c)
{
	const struct timeval patience = {.tv_sec = 5};
	int result = 0;

	c->seq = 1;
	c->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!c->socket)
		return -errno;
	if (mnl_socket_bind(c->socket, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    setsockopt(mnl_socket_get_fd(c->socket), SOL_SOCKET, SO_RCVTIMEO, &patience,
	               sizeof(patience)) < 0) {
		result = -errno;
		mnl_socket_close(c->socket);
	}
	return result;
}

static int error_of(const struct nlmsghdr *msg)
{
	const struct nlmsgerr *error = mnl_nlmsg_get_payload(msg);

	if (mnl_nlmsg_get_payload_len(msg) < sizeof(error->error))
		return -EPROTO;
	return error->error;
}

/* Receives one datagram; returns how many answers to messages from `first` on it had. */
static int receive(struct channel *c, unsigned int first, answer_fn answer, void *context)
{
	const struct nlmsghdr *msg = (const struct nlmsghdr *)(const void *)answers;
	ssize_t n = mnl_socket_recvfrom(c->socket, answers, sizeof(answers));
	int left = (int)n, taken = 0, result;

	if (n < 0 && errno == EINTR)
		return 0;
	if (n < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	for (; mnl_nlmsg_ok(msg, left); msg = mnl_nlmsg_next(msg, &left)) {
		if (msg->nlmsg_seq - first >= c->seq - first)
			continue; /* of an earlier batch */
		result = answer(msg, context);
		if (result < 0)
			return result;
		taken++;
	}
	return taken;
}

/* Sends `bytes` of requests, the last `count` messages made, and takes as many answers. */
static int exchange(struct channel *c, size_t bytes, uint32_t count, answer_fn answer,
                    void *context)
{
	unsigned int first = c->seq - count;
	uint32_t taken = 0;
	int result;

	if (mnl_socket_sendto(c->socket, requests, bytes) < 0)
		return -errno;
	while (taken < count) {
		result = receive(c, first, answer, context);
		if (result < 0)
			return result;
		taken += (uint32_t)result;
	}
	return 0;
}

static struct nlmsghdr *new_request(struct channel *c, size_t at, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *msg = mnl_nlmsg_put_header(requests + at);

	msg->nlmsg_type = type;
	msg->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	msg->nlmsg_seq = c->seq++;
	return msg;
}

static int take_ack(const struct nlmsghdr *msg, void *context)
{
	(void)context;
	if (msg->nlmsg_type != NLMSG_ERROR)
		return -EPROTO;
	return error_of(msg);
}

static int take_add_ack(const struct nlmsghdr *msg, void *context)
{
	int result = take_ack(msg, context);

	return result == -EEXIST ? 0 : result;
}

static int find_link(const char *name, unsigned int *index)
{
	*index = if_nametoindex(name);
	return *index ? 0 : -errno;
}

int netlink_link_up(const char *name)
{
	struct channel c;
	struct nlmsghdr *msg;
	struct ifinfomsg *link;
	unsigned int index;
	int result = find_link(name, &index);

	if (!result)
		result = channel_open(&c);
	if (result)
		return result;
	msg = new_request(&c, 0, RTM_NEWLINK, NLM_F_ACK);
	link = mnl_nlmsg_put_extra_header(msg, sizeof(*link));
	link->ifi_family = AF_UNSPEC;
	link->ifi_index = (int)index;
	link->ifi_change = IFF_UP;
	link->ifi_flags = IFF_UP;
	result = exchange(&c, msg->nlmsg_len, 1, take_ack, NULL);
	mnl_socket_close(c.socket);
	return result;
}

static size_t ip_bytes(const struct ip *ip)
{
	return ip->family == AF_INET ? 4 : 16;
}

/* Writes a message at `at` of the batch; returns its length. */
static size_t put_add_address(struct channel *c, size_t at, unsigned int link, const struct ip *ip)
{
	struct nlmsghdr *msg = new_request(c, at, RTM_NEWADDR,
	                                   NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
	struct ifaddrmsg *body = mnl_nlmsg_put_extra_header(msg, sizeof(*body));

	body->ifa_family = ip->family;
	body->ifa_prefixlen = (uint8_t)(ip_bytes(ip) * 8);
	body->ifa_flags = ip->family == AF_INET6 ? IFA_F_NODAD : 0;
	body->ifa_scope = RT_SCOPE_UNIVERSE;
	body->ifa_index = link;
	mnl_attr_put(msg, IFA_LOCAL, ip_bytes(ip), ip->bytes);
	mnl_attr_put(msg, IFA_ADDRESS, ip_bytes(ip), ip->bytes);
	return msg->nlmsg_len;
}

static int add_batch(struct channel *c, unsigned int link, const struct ip *first, uint32_t from,
                     uint32_t count)
{
	size_t at = 0;
	uint32_t i;

	for (i = 0; i < count; i++) {
		struct ip ip = ip_add(first, from + i);

		at += put_add_address(c, at, link, &ip);
	}
	return exchange(c, at, count, take_add_ack, NULL);
}

/* RTM_F_FIB_MATCH (Linux 4.13) asks for the table's entry: without it the kernel also looks for a
 * source address, through all addresses of the link. */
static size_t put_get_route(struct channel *c, size_t at, const struct ip *ip)
{
	struct nlmsghdr *msg = new_request(c, at, RTM_GETROUTE, 0);
	struct rtmsg *body = mnl_nlmsg_put_extra_header(msg, sizeof(*body));

	body->rtm_family = ip->family;
	body->rtm_dst_len = (uint8_t)(ip_bytes(ip) * 8);
	body->rtm_flags = RTM_F_FIB_MATCH;
	mnl_attr_put(msg, RTA_DST, ip_bytes(ip), ip->bytes);
	return msg->nlmsg_len;
}

/* Counts the answers that are local routes; an error says that there is no route yet. */
static int take_route(const struct nlmsghdr *msg, void *context)
{
	const struct rtmsg *route = mnl_nlmsg_get_payload(msg);
	uint32_t *local = context;

	if (msg->nlmsg_type == RTM_NEWROUTE && mnl_nlmsg_get_payload_len(msg) >= sizeof(*route) &&
	    route->rtm_type == RTN_LOCAL)
		(*local)++;
	return 0;
}

static int count_local_routes(struct channel *c, const struct ip *first, uint32_t from,
                              uint32_t count, uint32_t *local)
{
	size_t at = 0;
	uint32_t i;

	*local = 0;
	for (i = 0; i < count; i++) {
		struct ip ip = ip_add(first, from + i);

		at += put_get_route(c, at, &ip);
	}
	return exchange(c, at, count, take_route, local);
}

/* Waits for one batch; *tries is what is left of the patience with all of them. */
static int await_routes(struct channel *c, const struct ip *first, uint32_t from, uint32_t count,
                        uint32_t *tries)
{
	const struct timespec millisecond = {.tv_nsec = 1000000};
	uint32_t local;
	int result;

	for (;;) {
		result = count_local_routes(c, first, from, count, &local);
		if (result || local == count)
			return result;
		if (!*tries)
			return -ENETDOWN;
		(*tries)--;
		nanosleep(&millisecond, NULL);
	}
}

static uint32_t batch_size(uint32_t from, uint32_t count)
{
	return count - from < BATCH_MAX ? count - from : BATCH_MAX;
}

static int add_all(struct channel *c, unsigned int link, const struct ip *first, uint32_t count)
{
	uint32_t from, tries = ROUTE_TRIES;
	int result = 0;

	for (from = 0; from < count && !result; from += batch_size(from, count))
		result = add_batch(c, link, first, from, batch_size(from, count));
	if (first->family == AF_INET)
		return result;
	for (from = 0; from < count && !result; from += batch_size(from, count))
		result = await_routes(c, first, from, batch_size(from, count), &tries);
	return result;
}

int netlink_add_addresses(const char *link_name, const struct ip *first, uint32_t count)
{
	struct channel c;
	unsigned int link;
	int result;

	if (first->family != AF_INET && first->family != AF_INET6)
		return -EAFNOSUPPORT;
	result = find_link(link_name, &link);
	if (!result)
		result = channel_open(&c);
	if (result)
		return result;
	result = add_all(&c, link, first, count);
	mnl_socket_close(c.socket);
	return result;
}
