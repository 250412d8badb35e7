/* epoll_conn: a connection's begin and end in the epoll engine, and its registration. */
#pragma once

#include "engine/epoll_state.h"

/* Operations of the contract. */
void epoll_connect(struct engine *e, uint32_t index, const struct sockaddr *source,
                   const struct sockaddr *target, socklen_t len);
void epoll_close(struct engine *e, uint32_t index, enum engine_close how);

/* Makes an index free: what still comes for it is of an earlier life. */
void epoll_release(struct epoll *p, uint32_t index);

/* The kernel says that a connect has ended. */
void epoll_on_connecting(struct epoll *p, uint32_t index);

/* Registers for CONN_IN, CONN_OUT or nothing; or for what its state asks for. 0 or a negative
 * errno. */
int epoll_register(struct epoll *p, uint32_t index, uint32_t flags);
int epoll_update_registration(struct epoll *p, uint32_t index);
