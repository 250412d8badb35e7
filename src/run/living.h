/* living: what connections do while they are held, from options to stages of an experiment. What
 * contradicts itself is refused before anything is opened, in the words of the options. */
#pragma once

#include "base/err.h"
#include "base/opt.h"
#include "run/experiment.h"

#include <stdbool.h>
#include <stdint.h>

#define LIVING_SIZE_USUAL 64       /* bytes of a message */
#define LIVING_PUSH_NS    NS_PER_S /* between rounds, where nobody says */

/* The options of one stage, by the kinds of their rows (cmd/living.h). 0 where not given. */
struct living_stage {
	char name[STAGE_NAME_BYTES]; /* of a scenario's; empty: it is the hold     */
	uint64_t for_ns;             /* of a scenario's; the hold's is given apart */
	uint64_t connections, rate_per_s;
	uint64_t message_rate_per_s, every_ns, in_flight;
	struct opt_sizes size;
	uint64_t churn_per_s; /* UINT64_MAX: as fast as it goes */
	int traffic;          /* enum traffic_kind */
	int churn_by;         /* 0 fin, 1 rst */
	struct opt_percent storm;
	uint64_t storm_at_ns;
};

/* All zero: connections are only held. */
struct living_options {
	struct living_stage hold;          /* where there is no scenario */
	const struct living_stage *stages; /* of a scenario; the caller's */
	uint32_t stage_count;              /* at most STAGES_MAX; 0: there is none */
	uint64_t ramp_to;                  /* of a scenario: the ramp opens so many; 0: all */
	const char *path;                  /* of http; NULL: / */
	const char *script;                /* a file */
	uint64_t p99_most_ns;              /* 0: any */
	struct opt_percent failed_most;
	bool find_max;
};

/* Whether nothing of it is given: connections are only held. */
bool living_is_still(const struct living_stage *stage);

/* Sets stages, mode, push, request, script, message_bytes and thresholds of x, whose kind, n and
 * proof are set. Without an echo to be had, x->proof is taken away. `target` is HOST:PORT[-PORT],
 * as requests call a server. -EINVAL, with one line in `err`, where options contradict each other,
 * and what reading the script says. */
int living_set(const struct living_options *options, uint64_t hold_ns, const char *target,
               struct experiment *x, struct err *err);

/* The same errors of one stage alone. */
int living_check_stage(const struct living_stage *stage, uint64_t for_ns, struct err *err);

/* Only looks: the same errors, for a command to give before anything else is done. `n` is how many
 * connections are asked for (UINT64_MAX: as many as fit). */
int living_check(const struct living_options *options, enum run_kind kind, uint64_t n,
                 uint64_t hold_ns, struct err *err);
