/* listen: the listening sockets of an experiment, made before the servers that take from them. */
#pragma once

#include "base/err.h"
#include "run/experiment.h"

/* Opens one for each port of x->listens, in their order, into fds (room for x->listeners). `cpu`:
 * prefer connections that arrive there; -1: no matter. 0, or a negative errno with one line in
 * `err` and nothing left open. */
int listen_open(const struct experiment *x, int cpu, int *fds, struct err *err);

void listen_close(const struct experiment *x, int *fds);

/* Servers share their ports with each other (SO_REUSEPORT), and so they would with another run of
 * the same user. Listening alone first finds that one, or whoever else is there; it waits, for at
 * most 3 s, for ports of a server that was killed. */
int listen_check(const struct experiment *x, struct err *err);
