/* server_chargen: sends RFC 864's pattern without end, to all in turn. */
#pragma once

#include "run/server.h"

bool server_chargen_make(struct server *s);
void server_chargen_opened(struct server *s, uint32_t index);
bool server_chargen_say(struct server *s, uint32_t index);
