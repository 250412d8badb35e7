/* client: opens, proves and watches the connections of one worker.
 *
 * Theory of operation
 *
 * A connection is a state of one byte. What is under way with it (a connect, a pause before the
 * next try, an echo) is a flight (run/flights.h), of which there are few. So timers and start times
 * cost nothing for the connections that rest.
 *
 * Each turn of the loop starts what is due (a batch, so that one system call carries many), polls
 * the engine once, handles its events and then the timers that ran out.
 *
 * A connect that fails is tried again, `retries` times, after 100 ms, 200 ms, 400 ms ...; only the
 * last failure counts as failed. Where as many in a row as can be under way have failed, and none
 * has been made since, the ramp gives up: nobody is there. A connection that fails its proof, or
 * ends while it is watched, is closed and counts as lost, under its cause.
 *
 * With x->watch each open connection has a receive asked for, so that its end is seen when it
 * comes. With x->reconnect what is lost is opened again in the hold, from its own 4-tuple, and a
 * connect is tried until it succeeds. */
#include "run/client.h"

#include "base/clock.h"
#include "base/map.h"
#include "behave/token.h"
#include "run/client_churn.h"
#include "run/client_open.h"
#include "run/client_proof.h"
#include "run/client_push.h"
#include "run/client_stage.h"
#include "run/client_state.h"
#include "run/client_traffic.h"
#include "run/client_why.h"
#include "run/sampler.h"

struct client *client_make(const struct experiment *x, struct shm *shm, struct shm_worker *me)
{
	struct client *c = map_private(sizeof(*c));

	if (!c)
		return NULL;
	c->x = x;
	c->shm = shm;
	c->me = me;
	c->states = map_private(me->count);
	c->asked = map_private(me->count / 8 + 1);
	if (!c->states || !c->asked ||
	    (x->is_on_lan && !bits_make(&c->taken, x->tuples.source_count)) ||
	    !flights_init(&c->flights, (uint32_t)x->in_flight, me->count) || !client_stage_make(c))
		return NULL;
	return c;
}

void client_take_engine(struct client *c, struct engine *engine)
{
	c->engine = engine;
}

struct bits *client_taken(struct client *c)
{
	return c->x->is_on_lan ? &c->taken : NULL;
}

/* In a stage what its behaviour says, else tokens, one a round. */
void client_message(void *client, uint32_t index, uint8_t *out)
{
	const struct client *c = client;

	if (c->stage)
		client_traffic_message(c, index, out);
	else
		token_make(out, c->shm->key, client_index(c, index), c->round);
}

/* --- ends --------------------------------------------------------------------------------- */

void client_close(struct client *c, uint32_t conn, enum engine_close how, enum again again)
{
	engine_close(c->engine, conn, how);
	c->states[conn] = (uint8_t)(again == AGAIN_NOT ? CONN_LOST : CONN_AGAIN + again);
	c->again_count += again != AGAIN_NOT;
	shm_set(c->me->open, c->me->open - 1);
	if (flights_of(&c->flights, conn))
		flights_land(&c->flights, flights_of(&c->flights, conn));
	if (again != AGAIN_CHURNED)
		client_churn_gone(c, conn);
	client_traffic_closed(c, conn);
	client_push_closed(c, conn);
}

void client_lose(struct client *c, uint32_t conn, enum cause cause)
{
	shm_count(c->me->lost[cause]);
	client_traffic_lost(c, conn);
	client_push_lost(c, conn);
	/* Where nobody answers, a FIN would stay with the kernel for minutes, and with it the port
	 * that it is to be opened again from. */
	client_close(c, conn, cause_is_silence(cause) ? ENGINE_CLOSE_RESET : ENGINE_CLOSE_FIN,
	             c->x->reconnect ? AGAIN_LOST : AGAIN_NOT);
}

/* --- the loop ----------------------------------------------------------------------------- */

