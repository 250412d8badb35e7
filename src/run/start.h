/* start: the moment at which a run's ramp begins, where one is named (--start-at). */
#pragma once

#include "run/experiment.h"
#include "run/shm.h"

#include <stdint.h>

/* All is ready: the supervisor is told what is waited for, the user where it was too late. */
void start_begin(const struct experiment *x, struct shm *shm);

/* How long it is until then, by the wall clock, which may be set meanwhile: to be asked again. 0:
 * it is now, or no moment was named. */
uint64_t start_left_ns(const struct experiment *x);
