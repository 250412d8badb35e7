/* client_state: what the parts of a client worker (client_*.c) share. Theory: client.c. */
#pragma once

#include "base/bits.h"
#include "base/pace.h"
#include "base/stage.h"
#include "run/client.h"
#include "run/flights.h"

#define CLIENT_EVENTS        512
#define CLIENT_CONNECT_BATCH 16 /* more is not faster, and each waits for its batch */

enum conn_state {
	CONN_IDLE,
	CONN_CONNECTING,
	CONN_OPEN,
	CONN_PROVING,
	CONN_FAILED,
	CONN_LOST,
	CONN_AGAIN /* + enum again: to be opened again */
};

/* Why a connection is opened again. */
enum again {
	AGAIN_NOT, /* it is the first time       */
	AGAIN_LOST,
	AGAIN_CHURNED,
	AGAIN_CUT,   /* by a storm                 */
	AGAIN_STAGED /* a stage wants more of them */
};

struct traffic;
struct client_push;
struct churn;

/* NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding): by what they are for */
struct client {
	const struct experiment *x;
	struct shm *shm;
	struct shm_worker *me;
	struct engine *engine;
	uint8_t *states;
	uint8_t *asked;  /* a bit each: a receive is asked for */
	uint32_t next;   /* the connection to start with next in this phase */
	uint32_t wanted; /* so many of them are to be open, the first (client_share) */
	unsigned int round;
	uint32_t again_count, again_next; /* to be opened again; where to look for the next */
	bool has_due;                     /* a flight may be due */
	uint32_t unanswered;              /* proofs in a row that timed out */
	uint32_t unheard;                 /* that were lost although they were said again */
	bool is_sampling, has_sampled;    /* client_proof: whether any is answered at all     */
	bool was_echoed;                  /* one has been, since the sample began            */
	uint32_t sampled;
	struct bits taken;  /* sources that another host of the LAN has, too; of none elsewhere */
	uint32_t asked_why; /* how often, and what it was at last (client_why) */
	enum cause last_why;
	uint32_t unconnected; /* connects in a row that failed for good */
	bool gave_up;         /* too many of them */
	struct pace pace;
	uint64_t now_ns;
	struct flights flights;

	/* of the hold */
	bool is_holding;
	const struct stage *stage; /* NULL where it is none */
	uint32_t stage_number;     /* of the one that was begun last; 0: none yet */
	uint64_t stage_ns;         /* when it began, by the director              */
	bool is_draining;          /* it is over, and what is under way comes to its end */
	bool is_cut;               /* this stage's storm has been */
	bool is_hurried;           /* the run is interrupted: it ends sooner             */
	uint64_t drain_end_ns;     /* or until then                                      */
	uint32_t share_low,
		share_high; /* client_share: the next to open, above the next to close */
	struct pace share_pace;
	struct traffic *traffic; /* NULL where no stage has any, and so on */
	struct client_push *push;
	struct churn *churn;

	struct engine_event events[CLIENT_EVENTS];
};

/* The ramp was ended early: the director said so, or nobody answered. No more are opened then. */
static inline bool client_is_short(const struct client *c)
{
	return shm_get(c->shm->stop) != STOP_NONE || c->gave_up;
}

/* Nothing new is begun. In the hold, those that there are live on as they would. */
static inline bool client_is_stopped(const struct client *c)
{
	return c->is_holding ? shm_get(c->shm->stop) == STOP_INTERRUPTED : client_is_short(c);
}

/* A connection's index: in the whole run, where several hosts make it. */
static inline uint32_t client_index(const struct client *c, uint32_t conn)
{
	return c->x->index_first + c->me->first + conn;
}

static inline bool client_is_open(const struct client *c, uint32_t conn)
{
	return c->states[conn] == CONN_OPEN || c->states[conn] == CONN_PROVING;
}

static inline void client_set_timer(struct client *c, const struct flight *f, uint64_t after_ns)
{
	flights_arm(&c->flights, f, c->now_ns + after_ns);
}

/* Asks for one RECEIVED event, where none is asked for yet. */
static inline void client_ask(struct client *c, uint32_t conn, enum engine_wait wait)
{
	uint8_t bit = (uint8_t)(1U << conn % 8);

	if (c->asked[conn / 8] & bit)
		return;
	c->asked[conn / 8] |= bit;
	engine_receive(c->engine, conn, wait);
}

/* Nothing is asked for any more: it has come, or the connection is another. */
static inline void client_unask(struct client *c, uint32_t conn)
{
	c->asked[conn / 8] &= (uint8_t) ~(1U << conn % 8);
}

/* Closes an open connection, which is opened again soon for that reason (AGAIN_NOT: it is not). */
void client_close(struct client *c, uint32_t conn, enum engine_close how, enum again again);

/* The same to one that has failed: it counts as lost under its cause, and is opened again where
 * the run does that. */
void client_lose(struct client *c, uint32_t conn, enum cause cause);
