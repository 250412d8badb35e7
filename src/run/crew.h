/* crew: the workers of a run as their parent sees them: started, rung, reaped, killed. */
#pragma once

#include "base/err.h"
#include "run/experiment.h"
#include "run/shm.h"
#include "run/worker.h"

struct crew {
	const struct experiment *x;
	struct shm *shm;
	struct worker_bells bells;
	int *listeners; /* those that are being handed to servers */
};

/* Makes the bells. 0 or a negative errno. */
int crew_init(struct crew *crew, const struct experiment *x, struct shm *shm);

/* Forks the workers of a role; for servers, opens what they listen on first. 0, or a negative errno
 * with shm->error set. */
int crew_start(struct crew *crew, enum role role);

/* Wakes them all: phase, stop or accept_off has changed. */
void crew_ring(const struct crew *crew);

/* Notes who has died. */
void crew_reap(struct crew *crew);

/* Waits until all who have done their last phase are gone, at most so long: the CPU time of those
 * that are waited for is counted as the parent's children's, and `time megaconn` says it. */
void crew_await_ends(uint64_t most_ns);

/* Whether any of them has died; whether any has not. */
bool crew_has_dead(const struct crew *crew);
bool crew_lives(const struct crew *crew);

/* Whether all that live of a role have reported the end of a phase. */
bool crew_is_done(const struct crew *crew, enum role role, enum phase phase);

/* How many clients have reported the end of a phase, or died. */
uint32_t crew_count_done(const struct crew *crew, enum phase phase);

/* Whether all clients that live have ended a stage (from 1). */
bool crew_has_ended(const struct crew *crew, uint32_t stage);

/* Private memory of all that live of a role, who were asked for it (shm->measure, and a ring); one
 * that does not answer in a second is stuck: RESULT_UNKNOWN_BYTES for all. */
int64_t crew_user_bytes(const struct crew *crew, enum role role);

/* A number that changes whenever any worker gets on with anything. */
uint64_t crew_progress(const struct crew *crew);

/* A worker that is stopped, or hangs in the kernel, must not hold up the run for ever. */
void crew_kill_stuck(struct crew *crew, enum role role, enum phase phase);
