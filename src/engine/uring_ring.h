/* uring_ring: one io_uring with its table of direct descriptors, its eventfd and its buffers: a
 * segment of connections. */
#pragma once

#include "base/err.h"
#include "engine/engine.h"
#include "engine/layout.h"

#include <liburing.h>
#include <stdbool.h>
#include <stdint.h>

#define URING_BUFFER_GROUP 0

struct uring_ring {
	struct io_uring io;
	struct io_uring_buf_ring *buffer_ring;
	char *buffers;  /* where received data lies: buffer_count of buffer_bytes             */
	uint16_t *lent; /* numbers of the buffers that the caller has until the next poll     */
	uint32_t lent_count;
	uint32_t buffer_count, buffer_bytes;

	/* Tags of receives that found no buffer, in their order: a ring of starved_size. */
	uint64_t *starved;
	uint32_t starved_from, starved_count, starved_size;

	uint32_t used; /* connections in its table                                           */
	int event_fd;  /* told of completions, but only while we sleep                       */
	bool open;
};

/* Opens a ring with an empty table of layout->slots, whose receives take `buffer_bytes` (a power of
 * two) at most. `without` as in engine_config. Returns 0 or a negative errno with one line in
 * `err`. */
int uring_ring_open(struct uring_ring *ring, const struct layout *layout, uint32_t buffer_bytes,
                    uint32_t without, struct err *err);
void uring_ring_shut(struct uring_ring *ring);

/* The next free submission entry; submits what is queued where the queue is full. */
struct io_uring_sqe *uring_ring_sqe(struct uring_ring *ring);

/* Enters the kernel: submits what is queued, and has it do what waits there. Returns how many were
 * submitted, or a negative errno. */
int uring_ring_enter(struct uring_ring *ring);

/* Whether entering the kernel would do anything: something to submit, or work waiting there. */
bool uring_ring_wants_turn(struct uring_ring *ring);

/* Whether there are completions to take or work waiting in the kernel. */
bool uring_ring_is_ready(struct uring_ring *ring);

/* Puts a receive off until there are buffers; false where too many wait. */
bool uring_ring_starve(struct uring_ring *ring, uint64_t tag);

/* How many of those that were put off may be tried now, so that each finds a buffer; and the first
 * of them. */
uint32_t uring_ring_can_feed(struct uring_ring *ring);
uint64_t uring_ring_feed(struct uring_ring *ring);

/* Notes that buffer `number` was shown to the caller; gives all noted ones back. */
void uring_ring_lend(struct uring_ring *ring, uint32_t number);
void uring_ring_take_back(struct uring_ring *ring);

/* One line of what an errno of io_uring_setup means to a user. Returns code. */
int uring_ring_explain(int code, struct err *err);
