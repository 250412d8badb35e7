/* client_exchange: one message on one connection, from its first byte to what came of it: the
 * mechanics of a client's traffic. When one is said is client_traffic's to know. */
#pragma once

#include "run/client_traffic_state.h"

/* Begins the next message of a free connection, due at due_ns. False where the engine cannot take
 * it now: nothing has happened. */
bool client_exchange_begin(struct client *c, uint32_t conn, uint64_t due_ns, uint64_t now_ns);

/* Begins the same message after its pause. False likewise. */
bool client_exchange_begin_waited(struct client *c, uint32_t conn, uint64_t now_ns);

/* Goes on with a message of which something is left to send. False likewise. */
bool client_exchange_go_on(struct client *c, uint32_t conn);

/* Its answer comes in: what it is, is counted. */
void client_exchange_hear(struct client *c, uint32_t conn, const uint8_t *data, uint32_t len);
void client_exchange_on_sent(struct client *c, uint32_t conn, const struct engine_event *event);

/* Counts it as overdue where it is. */
void client_exchange_note_overdue(struct client *c, struct exchange *e);

/* It gets no answer any more: `otherwise` where nothing came of it. */
void client_exchange_give_up(struct client *c, uint32_t conn, enum answer otherwise);

/* Puts a connection that wants to go on into the queue, once. */
void client_exchange_queue(struct client *c, uint32_t conn);
