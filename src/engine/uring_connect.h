/* uring_connect: a connection's begin and end in the io_uring engine. */
#pragma once

#include "engine/uring_state.h"

/* Operations of the contract. */
void uring_connect(struct engine *e, uint32_t index, const struct sockaddr *source,
                   const struct sockaddr *target, socklen_t len);
void uring_close(struct engine *e, uint32_t index, enum engine_close how);

/* Submits what is queued in all rings; addresses that were staged may be overwritten then. */
void uring_submit_all(struct uring *u);

/* A completion of a connect, or of its socket, option or bind. Return how many events it makes. */
int uring_on_connect(struct uring *u, uint32_t index, int code, struct engine_event *event);
int uring_on_connect_failed(struct uring *u, uint32_t index, int code, struct engine_event *event);
int uring_on_unmade(struct uring *u, uint32_t index, uint32_t generation,
                    struct engine_event *event);
