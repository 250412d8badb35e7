/* gauge: how many connections an experiment may have on this machine: puts together what the table
 * of limits (plan/walls) asks. lab, serve, connect and doctor all come here. */
#pragma once

#include "base/wall.h"
#include "kernel/limits.h"
#include "run/cost.h"
#include "run/experiment.h"
#include "run/supervisor.h"
#include "run/topology.h"

#include <stdbool.h>
#include <stdint.h>

struct gauge {
	struct experiment *x; /* kind, engine, clients, n, nofile, listeners and tuples are set */
	const struct limits *limits;
	const struct cost *cost;
	const struct topology *topology; /* NULL: clients come from elsewhere, or of a lab's own */
	enum wall_role role;
	bool is_private;  /* in namespaces of its own                                            */
	bool is_assumed;  /* what a connection costs is not measured, however near the wall is   */
	uint32_t ends;    /* sockets of a connection on this host                                */
	uint64_t workers; /* that are wanted; 0: as many as it takes                             */
	struct walls_feature uring, namespaces, utcp; /* for rows that only doctor shows */
};

/* The most open files that a worker can have: RLIMIT_NOFILE, and fs.nr_open where it is less. */
uint64_t gauge_nofile(const struct limits *limits);

/* Judges x->n. Leaves x->n as it was; the workers are to be chosen again. */
void gauge_judge(const struct gauge *gauge, struct wall_report *out);

/* The same for a run that is about to start: x, limits and cost are set here. Where memory is or
 * comes near to the wall, what a connection costs is measured first, and the run's baseline taken
 * again; what is within the error of that then fits. 0; -EINTR with one line where the user
 * interrupted that. */
int gauge_run(struct gauge *gauge, struct supervisor *s, struct wall_report *out, struct err *err);
