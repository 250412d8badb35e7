/* client_traffic: when messages are said.
 *
 * Theory of operation
 *
 * A connection has a record of 32 bytes, all zero while it rests, and no timer: time-outs are found
 * by a sweep over the records, a small part at a time, all of them eight times in a time-out. (A
 * timer wheel would touch the records of two others, far away, with each message.)
 *
 * Open loop. Message m of this worker is due at m times the interval after the stage began, on its
 * connection m mod count; workers begin a part of the interval after each other, so that all of
 * them together are even. The times are products, not sums, and nothing drifts. A cursor passes
 * over the connections as their messages become due. One that is free says its message; how late
 * that was is slip. One that is busy is behind by one more: when it is answered it says the next at
 * once, and as the cursor has passed it `passed` times, that is the one of round passed - behind,
 * from whose due time the corrected latency runs. A connection that is closed when the cursor
 * passes has no message due: it is not said later, and counts nowhere.
 *
 * Closed loop. Either each connection says the next message as soon as it is answered, and the
 * cursor only begins with each, a batch between two polls; or so many exchanges are under way at a
 * time, each on the next connection that is free.
 *
 * With a churn as fast as it goes: one exchange when a connection has been opened, which the churn
 * then closes; the others rest.
 *
 * What the engine cannot take now goes into a queue, and the queue on at the next turn, as long as
 * the engine takes something.
 *
 * What is unanswered when a stage has ended, and a time-out has passed since, will not come, and
 * should it come after all it would be taken for something else: the connection is lost. */
#include "run/client_traffic.h"

#include "base/clock.h"
#include "base/map.h"
#include "run/client_exchange.h"
#include "run/client_traffic_state.h"
#include "run/client_why.h"

#include <string.h>

/* Of a push the server speaks alone: that is client_push's. */
static bool speaks(const struct stage *stage)
{
	return stage->traffic != TRAFFIC_HOLD && stage->traffic != TRAFFIC_PUSH;
}

static bool has_traffic(const struct experiment *x)
{
	for (uint32_t i = 0; i < x->stage_count; i++)
		if (speaks(&x->stages[i]))
			return true;
	return false;
}

bool client_traffic_make(struct client *c)
{
	const size_t n = c->me->count;
	struct traffic *t;

	if (!has_traffic(c->x))
		return true;
	t = c->traffic = map_private(sizeof(*t));
	if (!t)
		return false;
	t->all = map_private(n * sizeof(*t->all));
	t->hearings = map_private(n * sizeof(*t->hearings));
	t->queue = map_private(n * sizeof(*t->queue));
	if (!t->all || !t->hearings || !t->queue)
		return false;
	if (!script_waits(&c->x->script))
		return true;
	t->waits = map_private(n * sizeof(*t->waits));
	if (!t->waits)
		return false;
	wheel_init(&t->wheel, t->waits, sizeof(*t->waits), c->me->count, NS_PER_MS, clock_now_ns());
	return true;
}

static bool is_on(const struct client *c)
{
	return c->traffic && c->stage && c->traffic->is_on;
}

/* --- a stage begins ----------------------------------------------------------------------- */

/* Of a rate over all connections each worker has the same part of it as of those that are to be
 * open. */
static void plan_open_loop(struct client *c)
{
	struct traffic *t = c->traffic;
	const struct stage *s = c->stage;
	uint64_t all = experiment_wanted(c->x, c->stage_number);
	double own_per_s = s->every_ns > 0
	                           ? stage_message_rate(s, t->count)
	                           : stage_message_rate(s, all) * (double)t->count / (double)all;

	t->end_ns = s->duration_ns < UINT64_MAX - c->stage_ns ? c->stage_ns + s->duration_ns
	                                                      : UINT64_MAX;
	if (t->count == 0) { /* none are to stay open */
		t->end_ns = 0;
		return;
	}
	t->interval_ns = (double)NS_PER_S / own_per_s;
	t->phase = (double)c->me->number / (double)c->x->client_workers;
	t->due_ns = traffic_due_ns(c, 0, 0);
}

/* This worker's share of the exchanges under way: all shares together are exactly all. */
static uint32_t share_of(const struct client *c, uint64_t in_flight)
{
	uint64_t first = c->me->first, n = c->x->n;

	if (in_flight == 0 || in_flight >= n)
		return UINT32_MAX;
	return (uint32_t)(in_flight * (first + c->me->count) / n - in_flight * first / n);
}

