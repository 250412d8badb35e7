/* epoll_ready: a piece of memory is lent when its event is told, not before, and comes back at the
 * poll after that. So it does not matter how long an event waits, or whether `ready` is ever empty.
 */
#include "engine/epoll_ready.h"

#include "engine/epoll_conn.h"

#include <assert.h>

bool epoll_pool_take(struct epoll_pool *pool, uint16_t *number)
{
	if (pool->free_count == 0)
		return false;
	*number = pool->free[--pool->free_count];
	return true;
}

void epoll_pool_give(struct epoll_pool *pool, uint16_t number)
{
	pool->free[pool->free_count++] = number;
}

/* The pool that an event's memory is of, and its number there. NULL where it shows none. */
static struct epoll_pool *pool_of(struct epoll *p, const struct engine_event *event,
                                  uint16_t *number)
{
	const char *data = event->data;

	if (!data)
		return NULL;
	if (engine_tag_op(event->tag) == ENGINE_RECEIVED) {
		*number = (uint16_t)((size_t)(data - p->received) / p->base.send_most);
		return &p->received_pool;
	}
	*number = (uint16_t)((size_t)(data - p->send_data) / p->base.send_most);
	return &p->send_pool;
}

static void drop(struct epoll *p, const struct engine_event *event)
{
	uint16_t number;
	struct epoll_pool *pool = pool_of(p, event, &number);

	if (pool)
		epoll_pool_give(pool, number);
}

static void lend(struct epoll *p, const struct engine_event *event)
{
	uint16_t number;
	struct epoll_pool *pool = pool_of(p, event, &number);

	if (pool)
		pool->lent[pool->lent_count++] = number;
}

static void take_back(struct epoll_pool *pool)
{
	while (pool->lent_count > 0)
		epoll_pool_give(pool, pool->lent[--pool->lent_count]);
}

void epoll_take_back(struct epoll *p)
{
	take_back(&p->send_pool);
	take_back(&p->received_pool);
}

static bool is_stale(const struct epoll *p, const struct engine_event *event)
{
	return engine_tag_generation(event->tag) != generation_of(p, engine_tag_index(event->tag));
}

/* Those of connections that were closed since make room: what is left is two a connection. */
static void drop_stale(struct epoll *p)
{
	uint32_t kept = 0;

	for (uint32_t i = p->ready_from; i < p->ready_end; i++) {
		if (is_stale(p, &p->ready[i]))
			drop(p, &p->ready[i]);
		else
			p->ready[kept++] = p->ready[i];
	}
	p->ready_from = 0;
	p->ready_end = kept;
}

void epoll_push(struct epoll *p, struct engine_event event)
{
	if (p->ready_end == p->ready_size)
		drop_stale(p);
	assert(p->ready_end < p->ready_size);
	p->ready[p->ready_end++] = event;
}

int epoll_take_ready(struct epoll *p, struct engine_event *events, int max)
{
	int made = 0;

	while (made < max && p->ready_from < p->ready_end) {
		const struct engine_event *event = &p->ready[p->ready_from++];

		if (is_stale(p, event)) {
			drop(p, event);
			continue;
		}
		lend(p, event);
		events[made++] = *event;
		if (engine_tag_op(event->tag) == ENGINE_CONNECTED && event->result < 0)
			epoll_release(p, engine_tag_index(event->tag));
	}
	if (p->ready_from == p->ready_end)
		p->ready_from = p->ready_end = 0;
	return made;
}
