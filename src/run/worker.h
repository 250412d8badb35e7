/* worker: one process on one core, a server or a client, from fork to exit. */
#pragma once

#include "run/experiment.h"
#include "run/shm.h"

/* Eventfds by which phases are announced and their ends reported. */
struct worker_bells {
	int worker[SHM_WORKERS_MAX]; /* the director rings: the phase has changed   */
	int director;                /* workers ring: a phase is done, or they end */
};

/* Forks worker `number` of the shared memory, which runs until PHASE_END and dies with its parent.
 * Returns its pid or a negative errno. */
pid_t worker_start(const struct experiment *x, struct shm *shm, uint32_t number,
                   const struct worker_bells *bells);

void worker_ring(int bell);
