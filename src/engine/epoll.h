/* epoll: the engine over epoll and ordinary descriptors (engine/engine.h is its contract): for
 * kernels and containers without io_uring. */
#pragma once

#include "engine/engine.h"

/* Opens it. On success *out is the engine, to be ended with engine_shut. Errors, with one line in
 * `err`: -EMFILE (the descriptor limit cannot hold that many), -ENOMEM. */
int epoll_open(const struct engine_config *config, struct engine **out, struct err *err);

/* The most connections one process can hold with so many listening sockets. */
uint32_t epoll_most(uint32_t listeners, uint64_t nofile);
