/* client_churn: a client worker closes connections and opens others in their place, at a rate or
 * as fast as it goes, while as many as before stay open. Theory: client_churn.c. */
#pragma once

#include "run/client.h"

/* Maps what it takes where a stage of the run has a churn. False where there is no memory. */
bool client_churn_make(struct client *c);

void client_churn_begin(struct client *c);

/* Closes those that are due; and until when poll may sleep for its sake. */
void client_churn_due(struct client *c);
uint64_t client_churn_next_ns(const struct client *c);

/* Where as fast as it goes: its exchange has ended (or there is none), and so does it. */
void client_churn_answered(struct client *c, uint32_t conn);

/* The number in the tuple plan that a connection is opened with next: its own, or another one
 * while that rests in TIME_WAIT. False where all rest: it is tried again later. */
bool client_churn_tuple(struct client *c, uint32_t conn, uint64_t *number);
