/* client_share: opens and closes connections until as many are open as a stage wants.
 *
 * Theory of operation
 *
 * A worker's share are always the first of its connections: the last ones are closed first, and
 * what is opened again has the 4-tuples that were closed last. Two marks go through the states, one
 * down to the share, one up to it; connections that have failed or were lost stay as they are.
 *
 * To open one is only to say so (CONN_AGAIN, as after a storm): client_open does it. At most a
 * batch is said ahead, so that what a churn has closed does not wait behind a ramp.
 *
 * They are closed by RST, where x->close says nothing else: by FIN they would rest in TIME_WAIT,
 * and a later stage that wants them again would be refused their ports. Nothing is said on them in
 * the stage that closes them (client_traffic). */
#include "run/client_share.h"

#include "run/client_churn.h"
#include "run/client_state.h"

#define MOVE_BATCH 64    /* a turn */
#define LOOK_BATCH 65536 /* states looked at in a turn */

uint32_t client_share(const struct client *c, uint64_t connections)
{
	uint64_t n = c->x->n, first = c->me->first, end = first + c->me->count;
	uint64_t all = connections == 0 || connections > n ? n : connections;

	if (n == 0)
		return 0;
	/* Indexes and their number are below 2^32. */
	return (uint32_t)(end * all / n - first * all / n);
}

void client_share_begin(struct client *c)
{
	uint64_t rate = pace_share(c->stage->rate_per_s, c->me->number, c->x->client_workers);

	c->share_low = c->share_high = c->wanted;
	if (c->stage->connections == 0)
		return;
	c->wanted = client_share(c, c->stage->connections);
	c->share_low = 0;
	c->share_high = c->me->count;
	pace_init(&c->share_pace, rate, MOVE_BATCH + rate / 50, c->stage_ns);
}

static enum engine_close way_to_close(const struct client *c)
{
	return c->x->close == ENGINE_CLOSE_SILENT ? ENGINE_CLOSE_RESET : c->x->close;
}

/* It is not open yet, or not again. */
static void call_off(struct client *c, struct flight *f)
{
	if (f->kind == FLIGHT_CONNECT)
		engine_close(c->engine, f->conn, ENGINE_CLOSE_RESET);
	c->states[f->conn] = CONN_IDLE;
	client_churn_gone(c, f->conn);
	flights_land(&c->flights, f);
}

/* Returns how many were closed: 0 or 1. */
static uint32_t shed(struct client *c, uint32_t conn)
{
	struct flight *f = flights_of(&c->flights, conn);

	if (client_is_open(c, conn)) {
		client_close(c, conn, way_to_close(c), AGAIN_NOT);
		c->states[conn] = CONN_IDLE;
		shm_count(c->me->unstaged);
		return 1;
	}
	if (c->states[conn] >= CONN_AGAIN) {
		c->again_count--;
		c->states[conn] = CONN_IDLE;
	} else if (f) {
		call_off(c, f);
	}
	return 0;
}

static uint32_t call(struct client *c, uint32_t conn)
{
	if (c->states[conn] != CONN_IDLE)
		return 0;
	c->states[conn] = CONN_AGAIN + AGAIN_STAGED;
	c->again_count++;
	return 1;
}

static bool may_close(const struct client *c)
{
	return c->share_high > c->wanted;
}

static bool may_open(const struct client *c)
{
	return c->share_low < c->wanted && !client_is_short(c);
}

bool client_share_is_done(struct client *c)
{
	if (c->stage->connections == 0)
		return true;
	return !may_close(c) && !may_open(c) && c->again_count == 0 && !flights_any(&c->flights);
}

void client_share_due(struct client *c)
{
	if (!may_close(c) && !may_open(c))
		return;
	uint64_t due = pace_due(&c->share_pace, c->now_ns);
	uint32_t moved = 0, looked = 0;

	due = due < MOVE_BATCH ? due : MOVE_BATCH;
	for (; moved < due && looked < LOOK_BATCH; looked++) {
		if (may_close(c))
			moved += shed(c, --c->share_high);
		else if (may_open(c) && c->again_count < MOVE_BATCH)
			moved += call(c, c->share_low++);
		else
			break;
	}
	pace_take(&c->share_pace, moved);
}

/* What waits to be opened brings events when it is. */
uint64_t client_share_next_ns(const struct client *c)
{
	if (may_close(c) || (may_open(c) && c->again_count < MOVE_BATCH))
		return pace_next_ns(&c->share_pace, c->now_ns);
	return UINT64_MAX;
}
