/* client_proof: a client worker proves its connections: a token each, and back as it was sent.
 * Theory: client.c. */
#pragma once

#include "run/client.h"
#include "run/flights.h"

/* A round of proofs begins. */
void client_proof_begin(struct client *c, unsigned int round);

/* Begins the next proofs, a batch at most. */
void client_prove_due(struct client *c);

/* Whether there is more to begin, or to end, at once. */
bool client_proof_is_due(const struct client *c);

/* Sends what the engine could not take. */
void client_proof_send_due(struct client *c);

/* Events of a connection that is being proved. */
void client_proof_on_sent(struct client *c, uint32_t conn, const struct engine_event *event);
void client_proof_on_data(struct client *c, struct flight *f, const uint8_t *data, uint32_t len);
void client_proof_on_timeout(struct client *c, struct flight *f);

bool client_proof_is_over(struct client *c);
