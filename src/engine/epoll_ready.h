/* epoll_ready: events of the epoll engine that wait for the next poll, and the memory they show. */
#pragma once

#include "engine/epoll_state.h"

/* One more event for the next poll. */
void epoll_push(struct epoll *p, struct engine_event event);

/* Takes up to `max` of them; those of connections that were closed since are dropped. */
int epoll_take_ready(struct epoll *p, struct engine_event *events, int max);

/* What was lent to the caller until this poll. */
void epoll_take_back(struct epoll *p);

/* Takes a number; false where none is left. Gives one back. */
bool epoll_pool_take(struct epoll_pool *pool, uint16_t *number);
void epoll_pool_give(struct epoll_pool *pool, uint16_t number);
