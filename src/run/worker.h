/* worker: one process on one core, a server or a client, from fork to exit. */
#pragma once

#include "run/experiment.h"
#include "run/shm.h"

/* Eventfds by which phases are announced and their ends reported. */
struct worker_bells {
	int workers;  /* the director rings: something has changed for all. Nobody reads it */
	int director; /* workers ring: a phase is done, or they end                         */
};

/* Forks worker `number` of the shared memory, which runs until PHASE_END and dies with its parent.
 * A server takes its connections from `listeners` (x->listeners of them). Returns its pid or a
 * negative errno. */
pid_t worker_start(const struct experiment *x, struct shm *shm, uint32_t number,
                   const struct worker_bells *bells, const int *listeners);

void worker_ring(int bell);
