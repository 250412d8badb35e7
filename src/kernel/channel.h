/* channel: a conversation with rtnetlink(7): batches of requests, and dumps, in the calling
 * process's network namespace. Not for two threads at once: the buffers are static. */
#pragma once

#include <linux/netlink.h>
#include <stddef.h>
#include <stdint.h>

#define CHANNEL_BATCH 32 /* requests that go out at once, at most */

struct mnl_socket;

struct channel {
	struct mnl_socket *socket;
	unsigned int seq; /* of the next request */
};

/* 0 or a negative errno. What one gives up waiting for after 5 s is -ETIMEDOUT. */
int channel_open(struct channel *c);
void channel_close(struct channel *c);

/* Begins a request `at` bytes behind the beginning of the batch; its length is in the message when
 * it has been filled. At most 128 bytes each. */
struct nlmsghdr *channel_request(struct channel *c, size_t at, uint16_t type, uint16_t flags);

/* Sees the answer to request `number` of the batch (from 0), or one message of a dump (number 0);
 * returns a negative errno to end, or 0. */
typedef int (*channel_answer)(const struct nlmsghdr *msg, uint32_t number, void *context);

/* Sends `bytes` of requests, the last `count` that were begun, each of which has one answer. */
int channel_exchange(struct channel *c, size_t bytes, uint32_t count, channel_answer answer,
                     void *context);

/* Sends the request at the beginning of the batch (begun with NLM_F_DUMP) and takes all that comes.
 * -EINTR where what was dumped has changed meanwhile, so that entries may be missing: to be asked
 * again. */
int channel_dump(struct channel *c, channel_answer answer, void *context);

/* What an NLMSG_ERROR says: its errno, negative, or 0. -EPROTO for other messages. */
int channel_ack(const struct nlmsghdr *msg);

/* A channel_answer for a request that is only acknowledged: the same. */
int channel_take_ack(const struct nlmsghdr *msg, uint32_t number, void *context);

/* The attribute of this type behind a header of `header_bytes`, with at least `bytes` of payload;
 * NULL where there is none. */
const void *channel_attribute(const struct nlmsghdr *msg, size_t header_bytes, uint16_t type,
                              size_t bytes);
