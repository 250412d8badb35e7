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
#include "base/pace.h"
#include "behave/token.h"
#include "plan/tuple.h"
#include "run/flights.h"
#include "run/sampler.h"

#include <string.h>

#define CONNECT_BATCH 16 /* more is not faster, and each waits for its batch */
#define PROOF_BATCH   64
#define EVENTS        512
#define BACKOFF_NS    (100 * NS_PER_MS)
#define BACKOFF_MOST  NS_PER_S /* where it never gives up: a server that is back is soon found */

enum conn_state {
	CONN_IDLE,
	CONN_CONNECTING,
	CONN_OPEN,
	CONN_PROVING,
	CONN_FAILED,
	CONN_LOST,
	CONN_AGAIN /* lost, and to be opened again */
};

struct client {
	const struct experiment *x;
	struct shm *shm;
	struct shm_worker *me;
	struct engine *engine;
	uint8_t *states;
	uint32_t next; /* the connection to start with next in this phase */
	unsigned int round;
	uint32_t again_count, again_next; /* to be opened again; where to look for the next */
	bool has_due;                     /* a flight may be due */
	uint32_t unanswered;              /* proofs in a row that timed out */
	uint32_t unconnected;             /* connects in a row that failed for good */
	bool gave_up;                     /* too many of them */
	struct pace pace;
	uint64_t now_ns;
	struct flights flights;
	struct engine_event events[EVENTS];
};

struct client *client_make(const struct experiment *x, struct shm *shm, struct shm_worker *me)
{
	struct client *c = map_private(sizeof(*c));

	if (!c)
		return NULL;
	c->x = x;
	c->shm = shm;
	c->me = me;
	c->states = map_private(me->count);
	if (!c->states || !flights_init(&c->flights, (uint32_t)x->in_flight, me->count))
		return NULL;
	return c;
}

void client_take_engine(struct client *c, struct engine *engine)
{
	c->engine = engine;
}

/* A client sends nothing but tokens, one a round. */
void client_message(void *client, uint32_t index, uint8_t *out)
{
	const struct client *c = client;

	token_make(out, c->shm->key, c->me->first + index, c->round);
}

static void set_timer(struct client *c, const struct flight *f, uint64_t after_ns)
{
	flights_arm(&c->flights, f, c->now_ns + after_ns);
}

/* --- the ramp ----------------------------------------------------------------------------- */

static void start_connect(struct client *c, struct flight *f)
{
	struct sockaddr_storage source, target;
	struct tuple t = tuple_at(&c->x->tuples, c->me->first + f->conn);
	socklen_t len = ip_sockaddr(&t.source, t.source_port, &source);

	ip_sockaddr(&t.target, t.target_port, &target);
	f->kind = FLIGHT_CONNECT;
	f->started_ns = clock_now_ns();
	c->states[f->conn] = CONN_CONNECTING;
	set_timer(c, f, c->x->timeout_ns);
	engine_connect(c->engine, f->conn, (const struct sockaddr *)&source,
	               (const struct sockaddr *)&target, len);
}

/* Nothing new is begun: the director says so, or nobody answers. */
static bool is_stopped(const struct client *c)
{
	return shm_get(c->shm->stop) != STOP_NONE || c->gave_up;
}

static bool is_tried_again(const struct client *c, const struct flight *f)
{
	return !is_stopped(c) && (c->x->reconnect || f->tries < c->x->retries);
}

static uint64_t backoff_ns(const struct client *c, const struct flight *f)
{
	uint64_t pause_ns = BACKOFF_NS << (f->tries < 10 ? f->tries : 10);

	return c->x->reconnect && pause_ns > BACKOFF_MOST ? BACKOFF_MOST : pause_ns;
}

static void count_failure(struct client *c)
{
	c->unconnected++;
	if (c->x->kind == RUN_CONNECT && c->unconnected >= c->flights.count)
		c->gave_up = true;
}

static void fail_connect(struct client *c, struct flight *f, enum cause cause)
{
	if (is_tried_again(c, f)) {
		shm_count(c->me->retried[cause]);
		f->kind = FLIGHT_BACKOFF;
		set_timer(c, f, backoff_ns(c, f));
		if (f->tries < UINT8_MAX)
			f->tries++;
		return;
	}
	if (f->is_again) { /* it is lost already */
		c->states[f->conn] = CONN_LOST;
	} else {
		c->states[f->conn] = CONN_FAILED;
		shm_count(c->me->failed[cause]);
		count_failure(c);
	}
	flights_land(&c->flights, f);
}

