/* peers: who a server's connections come from. */
#pragma once

#include "base/path.h"
#include "run/experiment.h"

/* Fills the peer_ fields of `end` from the kernel's list of this network namespace's sockets
 * (sock_diag), as it is now. They are unknown where it cannot be had or no connection is there; of
 * more pairs of a peer's address and a port of ours than there is room for, only the ports are
 * known. A million sockets take about a second. */
void peers_look(const struct experiment *x, struct path_end *end);
