/* ends: what each end of a run counts of the path between them, in shared memory as it grows
 * (shm->ends), and in the result what is made of it. Theory: base/path.h.
 *
 * Where the experiment does not ask for it nothing is counted. The director's, but for ends_judge.
 */
#pragma once

#include "run/experiment.h"
#include "run/shm.h"

/* Begins to count, for each role that the run has in the calling process's network; before the
 * first connection; it ends with the process. Where packets cannot be counted (no CAP_NET_RAW) that
 * stays unknown. */
void ends_open(const struct experiment *x, struct shm *shm);

/* Brings shm->ends up to date where others may ask for it at any time: those of a server alone.
 * Costs some system calls. */
void ends_tick(const struct experiment *x, struct shm *shm);

/* All are connected that will be: what costs something for every packet is counted no more, but
 * where servers go on to accept; and the result gets what was counted until now, and who a lab's
 * connections come from. */
void ends_ramped(const struct experiment *x, struct shm *shm);

/* A server on another host has answered, or not: its end is what it says. */
void ends_heard(const struct experiment *x, struct shm *shm);

/* Diagnoses result->path, once its ends are filled, and has result->reason say what was found where
 * the run has failed by it. Once for a result. */
void ends_judge(const struct experiment *x, struct result *result);
