/* channel: batches and dumps over libmnl.
 *
 * Requests go out in batches: one datagram holds many messages, and each is answered by one. A
 * batch is small enough for all its answers to lie in a receive buffer of the default size. */
#include "kernel/channel.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#define MESSAGE_BYTES 128 /* more than any request here takes */

static _Alignas(8) char requests[CHANNEL_BATCH * MESSAGE_BYTES];
static _Alignas(8) char answers[64 * 1024];

/* What one conversation has seen so far. */
struct hearing {
	unsigned int first; /* sequence number of the first request */
	uint32_t count;     /* of requests                          */
	channel_answer answer;
	void *context;
	uint32_t taken;
	bool is_dump, is_done, is_interrupted;
};

int channel_open(struct channel *c)
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

void channel_close(struct channel *c)
{
	mnl_socket_close(c->socket);
}

struct nlmsghdr *channel_request(struct channel *c, size_t at, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *msg = mnl_nlmsg_put_header(requests + at);

	msg->nlmsg_type = type;
	msg->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	msg->nlmsg_seq = c->seq++;
	return msg;
}

/* NLMSG_ERROR has a struct nlmsgerr, NLMSG_DONE the int that the dump ended with; both start with
 * a negative errno or 0. Kernels may send NLMSG_DONE without it. */
static int end_code(const struct nlmsghdr *msg)
{
	int code = 0;

	if (mnl_nlmsg_get_payload_len(msg) >= sizeof(code))
		memcpy(&code, mnl_nlmsg_get_payload(msg), sizeof(code));
	return code < 0 ? code : 0;
}

int channel_ack(const struct nlmsghdr *msg)
{
	if (msg->nlmsg_type != NLMSG_ERROR || mnl_nlmsg_get_payload_len(msg) < sizeof(int))
		return -EPROTO;
	return end_code(msg);
}

int channel_take_ack(const struct nlmsghdr *msg, uint32_t number, void *context)
{
	(void)number;
	(void)context;
	return channel_ack(msg);
}

static int take_message(struct hearing *h, const struct nlmsghdr *msg)
{
	uint32_t number = msg->nlmsg_seq - h->first;

	if (number >= h->count)
		return 0; /* of an earlier batch */
	if (!h->is_dump) {
		h->taken++;
		return h->answer(msg, number, h->context);
	}
	if (msg->nlmsg_flags & NLM_F_DUMP_INTR)
		h->is_interrupted = true;
	if (msg->nlmsg_type == NLMSG_DONE || msg->nlmsg_type == NLMSG_ERROR) {
		h->is_done = true;
		return end_code(msg);
	}
	return h->answer(msg, number, h->context);
}

/* Takes one datagram. */
static int receive(struct channel *c, struct hearing *h)
{
	const struct nlmsghdr *msg = (const struct nlmsghdr *)(const void *)answers;
	ssize_t n = mnl_socket_recvfrom(c->socket, answers, sizeof(answers));
	int left = (int)n, result;

	if (n < 0 && errno == EINTR)
		return 0; /* a signal; -EINTR means something else here */
	if (n < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	for (; mnl_nlmsg_ok(msg, left); msg = mnl_nlmsg_next(msg, &left)) {
		result = take_message(h, msg);
		if (result < 0)
			return result;
	}
	return 0;
}

int channel_exchange(struct channel *c, size_t bytes, uint32_t count, channel_answer answer,
                     void *context)
{
	struct hearing h = {
		.first = c->seq - count, .count = count, .answer = answer, .context = context};
	int result = 0;

	if (count == 0)
		return 0;
	if (mnl_socket_sendto(c->socket, requests, bytes) < 0)
		return -errno;
	while (h.taken < count && result == 0)
		result = receive(c, &h);
	return result;
}

int channel_dump(struct channel *c, channel_answer answer, void *context)
{
	const struct nlmsghdr *msg = (const struct nlmsghdr *)(const void *)requests;
	struct hearing h = {.first = c->seq - 1,
	                    .count = 1,
	                    .answer = answer,
	                    .context = context,
	                    .is_dump = true};
	int result = 0;

	if (mnl_socket_sendto(c->socket, msg, msg->nlmsg_len) < 0)
		return -errno;
	while (!h.is_done && result == 0)
		result = receive(c, &h);
	return result == 0 && h.is_interrupted ? -EINTR : result;
}

const void *channel_attribute(const struct nlmsghdr *msg, size_t header_bytes, uint16_t type,
                              size_t bytes)
{
	const struct nlattr *attr = mnl_nlmsg_get_payload_offset(msg, header_bytes);
	const char *end = mnl_nlmsg_get_payload_tail(msg);

	for (; mnl_attr_ok(attr, (int)(end - (const char *)attr)); attr = mnl_attr_next(attr)) {
		if (mnl_attr_get_type(attr) == type && mnl_attr_get_payload_len(attr) >= bytes)
			return mnl_attr_get_payload(attr);
	}
	return NULL;
}
