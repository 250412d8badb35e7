/* server_push: echoes, and sends a message to every open connection in rounds (behave/push.h).
 * Theory: server_push.c. */
#pragma once

#include "run/server.h"

bool server_push_make(struct server *s);
void server_push_sent(struct server *s, uint32_t index);
bool server_push_say(struct server *s, uint32_t index);
void server_push_closed(struct server *s, uint32_t index);
void server_push_due(struct server *s);
uint64_t server_push_next_ns(const struct server *s);
