/* client_traffic_state: what the parts of a client's traffic (client_traffic*.c) share. Theory:
 * client_traffic.c. */
#pragma once

#include "base/clock.h"
#include "base/gather.h"
#include "base/wheel.h"
#include "behave/behaviour.h"
#include "behave/http.h"
#include "run/client_state.h"

#include <assert.h>

#define TRAFFIC_BATCH      256 /* begun between two polls */
#define TRAFFIC_SEND_MOST  16384
#define TRAFFIC_GRAIN_NS   (250 * NS_PER_MS / 1000) /* plans wake the worker no more often */
#define TRAFFIC_SWEEPS     8ULL                     /* looks at each exchange in a time-out */
#define TRAFFIC_SWEEP_PART 64                       /* of which each turn takes a part */

enum {
	EXCHANGE_BUSY = 1,      /* a message has been said, and has not come to its end */
	EXCHANGE_SENDING = 2,   /* a piece of it is with the engine                     */
	EXCHANGE_SAID = 4,      /* all of it has been sent                              */
	EXCHANGE_MUTE = 8,      /* no answer is expected                                */
	EXCHANGE_ANSWERED = 16, /* what became of it is counted                         */
	EXCHANGE_PART = 32,     /* a part of its answer is in hearings[]                */
	EXCHANGE_OVERDUE = 64,  /* counted as such                                      */
	EXCHANGE_QUEUED = 128,  /* in the queue of those that want to go on             */
	EXCHANGE_WAITING = 256, /* pauses before it says its message (scripts)          */
	EXCHANGE_RESTS = 512,   /* its conversation has ended                           */
	EXCHANGE_LAST = 1024    /* its answer says that the server closes after it      */
};

/* A connection's. All zero: it rests, and its first message is the next. */
struct exchange {
	uint64_t due_ns;  /* of the message that is under way */
	uint64_t said_ns; /* when its first byte was          */
	uint32_t number;  /* of it, or of the next            */
	uint32_t behind;  /* open loop: due already, and not said yet */
	uint32_t sent;    /* bytes that the engine has sent   */
	uint16_t flags;
	uint16_t spare;
};
static_assert(sizeof(struct exchange) == 32, "two to a cache line");

struct traffic {
	struct behaviour behaviour;
	struct http_memory memory;
	struct exchange *all;
	struct hearing *hearings; /* touched only by those whose answer comes in parts */
	bool is_on;               /* the stage has traffic */
	bool is_open_loop;
	uint32_t active;        /* exchanges under way     */
	enum traffic_kind kind; /* of the last stage that had any */

	/* The next of the plan: in an open loop message `at` of round `round`, due at due_ns; in a
	 * closed one the connection that begins next. */
	uint32_t count; /* connections that are to be open: the first so many */
	uint32_t at;
	uint64_t round;
	double interval_ns, phase; /* from one message to the next; where this worker begins */
	uint64_t due_ns, end_ns;   /* of the next message; the stage's, from when none is due */
	uint64_t planned_ns;       /* when the plan was followed last */
	uint32_t room;             /* closed loop: exchanges under way at most       */
	uint32_t passed;           /* connections since the last one that could begin */
	bool is_all_begun;         /* there is none that could begin                  */

	/* Those that want to go on, in their order: a ring of `me->count`. */
	uint32_t *queue;
	uint32_t queue_from, queue_count;
	bool is_blocked; /* the engine takes no more before the next poll */

	uint32_t came; /* answers, since the last pause was thought of */
	struct gather gather;

	uint32_t sweep_at;
	uint64_t sweep_ns;

	struct wheel_entry *waits; /* NULL where no script waits */
	struct wheel wheel;

	uint8_t piece[TRAFFIC_SEND_MOST];
};

static inline bool exchange_is_busy(const struct exchange *e)
{
	return (e->flags & EXCHANGE_BUSY) != 0;
}

/* Whether a message may be begun on a connection now. */
static inline bool exchange_is_free(const struct client *c, uint32_t conn)
{
	const uint16_t not_free = EXCHANGE_BUSY | EXCHANGE_WAITING | EXCHANGE_RESTS;

	return c->states[conn] == CONN_OPEN && !(c->traffic->all[conn].flags & not_free);
}

/* When message `at` of round `round` is due. */
static inline uint64_t traffic_due_ns(const struct client *c, uint64_t round, uint32_t at)
{
	const struct traffic *t = c->traffic;
	double before = (double)round * t->count + at + t->phase;

	return c->stage_ns + (uint64_t)(before * t->interval_ns);
}