/* The churn bounds how many at a time. */
static bool is_circulating(const struct client *c)
{
	return c->stage->churn_per_s == STAGE_AS_FAST;
}

void client_traffic_begin(struct client *c)
{
	struct traffic *t = c->traffic;

	if (!t)
		return;
	t->is_on = speaks(c->stage);
	if (!t->is_on)
		return;
	if (t->kind != TRAFFIC_HOLD && t->kind != c->stage->traffic)
		memset(t->all, 0, c->me->count * sizeof(*t->all));
	t->kind = c->stage->traffic;
	t->behaviour = (struct behaviour){
		.stage = c->stage,
		.request = &c->x->request,
		.script = &c->x->script,
		.key = c->shm->key,
		.memory = &t->memory,
	};
	t->is_open_loop = stage_is_open_loop(c->stage);
	t->at = t->passed = 0;
	t->count = c->wanted;
	t->round = 0;
	t->is_all_begun = is_circulating(c);
	t->sweep_ns = c->now_ns;
	t->room = is_circulating(c) ? UINT32_MAX : share_of(c, c->stage->in_flight);
	if (t->is_open_loop)
		plan_open_loop(c);
}

/* --- the next message --------------------------------------------------------------------- */

/* The oldest message that a connection is behind with. */
static uint64_t oldest_due_ns(const struct client *c, uint32_t conn)
{
	const struct traffic *t = c->traffic;
	uint64_t passed = t->round + (conn < t->at);

	return traffic_due_ns(c, passed - t->all[conn].behind, conn);
}

/* Says the next message of a free connection where one is to be said. False where the engine
 * cannot take it. */
static bool say_next(struct client *c, uint32_t conn)
{
	struct traffic *t = c->traffic;
	struct exchange *e = &t->all[conn];

	if (!t->is_open_loop)
		return client_exchange_begin(c, conn, c->now_ns, c->now_ns);
	if (e->behind == 0)
		return true;
	if (!client_exchange_begin(c, conn, oldest_due_ns(c, conn), c->now_ns))
		return false;
	e->behind--;
	return true;
}

void client_traffic_go_on(struct client *c, uint32_t conn)
{
	struct traffic *t = c->traffic;

	t->is_all_begun &= t->room == UINT32_MAX;
	if (c->is_draining || !exchange_is_free(c, conn) || is_circulating(c) ||
	    (!t->is_open_loop && t->room != UINT32_MAX))
		return;
	if (t->is_blocked || !say_next(c, conn))
		client_exchange_queue(c, conn);
}

/* --- the queue ---------------------------------------------------------------------------- */

/* Whether as many exchanges are under way as may be. */
static bool is_full(const struct traffic *t)
{
	return t->active >= t->room;
}

/* Begins a message whose pause is over. */
static bool serve_waited(struct client *c, uint32_t conn)
{
	struct traffic *t = c->traffic;

	if (wheel_is_armed(&t->wheel, conn))
		return true;
	return !is_full(t) && client_exchange_begin_waited(c, conn, c->now_ns);
}

/* False where the engine cannot take it now, or too many others are under way. */
static bool serve(struct client *c, uint32_t conn)
{
	const struct exchange *e = &c->traffic->all[conn];

	if (c->states[conn] != CONN_OPEN)
		return true;
	if (exchange_is_busy(e))
		return client_exchange_go_on(c, conn);
	if (c->is_draining)
		return true;
	if (e->flags & EXCHANGE_WAITING)
		return serve_waited(c, conn);
	return !exchange_is_free(c, conn) || say_next(c, conn);
}

static void run_queue(struct client *c, uint32_t most)
{
	struct traffic *t = c->traffic;

	for (uint32_t left = t->queue_count; left > 0 && most > 0 && !t->is_blocked;
	     left--, most--) {
		uint32_t conn = t->queue[t->queue_from];

		t->queue_from = t->queue_from + 1 < c->me->count ? t->queue_from + 1 : 0;
		t->queue_count--;
		t->all[conn].flags &= (uint16_t)~EXCHANGE_QUEUED;
		if (!serve(c, conn))
			client_exchange_queue(c, conn);
	}
}

static void run_waits(struct client *c)
{
	uint32_t expired[64];
	size_t count;

	if (!c->traffic->waits)
		return;
	do {
		count = wheel_expire(&c->traffic->wheel, c->now_ns, expired, 64);
		for (size_t i = 0; i < count; i++)
			client_exchange_queue(c, expired[i]);
	} while (count == 64);
}

/* --- the plan ----------------------------------------------------------------------------- */

