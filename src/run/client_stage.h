/* client_stage: a client worker in the hold: the stages that the director announces, and what each
 * of them asks for: traffic, churn, storm, more connections or fewer. */
#pragma once

#include "run/client.h"

/* Maps what the stages of the run take. False where there is no memory. */
bool client_stage_make(struct client *c);

/* Follows the director: begins a stage, ends it, reports that it has. */
void client_stage_heed(struct client *c);

/* The director waits no longer: a worker that comes late ends it as it is. */
void client_stage_leave(struct client *c);

/* Does what is due in it; and until when poll may sleep. */
void client_stage_due(struct client *c);
uint64_t client_stage_next_ns(const struct client *c);