static void on_connected(struct client *c, uint32_t conn, int code)
{
	struct flight *f = flights_of(&c->flights, conn);

	if (code < 0) {
		fail_connect(c, f, cause_of_errno(code));
		return;
	}
	hist_record(&c->me->connect, c->now_ns - f->started_ns);
	c->states[conn] = CONN_OPEN;
	c->unconnected = 0;
	shm_count(*(f->is_again ? &c->me->reconnected : &c->me->opened));
	shm_count(c->me->open);
	if (!f->is_again)
		shm_set(c->me->last_open_ns, c->now_ns);
	flights_land(&c->flights, f);
	if (c->x->watch)
		engine_receive(c->engine, conn, ENGINE_WAIT_IDLE);
}

/* The next connection to open: in the ramp in their order, in the hold what was lost. */
static struct flight *next_to_open(struct client *c, enum phase phase)
{
	struct flight *f;

	if (phase == PHASE_RAMP)
		return flights_take_off(&c->flights, c->next++, FLIGHT_CONNECT);
	while (c->states[c->again_next] != CONN_AGAIN)
		c->again_next = (c->again_next + 1) % c->me->count;
	c->again_count--;
	f = flights_take_off(&c->flights, c->again_next, FLIGHT_CONNECT);
	f->is_again = true;
	return f;
}

static bool has_to_open(const struct client *c, enum phase phase)
{
	if (is_stopped(c) || c->flights.free_count == 0)
		return false;
	return phase == PHASE_RAMP ? c->next < c->me->count
	                           : phase == PHASE_HOLD && c->again_count > 0;
}

static void start_due_connects(struct client *c, enum phase phase)
{
	uint64_t due = pace_due(&c->pace, c->now_ns);
	uint32_t started = 0;

	for (; started < due && started < CONNECT_BATCH && has_to_open(c, phase); started++)
		start_connect(c, next_to_open(c, phase));
	pace_take(&c->pace, started);
}

/* When connecting ends early, pauses between tries are not waited for. */
static void give_up_backoffs(struct client *c)
{
	for (uint32_t i = 0; i < c->flights.count; i++) {
		struct flight *f = flights_at(&c->flights, i);

		if (!f || f->kind != FLIGHT_BACKOFF)
			continue;
		c->states[f->conn] = f->is_again ? CONN_LOST : CONN_IDLE;
		if (!f->is_again)
			shm_count(c->me->not_tried);
		flights_land(&c->flights, f);
	}
}

static bool ramp_is_over(struct client *c)
{
	if (is_stopped(c))
		give_up_backoffs(c);
	return !flights_any(&c->flights) && (is_stopped(c) || c->next == c->me->count);
}

/* --- the proof ---------------------------------------------------------------------------- */

static void lose(struct client *c, uint32_t conn, enum cause cause)
{
	engine_close(c->engine, conn, ENGINE_CLOSE_FIN);
	c->states[conn] = c->x->reconnect ? CONN_AGAIN : CONN_LOST;
	c->again_count += c->x->reconnect ? 1 : 0;
	shm_count(c->me->lost[cause]);
	shm_set(c->me->open, c->me->open - 1);
	if (flights_of(&c->flights, conn))
		flights_land(&c->flights, flights_of(&c->flights, conn));
}

/* A server that has let a whole set of flights pass without one echo answers no more: those that
 * remain need not each wait for it. */
static void give_up_proof(struct client *c)
{
	for (; c->next < c->me->count; c->next++) {
		if (c->states[c->next] == CONN_OPEN)
			lose(c, c->next, CAUSE_TIMEOUT);
	}
}

