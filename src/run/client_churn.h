/* client_churn: a client worker closes connections and opens others in their place, at a rate or
 * as fast as it goes, while as many as before stay open. Theory: client_churn.c. */
#pragma once

#include "run/client.h"
#include "run/flights.h"

/* Maps what it takes where a stage of the run has a churn. False where there is no memory. */
bool client_churn_make(struct client *c);

void client_churn_begin(struct client *c);

/* Opens again what was closed, and, unless the stage drains, closes those that are due; and until
 * when poll may sleep for its sake. Called once before each poll. */
void client_churn_due(struct client *c);
uint64_t client_churn_next_ns(const struct client *c);

/* Its exchange has ended, good or not: where a churn has waited for that, or goes as fast as it
 * can, it is closed here. So the caller looks whether it is still open before it says more. */
void client_churn_answered(struct client *c, uint32_t conn);

/* It has been opened again by a churn; is no longer there, but for a churn's own sake. */
void client_churn_opened(struct client *c, uint32_t conn);
void client_churn_gone(struct client *c, uint32_t conn);

/* The number in the tuple plan that a connection is opened with next: its own, or another one
 * while that rests in TIME_WAIT. */
uint64_t client_churn_tuple(const struct client *c, uint32_t conn);

/* Its tuple is not to be had after all (somebody's, or still in TIME_WAIT): another one, where
 * there is one to spare. */
void client_churn_replace_tuple(struct client *c, uint32_t conn);