static void on_sent(struct client *c, uint32_t conn, const struct engine_event *event)
{
	if (!client_is_open(c, conn)) /* lost by an earlier event of this batch */
		return;
	if (event->result < 0 && !engine_is_momentary(event->result))
		client_lose(c, conn, client_why_lost(c, conn, event->result));
	else if (c->states[conn] == CONN_PROVING)
		client_proof_on_sent(c, conn, event);
	else if (c->stage)
		client_traffic_on_sent(c, conn, event);
}

static void on_stage_data(struct client *c, uint32_t conn, const uint8_t *data, uint32_t len)
{
	if (client_push_take_late(c, conn, &data, &len))
		client_traffic_on_data(c, conn, data, len);
}

static void on_data(struct client *c, uint32_t conn, const uint8_t *data, uint32_t len)
{
	if (c->states[conn] == CONN_PROVING && c->push)
		client_push_on_proof_data(c, conn, data, len);
	else if (c->states[conn] == CONN_PROVING)
		client_proof_on_data(c, flights_of(&c->flights, conn), data, len);
	else if (client_push_hears(c))
		client_push_on_data(c, conn, data, len);
	else if (c->stage)
		on_stage_data(c, conn, data, len);
	else /* a greeting, or the rest of a proof that was given up */
		shm_set(c->me->received_bytes, c->me->received_bytes + len);
	if (c->x->watch && client_is_open(c, conn))
		client_ask(c, conn, ENGINE_WAIT_IDLE);
}

static void on_received(struct client *c, uint32_t conn, const struct engine_event *event)
{
	if (!client_is_open(c, conn))
		return;
	client_unask(c, conn);
	if (event->result == 0)
		client_lose(c, conn, CAUSE_CLOSED);
	else if (event->result < 0)
		client_lose(c, conn, client_why_lost(c, conn, event->result));
	if (event->result > 0) {
		client_why_heard(c, conn);
		on_data(c, conn, event->data, (uint32_t)event->result);
	}
}

static void handle(struct client *c, const struct engine_event *event)
{
	uint32_t conn = engine_tag_index(event->tag);

	switch ((enum engine_op)engine_tag_op(event->tag)) {
	case ENGINE_CONNECTED:
		client_on_connected(c, conn, event->result);
		break;
	case ENGINE_RECEIVED:
		on_received(c, conn, event);
		break;
	case ENGINE_SENT:
		on_sent(c, conn, event);
		break;
	case ENGINE_ACCEPTED:
	case ENGINE_OP_COUNT:
		break;
	}
}

static void on_timer(struct client *c, struct flight *f)
{
	switch ((enum flight_kind)f->kind) {
	case FLIGHT_CONNECT:
		engine_close(c->engine, f->conn, ENGINE_CLOSE_FIN);
		client_connect_failed(c, f, client_why_failed(c, f->conn, CAUSE_TIMEOUT));
		break;
	case FLIGHT_BACKOFF:
		client_connect(c, f);
		break;
	case FLIGHT_PROOF:
		client_proof_on_timeout(c, f);
		break;
	}
}

static void handle_timers(struct client *c)
{
	uint32_t expired[64];
	size_t count;

	do {
		count = wheel_expire(&c->flights.wheel, c->now_ns, expired, 64);
		for (size_t i = 0; i < count; i++)
			on_timer(c, &c->flights.all[expired[i]]);
	} while (count == 64);
}

static bool is_proof(enum phase phase)
{
	return phase == PHASE_PROVE || phase == PHASE_PROVE_AGAIN;
}

/* Until when poll may sleep: at once where there is more to start now. */
static uint64_t next_deadline(const struct client *c, enum phase phase)
{
	uint64_t timer_ns = wheel_next_ns(&c->flights.wheel);
	uint64_t stage_ns = client_stage_next_ns(c);

	timer_ns = stage_ns < timer_ns ? stage_ns : timer_ns;
	if (c->has_due)
		return c->now_ns + NS_PER_MS;
	if (client_has_to_open(c, phase)) {
		uint64_t due_ns = client_open_next_ns(c);

		return due_ns < timer_ns ? due_ns : timer_ns;
	}
	if (is_proof(phase) && client_proof_is_due(c))
		return c->now_ns;
	return timer_ns;
}

