/* outages: the director's part of run/outage: it looks at the workers' counters, says in a line
 * when an outage begins and when it is over, and leaves them in shm->result. */
#pragma once

#include "run/experiment.h"
#include "run/shm.h"

/* The hold begins. */
void outages_begin(const struct experiment *x, struct shm *shm);

/* A stage begins: what is usual may change. */
void outages_stage(const struct shm *shm);

/* Looks, some ten times a second; does nothing beyond the hold. */
void outages_look(const struct experiment *x, struct shm *shm);

/* The hold is over. */
void outages_end(const struct experiment *x, struct shm *shm);
