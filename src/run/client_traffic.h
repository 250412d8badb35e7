/* client_traffic: what a client worker says on its open connections in a stage, and what it makes
 * of the answers: bytes by a behaviour (behave/behaviour.h), times by the stage's plan. Theory:
 * client_traffic.c. */
#pragma once

#include "run/client.h"

/* Maps the tables where a stage of the run has traffic. False where there is no memory. */
bool client_traffic_make(struct client *c);

/* A stage begins (c->stage), or has ended and what is under way comes to its end (c->is_draining):
 * nothing new is said then. What is unanswered at the end is counted by client_traffic_end. */
void client_traffic_begin(struct client *c);
void client_traffic_end(struct client *c);

/* Whether nothing is under way. */
bool client_traffic_is_idle(const struct client *c);

/* Says what is due, a batch at most; and until when poll may sleep for its sake (c->now_ns: there
 * is more to say now; UINT64_MAX: no matter). */
void client_traffic_say_due(struct client *c);
uint64_t client_traffic_next_ns(const struct client *c);

/* Sleeps a little where many answers are on their way, so that the next poll takes several of them
 * (base/gather.h); not where something else is to be done until `until_ns`. */
void client_traffic_pause(struct client *c, uint64_t until_ns);

/* A connection has been opened while a stage is on; is lost, and will be closed; is closed: what is
 * unanswered then was cut by us. */
void client_traffic_opened(struct client *c, uint32_t conn);
void client_traffic_lost(struct client *c, uint32_t conn);
void client_traffic_closed(struct client *c, uint32_t conn);

/* Whether an exchange is under way on it. A churn closes it when it is not. */
bool client_traffic_is_busy(const struct client *c, uint32_t conn);

/* An exchange has ended on it: the next is said, where one is to be. */
void client_traffic_go_on(struct client *c, uint32_t conn);

/* Events of an open connection that is not being proved. RECEIVED with data only. */
void client_traffic_on_sent(struct client *c, uint32_t conn, const struct engine_event *event);
void client_traffic_on_data(struct client *c, uint32_t conn, const uint8_t *data, uint32_t len);

/* What is being sent on it, again (engine_message): a piece, engine->send_most bytes at most. */
void client_traffic_message(const struct client *c, uint32_t conn, uint8_t *out);