static void advance(struct client *c)
{
	struct traffic *t = c->traffic;

	if (++t->at >= t->count) {
		t->at = 0;
		t->round++;
	}
	if (t->is_open_loop)
		t->due_ns = traffic_due_ns(c, t->round, t->at);
}

/* The message that is due now. False where the engine cannot take it: it stays due. */
static bool say_planned(struct client *c)
{
	struct traffic *t = c->traffic;
	struct exchange *e = &t->all[t->at];

	if (c->states[t->at] != CONN_OPEN || (e->flags & EXCHANGE_RESTS))
		return true;
	if (e->behind > 0 || !exchange_is_free(c, t->at)) {
		e->behind++;
		shm_count(c->me->traffic.busy);
		return true;
	}
	if (!client_exchange_begin(c, t->at, t->due_ns, c->now_ns))
		return false;
	hist_record(&c->me->traffic.slip, c->now_ns - t->due_ns);
	return true;
}

static void say_all_planned(struct client *c, uint32_t most)
{
	struct traffic *t = c->traffic;

	for (; most > 0 && t->due_ns <= c->now_ns && t->due_ns < t->end_ns && !t->is_blocked;
	     most--) {
		if (!say_planned(c))
			return;
		advance(c);
		t->planned_ns = c->now_ns;
	}
}

/* Of a closed loop: begins on connections that are free, while there is room. */
static void begin_more(struct client *c, uint32_t most)
{
	struct traffic *t = c->traffic;

	for (; most > 0 && !t->is_all_begun && !is_full(t) && !t->is_blocked; most--) {
		t->passed++;
		if (exchange_is_free(c, t->at)) {
			if (!say_next(c, t->at))
				return;
			t->passed = t->room == UINT32_MAX ? t->passed : 0;
		}
		advance(c);
		if (t->passed >= t->count) {
			t->is_all_begun = true;
			t->passed = 0;
		}
	}
}

/* A part of the records; all of them in an eighth of the time-out. */
static void sweep(struct client *c)
{
	struct traffic *t = c->traffic;

	if (t->active == 0 || c->now_ns < t->sweep_ns)
		return;
	for (uint32_t i = 0; i <= c->me->count / TRAFFIC_SWEEP_PART; i++) {
		client_exchange_note_overdue(c, &t->all[t->sweep_at]);
		t->sweep_at = (t->sweep_at + 1) % c->me->count;
	}
	t->sweep_ns = c->now_ns + c->x->timeout_ns / (TRAFFIC_SWEEPS * TRAFFIC_SWEEP_PART);
}

void client_traffic_say_due(struct client *c)
{
	if (!is_on(c))
		return;
	struct traffic *t = c->traffic;

	c->now_ns =
		clock_now_ns(); /* events were handled since, and what is late is late by that */
	t->is_blocked = false;
	run_waits(c);
	run_queue(c, TRAFFIC_BATCH);
	if (!c->is_draining && t->is_open_loop)
		say_all_planned(c, TRAFFIC_BATCH);
	else if (!c->is_draining)
		begin_more(c, TRAFFIC_BATCH);
	sweep(c);
}

static uint64_t earlier(uint64_t a_ns, uint64_t b_ns)
{
	return a_ns < b_ns ? a_ns : b_ns;
}

/* Of many messages a second some are said at a time: a wake-up for each costs more than it. */
static uint64_t next_planned_ns(const struct traffic *t)
{
	uint64_t soonest_ns = t->planned_ns + TRAFFIC_GRAIN_NS;

	if (t->due_ns >= t->end_ns)
		return UINT64_MAX;
	return t->due_ns > soonest_ns ? t->due_ns : soonest_ns;
}

/* When there is something to say. */
static uint64_t next_say_ns(const struct client *c)
{
	const struct traffic *t = c->traffic;

	if (t->queue_count > 0)
		return c->now_ns;
	if (c->is_draining)
		return UINT64_MAX;
	if (t->is_open_loop)
		return next_planned_ns(t);
	return t->is_all_begun || is_full(t) ? UINT64_MAX : c->now_ns;
}

uint64_t client_traffic_next_ns(const struct client *c)
{
	if (!is_on(c))
		return UINT64_MAX;
	const struct traffic *t = c->traffic;
	uint64_t next_ns = next_say_ns(c);

	if ((t->is_blocked || is_full(t)) && next_ns < c->now_ns + NS_PER_MS) /* polls make room */
		next_ns = c->now_ns + NS_PER_MS;
	if (t->active > 0)
		next_ns = earlier(next_ns, t->sweep_ns);
	if (t->waits)
		next_ns = earlier(next_ns, wheel_next_ns(&t->wheel));
	return next_ns;
}

