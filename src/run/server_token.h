/* server_token: what a server makes of tokens in what it receives: where it echoes, proofs; else
 * only the question whether it does. */
#pragma once

#include "run/server.h"

#include <stddef.h>

/* Of a connection that has come, and of one that ends. */
void server_token_opened(struct server *s, uint32_t index);
void server_token_closed(struct server *s, uint32_t index);

/* Looks for them in the stream of a connection. */
void server_token_note(struct server *s, uint32_t index, const uint8_t *data, size_t len);

/* Whether it is a connection that only asked if we echo, and so none of those that count. */
bool server_token_is_hello(const struct server *s, uint32_t index);
