/* epoll_accept: accepting in the epoll engine. */
#pragma once

#include "engine/epoll_state.h"

/* Operations of the contract. */
int epoll_listen(struct engine *e, int fd);
void epoll_accept(struct engine *e, bool on);

/* Watches the listening sockets exactly while connections can be taken. */
void epoll_keep_accepting(struct epoll *p);

/* Somebody waits at listener `number`. Returns how many events it makes, at most `max`. */
int epoll_on_listener(struct epoll *p, uint32_t number, struct engine_event *events, int max);
