/* epoll_state: what the parts of the epoll engine share. Its theory stands in epoll.c. */
#pragma once

#include "engine/engine.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EPOLL_SEND_SLOTS 4096
#define EPOLL_ROUND      512 /* taken from the kernel at a time; each may fill a buffer */

/* What one round filled may still wait to be told while the next one fills. */
#define EPOLL_BUFFERS ((size_t)2 * EPOLL_ROUND)

#define EPOLL_NO_INDEX UINT32_MAX

/* What epoll's data means, in the place of a tag's operation. */
enum { KEY_CONNECTION, KEY_LISTENER, KEY_WAKE };

/* Flags of a connection's word; its generation lies above them. */
enum {
	CONN_USED = 1,
	CONN_CONNECTING = 2,
	CONN_WANTED = 4,   /* the caller asked for RECEIVED                   */
	CONN_SOON = 8,     /* and does not expect to rest then                */
	CONN_BLOCKED = 16, /* a send waits for room; blocked[] is its slot    */
	CONN_IN = 32,      /* registered with epoll, for reading              */
	CONN_OUT = 64,     /* and for writing                                 */
	CONN_FLAGS = 0xff
};

struct epoll_conn {
	int32_t fd; /* free: the next free index, as int32_t */
	uint32_t word;
};

/* Numbers of pieces of memory: those to be had, and those that the caller has until the next poll.
 * (The others are under way, or wait in `ready`.) */
struct epoll_pool {
	uint16_t *free, *lent;
	uint32_t free_count, lent_count;
};

struct epoll_listener {
	int fd;
	bool armed;
};

struct epoll {
	struct engine base;
	struct engine_config config;
	int fd;
	struct epoll_conn *conns;
	uint16_t *blocked; /* of connections with CONN_BLOCKED: the send's slot */
	uint32_t used, fresh, first_free;

	struct engine_event *ready; /* waiting for the next poll */
	uint32_t ready_from, ready_end, ready_size;

	/* Slots and buffers are of base.send_most bytes. */
	uint32_t *send_len;
	char *send_data;
	struct epoll_pool send_pool;
	char *received;
	struct epoll_pool received_pool;

	struct epoll_listener *listeners;
	uint32_t listener_count, listener_armed;
	bool accept_off;
	uint64_t accept_again_ns; /* not before, after an error; 0: at once */
};

static inline struct epoll *epoll_of(struct engine *e)
{
	return (struct epoll *)(void *)e;
}

static inline char *send_slot(const struct epoll *p, uint16_t number)
{
	return p->send_data + (size_t)number * p->base.send_most;
}

static inline uint32_t generation_of(const struct epoll *p, uint32_t index)
{
	return p->conns[index].word >> 8;
}

static inline uint64_t tag_of(const struct epoll *p, uint8_t op, uint32_t index)
{
	return engine_tag(op, generation_of(p, index), index);
}