/* False where the engine cannot take a send now. */
static bool start_proof(struct client *c, uint32_t conn)
{
	uint8_t token[TOKEN_BYTES];

	client_message(c, conn, token);
	if (engine_send(c->engine, conn, token, sizeof(token)) != 0)
		return false;
	struct flight *f = flights_take_off(&c->flights, conn, FLIGHT_PROOF);

	f->started_ns = c->now_ns;
	c->states[conn] = CONN_PROVING;
	set_timer(c, f, c->x->timeout_ns);
	if (!c->x->watch) /* else it is asked for */
		engine_receive(c->engine, conn, ENGINE_WAIT_SOON);
	shm_count(c->me->proof[c->round].sent);
	return true;
}

static void start_due_proofs(struct client *c)
{
	uint32_t started = 0;

	while (started < PROOF_BATCH && c->flights.free_count > 0 && c->next < c->me->count) {
		if (c->states[c->next] == CONN_OPEN) {
			if (!start_proof(c, c->next))
				return;
			started++;
		}
		c->next++;
	}
}

/* Proved is what is back as it was sent; what the engine still sends must not be sent again. */
static void end_proof(struct client *c, struct flight *f)
{
	if (f->echoed < TOKEN_BYTES || f->sent < TOKEN_BYTES)
		return;
	c->states[f->conn] = CONN_OPEN;
	shm_prove(c->shm, ROLE_CLIENT, c->round, c->me->first + f->conn);
	shm_count(c->me->proof[c->round].echoed);
	c->unanswered = 0;
	flights_land(&c->flights, f);
}

static void send_rest(struct client *c, struct flight *f)
{
	uint8_t token[TOKEN_BYTES];

	client_message(c, f->conn, token);
	f->is_due = engine_send(c->engine, f->conn, token + f->sent,
	                        (uint32_t)(TOKEN_BYTES - f->sent)) != 0;
	c->has_due |= f->is_due;
}

static void send_due(struct client *c)
{
	if (!c->has_due)
		return;
	c->has_due = false;
	for (uint32_t i = 0; i < c->flights.count; i++) {
		struct flight *f = flights_at(&c->flights, i);

		if (f && f->is_due)
			send_rest(c, f);
	}
}

static void on_sent(struct client *c, uint32_t conn, const struct engine_event *event)
{
	struct flight *f;

	if (c->states[conn] != CONN_PROVING) /* lost by an earlier event, or given up */
		return;
	f = flights_of(&c->flights, conn);
	if (event->result < 0 && !engine_is_momentary(event->result)) {
		lose(c, conn, cause_of_errno(event->result));
		return;
	}
	f->sent = (uint8_t)(f->sent + (event->result > 0 ? event->result : 0));
	if (f->sent < TOKEN_BYTES)
		send_rest(c, f);
	else
		end_proof(c, f);
}

static void on_echo(struct client *c, struct flight *f, const uint8_t *data, uint32_t len)
{
	uint8_t token[TOKEN_BYTES];
	uint32_t conn = f->conn;

	client_message(c, conn, token);
	if (len > (uint32_t)(TOKEN_BYTES - f->echoed) ||
	    memcmp(token + f->echoed, data, len) != 0) {
		shm_count(c->me->proof[c->round].mismatched);
		lose(c, conn, CAUSE_MISMATCH);
		return;
	}
	f->echoed = (uint8_t)(f->echoed + len);
	if (f->echoed < TOKEN_BYTES && !c->x->watch)
		engine_receive(c->engine, conn, ENGINE_WAIT_SOON);
	end_proof(c, f);
}

static bool is_open(const struct client *c, uint32_t conn)
{
	return c->states[conn] == CONN_OPEN || c->states[conn] == CONN_PROVING;
}

static void on_data(struct client *c, uint32_t conn, const uint8_t *data, uint32_t len)
{
	if (c->states[conn] == CONN_PROVING)
		on_echo(c, flights_of(&c->flights, conn), data, len);
	else /* a greeting, or the rest of a proof that was given up */
		shm_set(c->me->received_bytes, c->me->received_bytes + len);
	if (c->x->watch && is_open(c, conn))
		engine_receive(c->engine, conn, ENGINE_WAIT_IDLE);
}

static void on_received(struct client *c, uint32_t conn, const struct engine_event *event)
{
	if (!is_open(c, conn)) /* lost by an earlier event of this batch */
		return;
	if (event->result == 0)
		lose(c, conn, CAUSE_CLOSED);
	else if (event->result < 0)
		lose(c, conn, cause_of_errno(event->result));
	else
		on_data(c, conn, event->data, (uint32_t)event->result);
}

