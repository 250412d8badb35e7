/* uring: the io_uring engine (engine/engine.h is its contract). */
#pragma once

#include "engine/engine.h"

/* Opens the io_uring engine. On success *out is the engine, to be ended with engine_shut. Errors,
 * with one line in `err`: -ENOSYS or -EPERM (no io_uring here), -EOPNOTSUPP (the kernel lacks what
 * the engine needs), -EMFILE (the descriptor limit cannot hold that many), -ENOMEM (also where
 * RLIMIT_MEMLOCK is used up). */
int uring_open(const struct engine_config *config, struct engine **out, struct err *err);

/* Whether this kernel lets this process use io_uring as the engine needs it: 0, or the errors of
 * uring_open with one line that says why not. Opens and closes one small ring. */
int uring_probe(struct err *err);
