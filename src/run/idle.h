/* idle: connect --probe-idle: finds after which rest a connection is dead. One process, no workers;
 * the ladder is plan/idle, the connections run/idle_rest. */
#pragma once

#include "run/connect.h"

#define IDLE_CONNECTIONS      300 /* where none are said */
#define IDLE_CONNECTIONS_MOST 6000
#define IDLE_MOST_NS          (UINT64_C(28800) * 1000000000) /* 8 h */

/* Of the options count: target, source, n (0: the usual), family, ports, timeout, retries, proof,
 * allow_public, and probe_idle_ns (> 0), the longest rest. Fills the result and returns the exit
 * code: 0 where the bound is found or there is none, 1 where nothing could be connected or the
 * server is gone, 130 where it was interrupted. */
int idle_run(const struct connect_options *options, const struct run_view *view,
             struct result *result);
