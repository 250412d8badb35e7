/* client_push: a client worker that listens to what servers push (behave/push.h): how long after a
 * round was due its messages come, and which are missing. Theory: client_push.c. */
#pragma once

#include "run/client.h"

/* Maps the tables where a stage of the run is a push. False where there is no memory. */
bool client_push_make(struct client *c);

/* As with traffic (run/client_traffic.h); they do nothing where the stage is no push. */
void client_push_begin(struct client *c);
void client_push_end(struct client *c);
bool client_push_is_idle(const struct client *c);
void client_push_due(struct client *c);
uint64_t client_push_next_ns(const struct client *c);
void client_push_opened(struct client *c, uint32_t conn);
void client_push_lost(struct client *c, uint32_t conn);
void client_push_closed(struct client *c, uint32_t conn);

/* Whether data of an open connection that is not being proved goes here: in a push, and between the
 * stages of a run that has one. */
bool client_push_hears(const struct client *c);
void client_push_on_data(struct client *c, uint32_t conn, const uint8_t *data, uint32_t len);

/* In a stage of echoes, or without a word: takes out of the front what a push before it has left.
 * False where that was wrong, and the connection is lost. */
bool client_push_take_late(struct client *c, uint32_t conn, const uint8_t **data, uint32_t *len);

/* Of one that is being proved: takes the messages out of what has come, before the echo of its
 * token or behind it, and gives that to client_proof_on_data. */
void client_push_on_proof_data(struct client *c, uint32_t conn, const uint8_t *data, uint32_t len);
