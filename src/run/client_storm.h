/* client_storm: a client worker cuts a part of its connections at once, and opens them again as
 * fast as it can. */
#pragma once

#include "run/client.h"

void client_storm_begin(struct client *c);

/* Cuts them when it is time; and until when poll may sleep for its sake. */
void client_storm_due(struct client *c);
uint64_t client_storm_next_ns(const struct client *c);
