/* prepare: from options and this machine's limits to an experiment that fits, or a refusal. */
#pragma once

#include "base/err.h"
#include "kernel/limits.h"
#include "kernel/netns.h"
#include "kernel/probe.h"
#include "run/experiment.h"
#include "run/lab.h"
#include "run/shm.h"

/* Decides everything that is decided before a run. 0; -E2BIG where n does not fit, with the wall in
 * `err`; -EINVAL where options contradict this machine. */
int prepare_experiment(const struct lab_options *options, enum netns_kind kind,
                       const struct limits *limits, const struct probe_meminfo *memory,
                       struct experiment *x, struct err *err);

/* Describes the workers in shared memory: who they are, their CPU, their part of the indexes. */
void prepare_workers(const struct experiment *x, struct shm *shm);

/* Inside the namespaces: kernel settings and addresses for the run. 0 or a negative errno with
 * `err`. */
int prepare_network(const struct experiment *x, struct err *err);
