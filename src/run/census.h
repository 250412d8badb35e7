/* census: the kernel's own count of a run's sockets. */
#pragma once

#include "run/experiment.h"

#include <stdint.h>

enum census {
	CENSUS_ESTABLISHED, /* in state ESTABLISHED: of the servers where the run has any, else of
	                     * the clients, by their 4-tuples, or, where these are of our own TCP,
	                     * of the servers they are connected to */
	CENSUS_LEFT         /* in any state but LISTEN and TIME_WAIT, of all that the run has */
};

/* PROBE_UNKNOWN where sock_diag cannot be asked, or the servers are in another network namespace. A
 * million take about a second. */
uint64_t census_count(const struct experiment *x, enum census what);

/* Connections that wait to be accepted, in all listen queues of the run's servers that are in this
 * network namespace. PROBE_UNKNOWN where nobody listens here. */
uint64_t census_queued(const struct experiment *x);
