/* workers: how many processes a run takes, and which part of it each has. */
#pragma once

#include "kernel/limits.h"
#include "run/experiment.h"
#include "run/shm.h"

/* Sets the workers of x (kind, engine, n, listens and nofile are set): one of each side a CPU, more
 * where they cannot hold n; `wanted` > 0: exactly so many. Returns how many connections these can
 * hold: less than n where no number of workers can. Clients with a TCP of their own are no more
 * than source IPs (x->tuples is set), nor without need more than CPUs. */
uint64_t workers_choose(struct experiment *x, const struct limits *limits, uint64_t wanted);

/* Describes the workers in shared memory: who they are, their CPU, their part of the indexes. */
void workers_describe(const struct experiment *x, struct shm *shm);
