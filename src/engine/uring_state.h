/* uring_state: what the parts of the io_uring engine share. Its theory stands in uring.c. */
#pragma once

#include "engine/engine.h"
#include "engine/layout.h"
#include "engine/uring_ring.h"

#include <stdbool.h>
#include <stdint.h>

#define URING_SEND_SLOTS 4096 /* 12 bits of a send's tag */
#define URING_STAGED_MAX 512  /* connects queued between two submissions */

/* Entries into the kernel for one ring, before others have their turn: it runs 20 pieces of waiting
 * work an entry, and a batch of connects makes more. */
#define URING_ENTRIES_MOST 16

/* What user_data's operation means here; beyond the contract's own operations. */
enum op {
	OP_SILENT = ENGINE_OP_COUNT, /* nobody waits for it                              */
	OP_ACCEPT,                   /* index: the listener                              */
	OP_SETUP,                    /* socket, option or bind of a connect: only errors */
	OP_UNMADE, /* a connect that failed by hand. generation: errno 12, generation 12 */
	OP_CONNECT,
	OP_READY,       /* the armed poll fired                             */
	OP_RECEIVE,     /* a receive that waits                             */
	OP_RECEIVE_NOW, /* a receive that does not                          */
	OP_SEND         /* generation: send slot 12, generation 12          */
};

/* A connection's word: generation in the upper 24 bits, flags below. */
enum {
	CONN_USED = 1,    /* the slot holds or will hold a socket          */
	CONN_ARMED = 2,   /* a poll is on it                               */
	CONN_PENDING = 4, /* a connect or a waiting receive is on it       */
	CONN_SENDING = 8, /* a send is on it                             */
	CONN_CONNECTING = 16,
	CONN_FLAGS = 0xff
};

struct staged {
	struct sockaddr_storage source, target;
};

struct listener {
	int fd;
	bool armed;
};

struct uring {
	struct engine base;
	struct engine_config config;
	struct layout layout;
	struct uring_ring *rings;
	uint32_t first_turn; /* the ring that has the first turn of the next poll */
	uint32_t *conns;
	uint32_t conn_count;
	bool has_bind;
	int failed; /* the negative errno that ended it, or 0 */
	int epoll_fd;

	struct staged *staged; /* addresses must stay until they are submitted */
	uint32_t staged_count;

	uint32_t *send_len;
	char *send_data; /* base.send_most bytes a slot */
	uint16_t *send_free,
		*send_lent; /* numbers of slots; lent to the caller until the next poll */
	uint32_t send_free_count, send_lent_count;

	struct listener *listeners;
	uint32_t listener_count;
	uint32_t listener_armed;  /* how many of them are */
	uint32_t accept_ring;     /* where accepted connections go */
	bool accept_off;          /* the caller wants none */
	bool accept_moving;       /* accepts are being cancelled to go to another ring */
	uint64_t accept_again_ns; /* not before, after an error; 0: at once */
};

static inline struct uring *uring_of(struct engine *e)
{
	return (struct uring *)(void *)e;
}

static inline struct uring_ring *ring_of(struct uring *u, uint32_t index)
{
	return &u->rings[index / u->layout.slots];
}

static inline int slot_of(const struct uring *u, uint32_t index)
{
	return (int)(index % u->layout.slots);
}

static inline uint32_t generation_of(const struct uring *u, uint32_t index)
{
	return u->conns[index] >> 8;
}

static inline uint64_t tag_of(const struct uring *u, uint8_t op, uint32_t index)
{
	return engine_tag(op, generation_of(u, index), index);
}

static inline char *send_slot(const struct uring *u, uint16_t number)
{
	return u->send_data + (size_t)number * u->base.send_most;
}

static inline struct io_uring_sqe *sqe_on_slot(struct uring *u, uint32_t index)
{
	return uring_ring_sqe(ring_of(u, index));
}
