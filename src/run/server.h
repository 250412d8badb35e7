/* server: a server worker: accepts, does what its mode says, notes which indexes it has seen
 * proved. */
#pragma once

#include "base/err.h"
#include "engine/engine.h"
#include "run/experiment.h"
#include "run/shm.h"

struct server;

/* Makes a server with its tables. NULL where there is no memory. */
struct server *server_make(const struct experiment *x, struct shm *shm, struct shm_worker *me,
                           struct engine *engine);

/* Takes connections from these sockets (x->listeners of them) from now on; the engine owns them. 0,
 * or a negative errno with one line in `err`. */
int server_listen(struct server *server, const int *listeners, struct err *err);

/* Serves until the director says to close, and closes. 0, or the engine's negative errno. */
int server_serve(struct server *server);
