/* server_mode: THE table of what a server does in each mode. */
#pragma once

#include "base/stage.h"

#include <stdbool.h>
#include <stdint.h>

struct server;

/* What a server does with its connections: one row for each enum serve_mode. All but
 * `heard` may be NULL. */
struct server_mode {
	bool echoes; /* and so tokens that came count as proofs */
	bool (*make)(struct server *s);
	void (*opened)(struct server *s, uint32_t index);
	/* Data has come. It asks for the next itself, now or when it has answered. */
	void (*heard)(struct server *s, uint32_t index, const uint8_t *data, uint32_t len);
	/* All that was given to server_send has been sent. */
	void (*sent)(struct server *s, uint32_t index);
	/* It has something to say: false where the engine is full, and it is asked again. */
	bool (*say)(struct server *s, uint32_t index);
	void (*closed)(struct server *s, uint32_t index);
	/* Each turn; and until when poll may sleep for its sake. */
	void (*due)(struct server *s);
	uint64_t (*next_ns)(const struct server *s);
};

extern const struct server_mode server_modes[SERVE_MODE_COUNT];
