/* director: leads one experiment through its phases; the parent of the workers, and in a lab the
 * first process of its pid namespace. */
#pragma once

#include "run/account.h"
#include "run/envoy.h"
#include "run/experiment.h"
#include "run/sampler.h"
#include "run/shm.h"

struct director_brief {
	const struct experiment *experiment;
	struct shm *shm;
	const struct sample *baseline; /* of memory, before anything was made   */
	const struct account_host *host;
	struct envoy *envoy; /* to the server on another host, or NULL */
	int lifeline;        /* from the supervisor: a byte is an interrupt, its end is ours */
};

/* Runs the experiment, fills shm->result and sets has_result. Returns the exit code of the process.
 * Where it cannot start, shm->error says why, and the code is EXIT_REFUSED. */
int director_run(const struct director_brief *brief);