/* An interrupted proof proves nothing about those that are on their way. */
static void abandon_flights(struct client *c)
{
	for (uint32_t i = 0; i < c->flights.count; i++) {
		struct flight *f = flights_at(&c->flights, i);

		if (!f)
			continue;
		c->states[f->conn] = CONN_OPEN; /* an echo that still comes is ignored */
		flights_land(&c->flights, f);
	}
	c->next = c->me->count;
}

static bool proof_is_over(struct client *c)
{
	if (shm_get(c->shm->stop) == STOP_INTERRUPTED)
		abandon_flights(c);
	return c->next == c->me->count && !flights_any(&c->flights);
}

/* --- the loop ----------------------------------------------------------------------------- */

static void handle(struct client *c, const struct engine_event *event)
{
	uint32_t conn = engine_tag_index(event->tag);

	switch ((enum engine_op)engine_tag_op(event->tag)) {
	case ENGINE_CONNECTED:
		on_connected(c, conn, event->result);
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
		fail_connect(c, f, CAUSE_TIMEOUT);
		break;
	case FLIGHT_BACKOFF:
		start_connect(c, f);
		break;
	case FLIGHT_PROOF:
		lose(c, f->conn, CAUSE_TIMEOUT);
		if (++c->unanswered == c->flights.count)
			give_up_proof(c);
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

	if (c->has_due)
		return c->now_ns + NS_PER_MS;
	if (has_to_open(c, phase)) {
		uint64_t due_ns = pace_next_ns(&c->pace, c->now_ns);

		return due_ns < timer_ns ? due_ns : timer_ns;
	}
	if (is_proof(phase) &&
	    (c->next < c->me->count ? c->flights.free_count > 0 : !flights_any(&c->flights)))
		return c->now_ns; /* there is another to start, or nothing left to wait for */
	return timer_ns;
}

/* Starts what is due in the phase, and handles what comes. */
static int turn(struct client *c, enum phase phase)
{
	send_due(c);
	if (is_proof(phase))
		start_due_proofs(c);
	else
		start_due_connects(c, phase);
	int count = engine_poll(c->engine, c->events, EVENTS, next_deadline(c, phase));

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
	uint32_t sharers = c->x->clients_at_once;
	uint64_t share = (c->x->rate_per_s + sharers - 1) / sharers;

	c->now_ns = clock_now_ns();
	/* Sleeps end up to a millisecond late, and the CPU is shared with a server: what was missed
	 * in a few of its turns is made up for. */
	pace_init(&c->pace, share, CONNECT_BATCH + share / 50, c->now_ns);
}

/* Waits until it is this client's turn; an interrupt needs none. */
static int wait_turn(struct client *c)
{
	int failed = 0;

	while (failed == 0 && shm_get(c->shm->turns) <= c->me->number && !is_stopped(c))
		failed = turn(c, PHASE_NONE);
	return failed;
}

/* Ends when the director ends it, with nothing under way. */
static int hold(struct client *c)
{
	int failed = 0;

	start_pace(c);
	while (failed == 0 && shm_get(c->shm->phase) == PHASE_HOLD)
		failed = turn(c, PHASE_HOLD);
	give_up_backoffs(c);
	while (failed == 0 && flights_any(&c->flights)) {
		failed = turn(c, PHASE_NONE);
		give_up_backoffs(c);
	}
	return failed;
}

static int ramp(struct client *c)
{
	int failed = wait_turn(c);

	start_pace(c);
	while (failed == 0 && !ramp_is_over(c))
		failed = turn(c, PHASE_RAMP);
	shm_set(c->me->not_tried, c->me->not_tried + c->me->count - c->next);
	shm_set(c->me->cpu_ns, sampler_own_cpu_ns());
	return failed;
}

static int prove(struct client *c, enum phase phase)
{
	int failed = wait_turn(c);

	c->round = phase == PHASE_PROVE ? 0 : 1;
	c->next = 0;
	c->unanswered = 0;
	c->now_ns = clock_now_ns();
	while (!proof_is_over(c) && failed == 0)
		failed = turn(c, phase);
	shm_set(c->me->proof[c->round].end_ns, c->now_ns);
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
