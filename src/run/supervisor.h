/* supervisor: the process that the user started. It decides beforehand, forks the director, shows
 * what shared memory says, passes interrupts on, and has the result when the director has ended.
 *
 * A command's run (run/lab, run/serve, run/connect) goes: supervisor_init, decide the experiment,
 * supervisor_run or supervisor_refuse, supervisor_end. */
#pragma once

#include "base/err.h"
#include "base/result.h"
#include "kernel/limits.h"
#include "kernel/netns.h"
#include "run/account.h"
#include "run/envoy.h"
#include "run/experiment.h"
#include "run/sampler.h"
#include "run/serve_api.h"
#include "run/shm.h"
#include "run/show.h"

struct supervisor {
	const struct run_view *view;
	struct result *result;
	struct experiment *experiment; /* mapped: its port tables are large */
	struct sample *baseline;       /* of memory, before anything was made */
	struct account_host *host;     /* what else a bill needs to know       */
	struct limits limits;
	struct shm *shm;
	enum netns_kind kind;
	/* Runs in the director's process, and in its namespaces, before all else: what the network
	 * needs. 0, or a negative errno with `err`. NULL: nothing. */
	int (*prepare)(struct experiment *x, struct shm *shm, struct err *err);
	const struct envoy_options *envoy; /* the server to be asked, or NULL */
	const char *listening;             /* a server's line for when it listens, or NULL */
	struct serve_api api;              /* of a server that other hosts may ask */
	struct api_source api_source;
	int lifeline[2];
	int interrupts;
	uint64_t interrupted_ns; /* when the last of them came */
	struct show show;
};

/* Reads this machine's limits, waits until an earlier run's sockets are gone (at most `quiet_ns`:
 * elsewhere on the machine some may always be going), takes the baseline, and starts the result. 0
 * or a negative errno with `err`. */
int supervisor_init(struct supervisor *s, uint64_t quiet_ns, const struct run_view *view,
                    struct result *result, struct err *err);

/* Waits as init does, reads the limits and takes the baseline again: memory has been used since. */
void supervisor_take_baseline(struct supervisor *s, uint64_t quiet_ns);

/* Chooses the engine of the experiment's kernel sockets, of both ends, and says why where it is not
 * the best. 0, or a negative errno with `err`. */
int supervisor_choose_engine(struct supervisor *s, enum engine_kind wanted, struct err *err);

void supervisor_say(const struct supervisor *s, const char *line);

/* Tells the view which table of limits decided the run. */
void supervisor_tell_walls(const struct supervisor *s, const struct wall_report *walls);

/* Runs the experiment and fills the result. Blocks SIGINT, SIGTERM and SIGHUP while it lasts: the
 * first ends the run with a summary, the second at once. Returns the exit code of the program. */
int supervisor_run(struct supervisor *s);

/* Fills the result of a run that cannot be. Returns the exit code: EXIT_USAGE for -EINVAL,
 * EXIT_INTERRUPTED for -EINTR. */
int supervisor_refuse(struct supervisor *s, int failed, const struct err *err);

/* Gives back what init took. */
void supervisor_end(struct supervisor *s);
