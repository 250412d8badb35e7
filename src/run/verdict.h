/* verdict: from counters to a result, and from a result to a verdict with its reason. */
#pragma once

#include "run/experiment.h"
#include "run/shm.h"

/* Fills who was to connect where: known before anything is opened. */
void verdict_topology(struct result *result, const struct experiment *x);

/* Fills timing.connect, of all connects so far: called when the ramp is over, so that what a churn,
 * a storm or a stage opens later is not in it. */
void verdict_note_connects(struct result *result, const struct shm *shm);

/* Fills what of shm->result can be drawn from the counters, then verdict, reason and exit code. */
void verdict_fill(const struct experiment *x, struct shm *shm);

/* Sets verdict and exit code of a run that ended before it had a result. */
void verdict_set(struct result *result, enum verdict verdict, int exit_code, const char *reason);