void client_traffic_pause(struct client *c, uint64_t until_ns)
{
	if (!is_on(c) || c->traffic->is_open_loop)
		return;
	struct traffic *t = c->traffic;

	gather_note(&t->gather, t->came, c->now_ns);
	uint64_t pause_ns = gather_pause_ns(&t->gather, t->active, t->came);

	t->came = 0;
	if (pause_ns == 0 || c->now_ns + pause_ns > until_ns)
		return;
	engine_flush(c->engine);
	clock_sleep_ns(pause_ns);
}

/* --- connections come and go -------------------------------------------------------------- */

void client_traffic_opened(struct client *c, uint32_t conn)
{
	struct traffic *t = c->traffic;

	if (!is_on(c) || c->is_draining || t->is_open_loop)
		return;
	if (t->room == UINT32_MAX)
		client_exchange_queue(c, conn);
	else
		t->is_all_begun = false;
}

static void stop_waiting(struct client *c, uint32_t conn)
{
	struct exchange *e = &c->traffic->all[conn];

	if (!(e->flags & EXCHANGE_WAITING))
		return;
	wheel_cancel(&c->traffic->wheel, conn);
	e->flags &= (uint16_t)~EXCHANGE_WAITING;
}

void client_traffic_lost(struct client *c, uint32_t conn)
{
	if (c->traffic)
		client_exchange_give_up(c, conn, ANSWER_MISSING);
}

void client_traffic_closed(struct client *c, uint32_t conn)
{
	if (!c->traffic)
		return;
	struct exchange *e = &c->traffic->all[conn];

	client_exchange_give_up(c, conn, ANSWER_CUT);
	stop_waiting(c, conn);
	if (e->number != 0 || e->behind != 0 || e->flags != 0)
		*e = (struct exchange){.flags = e->flags & EXCHANGE_QUEUED};
}

bool client_traffic_is_busy(const struct client *c, uint32_t conn)
{
	return c->traffic && exchange_is_busy(&c->traffic->all[conn]);
}

bool client_traffic_is_idle(const struct client *c)
{
	return !c->traffic || c->traffic->active == 0;
}

static void end_one(struct client *c, uint32_t conn)
{
	struct exchange *e = &c->traffic->all[conn];
	bool was_busy = exchange_is_busy(e), was_said = (e->flags & EXCHANGE_SAID) != 0;

	stop_waiting(c, conn);
	if (e->behind > 0)
		e->behind = 0;
	client_exchange_note_overdue(c, e); /* where the sweep has not come by since */
	client_exchange_give_up(c, conn, ANSWER_MISSING);
	if (was_busy && shm_get(c->shm->stop) != STOP_INTERRUPTED)
		client_lose(c, conn, client_why_silent(c, conn, was_said));
}

void client_traffic_end(struct client *c)
{
	if (!is_on(c))
		return;
	struct traffic *t = c->traffic;

	for (uint32_t i = 0; i < c->me->count; i++)
		end_one(c, i);
	for (; t->queue_count > 0; t->queue_count--) {
		t->all[t->queue[t->queue_from]].flags &= (uint16_t)~EXCHANGE_QUEUED;
		t->queue_from = t->queue_from + 1 < c->me->count ? t->queue_from + 1 : 0;
	}
	t->is_on = false;
}

/* --- events ------------------------------------------------------------------------------- */

void client_traffic_on_sent(struct client *c, uint32_t conn, const struct engine_event *event)
{
	if (is_on(c))
		client_exchange_on_sent(c, conn, event);
}

void client_traffic_on_data(struct client *c, uint32_t conn, const uint8_t *data, uint32_t len)
{
	shm_set(c->me->received_bytes, c->me->received_bytes + (is_on(c) ? 0 : len));
	if (is_on(c))
		client_exchange_hear(c, conn, data, len);
}

void client_traffic_message(const struct client *c, uint32_t conn, uint8_t *out)
{
	const struct traffic *t = c->traffic;
	const struct exchange *e = &t->all[conn];
	uint32_t index = client_index(c, conn), most = c->engine->send_most;
	struct turn turn;

	behaviour_turn(&t->behaviour, index, e->number, &turn);
	uint32_t left = turn.say_bytes - e->sent;

	behaviour_write(&t->behaviour, index, e->number, e->sent, out, left < most ? left : most);
}
