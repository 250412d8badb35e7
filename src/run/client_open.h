/* client_open: a client worker opens connections: in the ramp in their order, in the hold those
 * that are to be opened again. Theory: client.c. */
#pragma once

#include "run/client.h"
#include "run/flights.h"

/* Whether there is one to open in this phase that may be begun now. */
bool client_has_to_open(const struct client *c, enum phase phase);

/* Begins those that are due, a batch at most. */
void client_open_due(struct client *c, enum phase phase);

/* When the next may be begun, as far as its pace goes. */
uint64_t client_open_next_ns(const struct client *c);

/* Takes off one that client_close has just closed to be opened again; client_connect follows. */
struct flight *client_take_off_again(struct client *c, uint32_t conn);

/* Connects the flight's connection. */
void client_connect(struct client *c, struct flight *f);

/* The answer of the engine: 0, or a negative errno. */
void client_on_connected(struct client *c, uint32_t conn, int code);

/* It failed: another try after a pause, or none. */
void client_connect_failed(struct client *c, struct flight *f, enum cause cause);

/* When connecting ends early, pauses between tries are not waited for. */
void client_give_up_backoffs(struct client *c);

bool client_ramp_is_over(struct client *c);

/* How many of the ramp's got through, and have not been lost since, although they come after the
 * half of those that failed or were lost: next to none where only the first ones find room, about
 * half of them where any may fail. */
uint64_t client_opened_late(const struct client *c);

/* Whether all that a stage has closed itself (churn, storm) are open again, or have failed. */
bool client_open_is_whole(struct client *c);

/* The stage has ended: those that are not are lost. */
void client_open_give_up(struct client *c);
