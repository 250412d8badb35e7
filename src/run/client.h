/* client: a client worker: ramps its range of indexes up, proves it, holds it, proves it again. */
#pragma once

#include "base/err.h"
#include "engine/engine.h"
#include "run/experiment.h"
#include "run/shm.h"

struct client;

/* Makes a client for the range in `me`, with tables mapped. NULL where there is no memory. */
struct client *client_make(const struct experiment *x, struct shm *shm, struct shm_worker *me);

/* Gives it its engine, before anything else is asked of it. */
void client_take_engine(struct client *client, struct engine *engine);

/* Where an engine notes which sources another host has, too; NULL where that is not seen. */
struct bits *client_taken(struct client *client);

/* What it is sending on a connection, TOKEN_BYTES (an engine_message; the context is the client).
 */
void client_message(void *client, uint32_t index, uint8_t *out);

/* Keeps the engine going, and notes what is lost, until the director announces something beyond
 * `phase`. 0, or the engine's negative errno. */
int client_wait_beyond(struct client *client, enum phase phase);

/* Runs one phase to its end (or, in the hold, until the director ends it). 0, or the engine's
 * negative errno. */
int client_run_phase(struct client *client, enum phase phase);