/* Starts what is due in the phase, and handles what comes. */
static int turn(struct client *c, enum phase phase)
{
	client_proof_send_due(c);
	if (is_proof(phase))
		client_prove_due(c);
	else
		client_open_due(c, phase);
	client_stage_due(c);
	uint64_t deadline_ns = next_deadline(c, phase);

	client_traffic_pause(c, deadline_ns);
	int count = engine_poll(c->engine, c->events, CLIENT_EVENTS, deadline_ns);

	c->now_ns = clock_now_ns();
	for (int i = 0; i < count; i++)
		handle(c, &c->events[i]);
	handle_timers(c);
	if (shm_is_asked(c->shm, c->me))
		shm_answer(c->shm, c->me, sampler_own_bytes());
	return count < 0 ? count : 0;
}

int client_wait_beyond(struct client *c, enum phase phase)
{
	int failed = 0;

	while (failed == 0 && shm_get(c->shm->phase) <= phase)
		failed = turn(c, PHASE_NONE);
	return failed;
}

static void start_pace(struct client *c)
{
	uint64_t share = pace_share(c->x->rate_per_s, c->me->number, c->x->clients_at_once);

	c->now_ns = clock_now_ns();
	/* Sleeps end up to a millisecond late, and the CPU is shared with a server: what was missed
	 * in a few of its turns is made up for. */
	pace_init(&c->pace, share, CLIENT_CONNECT_BATCH + share / 50, c->now_ns);
}

/* Waits until it is this client's turn; an interrupt needs none. */
static int wait_turn(struct client *c)
{
	int failed = 0;

	while (failed == 0 && shm_get(c->shm->turns) <= c->me->number && !client_is_stopped(c))
		failed = turn(c, PHASE_NONE);
	return failed;
}

/* Ends when the director ends it, with nothing under way. */
static int hold(struct client *c)
{
	int failed = 0;

	start_pace(c);
	c->is_holding = true;
	while (failed == 0 && shm_get(c->shm->phase) == PHASE_HOLD) {
		client_stage_heed(c);
		failed = turn(c, PHASE_HOLD);
	}
	client_stage_leave(c);
	client_give_up_backoffs(c);
	while (failed == 0 && flights_any(&c->flights)) {
		failed = turn(c, PHASE_NONE);
		client_give_up_backoffs(c);
	}
	c->is_holding = false;
	return failed;
}

static int ramp(struct client *c)
{
	int failed = wait_turn(c);

	start_pace(c);
	while (failed == 0 && !client_ramp_is_over(c))
		failed = turn(c, PHASE_RAMP);
	shm_set(c->me->not_tried, c->me->not_tried + c->wanted - c->next);
	shm_set(c->me->opened_late, client_opened_late(c));
	shm_set(c->me->cpu_ns, sampler_own_cpu_ns());
	return failed;
}

static int prove(struct client *c, enum phase phase)
{
	int failed = wait_turn(c);

	client_proof_begin(c, phase == PHASE_PROVE ? 0 : 1);
	c->now_ns = clock_now_ns();
	while (!client_proof_is_over(c) && failed == 0)
		failed = turn(c, phase);
	shm_set(c->me->proof[c->round].end_ns, c->now_ns);
	if (phase == PHASE_PROVE)
		shm_set(c->me->opened_late, client_opened_late(c));
	return failed;
}

int client_run_phase(struct client *c, enum phase phase)
{
	switch (phase) {
	case PHASE_RAMP:
		return ramp(c);
	case PHASE_PROVE:
	case PHASE_PROVE_AGAIN:
		return prove(c, phase);
	case PHASE_HOLD:
		return hold(c);
	case PHASE_CLOSE_CLIENTS:
	case PHASE_CLOSE:
		engine_close_all(c->engine, c->x->close);
		shm_set(c->me->open, 0);
		return 0;
	default:
		return 0;
	}
}
