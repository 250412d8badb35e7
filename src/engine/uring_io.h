/* uring_io: sending and receiving in the io_uring engine. */
#pragma once

#include "engine/uring_state.h"

/* Operations of the contract. */
int uring_send(struct engine *e, uint32_t index, const void *data, uint32_t len);
void uring_receive(struct engine *e, uint32_t index, enum engine_wait wait);

/* What was lent to the caller until this poll. */
void uring_take_back_sends(struct uring *u);

/* Tries receives of ring number `ring` again that found no buffer. */
void uring_feed(struct uring *u, uint32_t ring);

/* Completions. They return how many events they make; `ring` is the number of the ring they are of.
 */
int uring_on_send(struct uring *u, const struct io_uring_cqe *cqe, struct engine_event *event);
int uring_on_ready(struct uring *u, uint32_t index, int code, struct engine_event *event);
int uring_on_receive(struct uring *u, uint32_t ring, const struct io_uring_cqe *cqe,
                     struct engine_event *event);
