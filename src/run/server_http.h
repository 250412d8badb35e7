/* server_http: answers HTTP requests (behave/responder.h). */
#pragma once

#include "run/server.h"

bool server_http_make(struct server *s);
void server_http_opened(struct server *s, uint32_t index);
void server_http_heard(struct server *s, uint32_t index, const uint8_t *data, uint32_t len);
void server_http_sent(struct server *s, uint32_t index);
bool server_http_say(struct server *s, uint32_t index);
