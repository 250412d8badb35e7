/* rounds: of a push, how long each round took to the first connection and to the last, added up
 * over the workers, which keep the last few. */
#pragma once

#include "base/hist.h"
#include "run/shm.h"

#include <stdbool.h>
#include <stdint.h>

struct rounds {
	uint64_t next; /* the first that is not counted yet */
	struct hist first, last;
};

/* Begins with the round after those that were heard so far. */
void rounds_begin(struct rounds *rounds, const struct shm *shm);

/* Counts the rounds that are old enough for none of it to come; at the end (`all`) every one. Call
 * it oftener than there are SHM_PUSHES / 2 rounds: what workers have forgotten is not counted. */
void rounds_count(struct rounds *rounds, const struct shm *shm, bool all);
