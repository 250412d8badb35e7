/* epoll_io: sending and receiving in the epoll engine. */
#pragma once

#include "engine/epoll_state.h"

/* Operations of the contract. */
int epoll_send(struct engine *e, uint32_t index, const void *data, uint32_t len);
void epoll_receive(struct engine *e, uint32_t index, enum engine_wait wait);

/* The kernel says that there is room for the send that waits, or something to read. */
void epoll_on_writable(struct epoll *p, uint32_t index);
void epoll_on_readable(struct epoll *p, uint32_t index);
