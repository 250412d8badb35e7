/* queue: see the header. */
#include "unit_tcp_lossy/queue.h"

#include <stdlib.h>

static bool is_before(const struct queue_event *a, const struct queue_event *b)
{
	return a->at_ns < b->at_ns || (a->at_ns == b->at_ns && a->order < b->order);
}

void queue_add(struct queue *q, const struct queue_event *event)
{
	size_t at = q->count++;

	if (q->count > q->room) {
		q->room = q->room ? 2 * q->room : 1024;
		q->events = realloc(q->events, q->room * sizeof(q->events[0]));
		if (!q->events)
			abort();
	}
	q->events[at] = *event;
	q->events[at].order = q->order++;
	while (at > 0 && is_before(&q->events[at], &q->events[(at - 1) / 2])) {
		struct queue_event up = q->events[(at - 1) / 2];

		q->events[(at - 1) / 2] = q->events[at];
		q->events[at] = up;
		at = (at - 1) / 2;
	}
}

bool queue_take(struct queue *q, struct queue_event *out)
{
	size_t at = 0;

	if (q->count == 0)
		return false;
	*out = q->events[0];
	q->events[0] = q->events[--q->count];
	for (;;) {
		size_t least = at, child = 2 * at + 1;

		if (child < q->count && is_before(&q->events[child], &q->events[least]))
			least = child;
		if (child + 1 < q->count && is_before(&q->events[child + 1], &q->events[least]))
			least = child + 1;
		if (least == at)
			return true;
		struct queue_event down = q->events[at];

		q->events[at] = q->events[least];
		q->events[least] = down;
		at = least;
	}
}

void queue_drop(struct queue *q)
{
	free(q->events);
	*q = (struct queue){0};
}
