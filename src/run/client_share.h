/* client_share: how many of a client worker's connections are to be open: its share of what the
 * ramp, or a stage, has. What changes is opened or closed at the stage's rate. Theory:
 * client_share.c. */
#pragma once

#include "run/client.h"

/* Of `connections` of the whole run (0: all of them) this worker's. The shares of all workers add
 * up to exactly that. */
uint32_t client_share(const struct client *c, uint64_t connections);

/* A stage begins that may want more or fewer. */
void client_share_begin(struct client *c);

/* Whether as many are open as the stage wants. */
bool client_share_is_done(struct client *c);

/* Opens and closes what is due; and until when poll may sleep for its sake. */
void client_share_due(struct client *c);
uint64_t client_share_next_ns(const struct client *c);
