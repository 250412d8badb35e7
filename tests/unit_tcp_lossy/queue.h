/* queue: what happens when: events by time, and by order of entry where that is the same. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QUEUE_BYTES_MOST 192

enum queue_kind {
	TO_SERVER,
	TO_CLIENT,
	SERVER_TIMER,
	SERVER_READ,
	CLIENT_TIMER,
	CLIENT_TURN,
	CLIENT_PATIENCE
};

struct queue_event {
	uint64_t at_ns, order;
	enum queue_kind kind;
	uint32_t connection;
	uint32_t len; /* of a packet; of CLIENT_PATIENCE: in which try */
	uint8_t bytes[QUEUE_BYTES_MOST];
};

struct queue {
	struct queue_event *events; /* a binary heap */
	size_t count, room;
	uint64_t order;
};

/* Copies it. */
void queue_add(struct queue *q, const struct queue_event *event);

/* The next; false where there is none. */
bool queue_take(struct queue *q, struct queue_event *out);

void queue_drop(struct queue *q);
