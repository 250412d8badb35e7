/* server_state: what the parts of a server worker (server_*.c) share. Theory: server.c. */
#pragma once

#include "base/bits.h"
#include "behave/token.h"
#include "engine/engine.h"
#include "run/experiment.h"
#include "run/server.h"
#include "run/server_mode.h"
#include "run/shm.h"

#define SERVER_EVENTS 512

/* What is to be sent, and the engine could not take: again after the next poll. */
struct server_due {
	uint32_t index, len;
	bool is_rest; /* of what was sent in part; else it waits until nothing is being sent */
};

struct server {
	const struct experiment *x;
	const struct server_mode *mode;
	struct shm *shm;
	struct shm_worker *me;
	struct engine *engine;
	uint32_t capacity; /* indexes of the engine are below it    */
	uint32_t most;     /* bytes of one send                     */
	struct bits open;
	struct bits sending; /* a send is under way, or due           */
	uint8_t *have;       /* of the token that is coming           */
	uint8_t (*part)[TOKEN_BYTES];
	uint32_t *guest; /* the announced run that it is of, 0: not known; NULL: there are none */
	uint64_t now_ns;
	enum phase phase;
	bool accept_off;
	struct engine_event events[SERVER_EVENTS];

	uint32_t due_count;
	struct server_due due[SERVER_EVENTS];
	uint8_t *due_data; /* `most` bytes each */

	struct bits waiting; /* has something to say, and the engine was full */
	uint32_t say_next;   /* of them the one that is asked next            */
	uint8_t *out;        /* `most` bytes, to write what is said           */

	/* each of its mode, NULL in the others */
	struct server_http *http;
	struct server_push *push;
	uint16_t *chargen; /* where in the pattern a connection is */
};

/* Sends 1 .. most bytes, copied, on a connection where nothing is being sent. False where the
 * engine is full. */
bool server_send(struct server *s, uint32_t index, const void *data, uint32_t len);

/* The same, put off where it cannot be now. */
void server_send_later(struct server *s, uint32_t index, const void *data, uint32_t len);

/* Lets the mode say what it has to say, now or as soon as it can. */
void server_say(struct server *s, uint32_t index);

/* Closes it: `code` 0 where that is in order, or the errno that ended it. */
void server_drop(struct server *s, uint32_t index, int code);
