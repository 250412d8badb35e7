/* stages: what each stage of the hold comes to: the workers' counters, which only grow, before and
 * after it; and the verdict on who was the limit. Called by the director. */
#pragma once

#include "base/sample.h"
#include "run/experiment.h"
#include "run/shm.h"

/* Stage i begins: shm->result.stages[i] is started. */
void stages_begin(const struct experiment *x, struct shm *shm, uint32_t i, uint64_t start_ns);

/* Looks at it once a second: how many are open, how many sockets are in TIME_WAIT. Does nothing
 * between stages. */
void stages_sample(const struct experiment *x, struct shm *shm, const struct sample *sample);

/* It has ended, and clients are at rest: its result is filled. */
void stages_end(const struct experiment *x, struct shm *shm, uint32_t i, uint64_t duration_ns);

/* The hold of a run that has no scenario: one stage. */
void stages_set_hold(struct experiment *x, uint64_t hold_ns);
