/* uring_accept: accepting in the io_uring engine. */
#pragma once

#include "engine/uring_state.h"

/* Operations of the contract. */
int uring_listen(struct engine *e, int fd);
void uring_accept(struct engine *e, bool on);

/* Moves accepting to another ring before the present one can fill, and arms what is not armed. */
void uring_keep_accepting(struct uring *u);
void uring_cancel_accepts(struct uring *u);

/* When poll must do that again, after an error; UINT64_MAX: not for a time's sake. */
uint64_t uring_accept_again_ns(const struct uring *u);

/* Arms a connection: one OP_READY follows, when there is data or an end. */
void uring_arm_ready(struct uring *u, uint32_t index);

/* A completion of an accept in ring number `ring`. Returns how many events it makes. */
int uring_on_accept(struct uring *u, uint32_t ring, const struct io_uring_cqe *cqe,
                    struct engine_event *event);
