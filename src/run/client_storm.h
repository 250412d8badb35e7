/* client_storm: a client worker cuts a part of its connections at once, and opens them again as
 * fast as it can: as in a ramp without a pace, x->in_flight at a time, with its tries and pauses.
 *
 * All are cut before the first is opened again; each is closed by RST, so that its 4-tuple is free
 * at once. Times count from when the cut was due. */
#pragma once

#include "run/client.h"

void client_storm_begin(struct client *c);

/* Cuts them when it is time; and until when poll may sleep for its sake. */
void client_storm_due(struct client *c);
uint64_t client_storm_next_ns(const struct client *c);

/* Whether they were cut in this stage: what is to be opened now keeps to no pace. */
bool client_storm_has_cut(const struct client *c);
