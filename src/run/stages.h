/* stages: what each stage of the hold comes to: the workers' counters, which only grow, before and
 * after it; and the verdict on who was the limit. Called by the director. */
#pragma once

#include "base/sample.h"
#include "run/experiment.h"
#include "run/shm.h"

/* Stage i begins: shm->result.stages[i] is started. */
void stages_begin(const struct experiment *x, struct shm *shm, uint32_t i, uint64_t start_ns);

/* Looks at it some ten times a second: how many are open, how many wait in listen queues, how far
 * a storm and the rounds of a push are. Does nothing between stages. */
void stages_look(const struct experiment *x, struct shm *shm);

/* The same once a second: how many sockets are in TIME_WAIT. */
void stages_sample(const struct experiment *x, struct shm *shm, const struct sample *sample);

/* Its time is over, and clients begin to drain: what CPUs did until now is the stage's. */
void stages_over(const struct shm *shm);

/* It has ended, and clients are at rest: its result is filled. duration_ns: until it was over, not
 * what draining took. */
void stages_end(const struct experiment *x, struct shm *shm, uint32_t i, uint64_t duration_ns);

/* The hold of a run that has no scenario: one stage. */
void stages_set_hold(struct experiment *x, uint64_t hold_ns);
