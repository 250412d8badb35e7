/* census: the kernel's own count of a run's sockets. */
#pragma once

#include "kernel/diag.h"
#include "plan/pool.h"
#include "run/experiment.h"

#include <stdbool.h>
#include <stdint.h>

enum census {
	CENSUS_ESTABLISHED, /* in state ESTABLISHED: of the servers where the run has any, else of
	                     * the clients, by their 4-tuples, or, where these are of our own TCP,
	                     * of the servers they are connected to */
	CENSUS_LEFT         /* in any state but LISTEN and TIME_WAIT, of all that the run has */
};

/* Whether a socket of the kernel's list, of the family of x->listens[number], belongs there, by its
 * own address and port; of several that it could be of, to the first. */
bool census_is_of_listen(const struct experiment *x, uint32_t number,
                         const struct diag_socket *socket);

/* PROBE_UNKNOWN where sock_diag cannot be asked, or the servers are in another network namespace. A
 * million take about a second. */
uint64_t census_count(const struct experiment *x, enum census what);

/* Of a server's own ports: ESTABLISHED sockets, and how many of them have their peer in the pool
 * (NULL: none). PROBE_UNKNOWN where sock_diag cannot be asked. */
struct census_peers {
	uint64_t all, of_pool;
};
void census_peers(const struct experiment *x, const struct pool *pool, struct census_peers *out);

/* How many sockets of the run the kernel still has; 0 where that is not known. TIME_WAIT is none. A
 * namespace of our own is counted at once, the host's network socket by socket. */
uint64_t census_left(const struct experiment *x);

/* Connections that wait to be accepted, in all listen queues of the run's servers that are in this
 * network namespace. PROBE_UNKNOWN where nobody listens here. */
uint64_t census_queued(const struct experiment *x);
