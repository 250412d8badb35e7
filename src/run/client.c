/* client: opens, proves and watches the connections of one worker.
 *
 * Theory of operation
 *
 * A connection is a state of one byte. What is under way with it (a connect, a pause before the
 * next try, an echo) is a flight; there are FLIGHTS of them, each with a timer, and a connection
 * that has one names it in flight_of. So timers and start times cost nothing for the connections
 * that rest.
 *
 * Each turn of the loop starts what is due (a batch, so that one system call carries many), polls
 * the engine once, handles its events and then the timers that ran out.
 *
 * A connect that fails is tried again, `retries` times, after 100 ms, 200 ms, 400 ms ...; only the
 * last failure counts as failed. A connection that fails its proof is closed and counts as lost,
 * under its cause; it is never replaced. */
#include "run/client.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/pace.h"
#include "base/wheel.h"
#include "behave/token.h"
#include "plan/tuple.h"
#include "run/sample.h"

#include <string.h>

#define FLIGHTS       256
#define NO_FLIGHT     UINT16_MAX
#define CONNECT_BATCH 16 /* more is not faster, and each waits for its batch */
#define PROOF_BATCH   64
#define EVENTS        512
#define TICK_NS       (10 * NS_PER_MS)
#define BACKOFF_NS    (100 * NS_PER_MS)

enum conn_state { CONN_IDLE, CONN_CONNECTING, CONN_OPEN, CONN_PROVING, CONN_FAILED, CONN_LOST };

enum flight_kind { FLIGHT_CONNECT, FLIGHT_BACKOFF, FLIGHT_PROOF };

struct flight {
	uint64_t started_ns;
	uint32_t conn; /* within this worker: index - first */
	uint8_t kind;
	uint8_t tries;
	uint8_t echoed; /* bytes of the token that came back */
	bool is_sent;
};

struct client {
	const struct experiment *x;
	struct shm *shm;
	struct shm_worker *me;
	struct engine *engine;
	uint8_t *states;
	uint16_t *flight_of;
	uint32_t next; /* the connection to start with next in this phase */
	unsigned int round;
	uint32_t unanswered; /* proofs in a row that timed out */
	struct pace pace;
	struct wheel wheel;
	uint64_t now_ns;
	uint32_t free_count;
	uint16_t free[FLIGHTS];
	struct flight flights[FLIGHTS];
	struct wheel_entry timers[FLIGHTS];
	struct engine_event events[EVENTS];
};

struct client *client_make(const struct experiment *x, struct shm *shm, struct shm_worker *me,
                           struct engine *engine)
{
	struct client *c = map_private(sizeof(*c));

	if (!c)
		return NULL;
	c->x = x;
	c->shm = shm;
	c->me = me;
	c->engine = engine;
	c->states = map_private(me->count);
	c->flight_of = map_private(me->count * sizeof(*c->flight_of));
	if (!c->states || !c->flight_of)
		return NULL;
	for (uint32_t i = 0; i < me->count; i++)
		c->flight_of[i] = NO_FLIGHT;
	for (uint16_t i = 0; i < FLIGHTS; i++)
		c->free[i] = i;
	c->free_count = FLIGHTS;
	wheel_init(&c->wheel, c->timers, FLIGHTS, TICK_NS, clock_now_ns());
	return c;
}

static struct flight *take_off(struct client *c, uint32_t conn, enum flight_kind kind)
{
	uint16_t number = c->free[--c->free_count];

	c->flight_of[conn] = number;
	c->flights[number] = (struct flight){.conn = conn, .kind = (uint8_t)kind};
	return &c->flights[number];
}

static void land(struct client *c, struct flight *f)
{
	uint16_t number = (uint16_t)(f - c->flights);

	wheel_cancel(&c->wheel, number);
	c->flight_of[f->conn] = NO_FLIGHT;
	c->free[c->free_count++] = number;
}

static void set_timer(struct client *c, struct flight *f, uint64_t after_ns)
{
	wheel_arm(&c->wheel, (uint32_t)(f - c->flights), c->now_ns + after_ns);
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

static void fail_connect(struct client *c, struct flight *f, enum cause cause)
{
	bool stopped = shm_get(c->shm->stop) != STOP_NONE;

	if (f->tries < c->x->retries && !stopped) {
		shm_count(c->me->retried[cause]);
		f->kind = FLIGHT_BACKOFF;
		set_timer(c, f, BACKOFF_NS << (f->tries < 10 ? f->tries : 10));
		f->tries++;
		return;
	}
	c->states[f->conn] = CONN_FAILED;
	shm_count(c->me->failed[cause]);
	land(c, f);
}

static void on_connected(struct client *c, uint32_t conn, int code)
{
	struct flight *f = &c->flights[c->flight_of[conn]];

	if (code < 0) {
		fail_connect(c, f, cause_of_errno(code));
		return;
	}
	hist_record(&c->me->connect, c->now_ns - f->started_ns);
	c->states[conn] = CONN_OPEN;
	shm_count(c->me->opened);
	shm_count(c->me->open);
	shm_set(c->me->last_open_ns, c->now_ns);
	land(c, f);
}

static void start_due_connects(struct client *c)
{
	uint64_t due = pace_due(&c->pace, c->now_ns);
	uint32_t started = 0;

	if (shm_get(c->shm->stop) != STOP_NONE)
		return;
	while (started < due && started < CONNECT_BATCH && c->free_count > 0 &&
	       c->next < c->me->count) {
		start_connect(c, take_off(c, c->next++, FLIGHT_CONNECT));
		started++;
	}
	pace_take(&c->pace, started);
}

/* When a stopped ramp ends, pauses between tries are not waited for. */
static void give_up_backoffs(struct client *c)
{
	for (uint32_t i = 0; i < FLIGHTS; i++) {
		struct flight *f = &c->flights[i];

		if (c->flight_of[f->conn] == i && f->kind == FLIGHT_BACKOFF) {
			c->states[f->conn] = CONN_IDLE;
			shm_count(c->me->not_tried);
			land(c, f);
		}
	}
}

static bool ramp_is_over(struct client *c)
{
	if (shm_get(c->shm->stop) != STOP_NONE) {
		give_up_backoffs(c);
		return c->free_count == FLIGHTS;
	}
	return c->next == c->me->count && c->free_count == FLIGHTS;
}

/* --- the proof ---------------------------------------------------------------------------- */

static void lose(struct client *c, uint32_t conn, enum cause cause)
{
	engine_close(c->engine, conn, ENGINE_CLOSE_FIN);
	c->states[conn] = CONN_LOST;
	shm_count(c->me->lost[cause]);
	shm_set(c->me->open, c->me->open - 1);
	if (c->flight_of[conn] != NO_FLIGHT)
		land(c, &c->flights[c->flight_of[conn]]);
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

	token_make(token, c->shm->key, c->me->first + conn, c->round);
	if (engine_send(c->engine, conn, token, sizeof(token)) != 0)
		return false;
	struct flight *f = take_off(c, conn, FLIGHT_PROOF);

	f->started_ns = c->now_ns;
	c->states[conn] = CONN_PROVING;
	set_timer(c, f, c->x->timeout_ns);
	engine_receive(c->engine, conn, ENGINE_WAIT_SOON);
	shm_count(c->me->proof[c->round].sent);
	return true;
}

static void start_due_proofs(struct client *c)
{
	uint32_t started = 0;

	while (started < PROOF_BATCH && c->free_count > 0 && c->next < c->me->count) {
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
	if (f->echoed < TOKEN_BYTES || !f->is_sent)
		return;
	c->states[f->conn] = CONN_OPEN;
	shm_prove(c->shm, ROLE_CLIENT, c->round, c->me->first + f->conn);
	shm_count(c->me->proof[c->round].echoed);
	c->unanswered = 0;
	land(c, f);
}

static void on_sent(struct client *c, uint32_t conn, const struct engine_event *event)
{
	const uint8_t *data = event->data;
	uint32_t sent = event->result > 0 ? (uint32_t)event->result : 0;
	struct flight *f;

	if (c->states[conn] != CONN_PROVING) /* lost by an earlier event, or given up */
		return;
	f = &c->flights[c->flight_of[conn]];
	if (event->result < 0 && !engine_is_momentary(event->result)) {
		lose(c, conn, cause_of_errno(event->result));
	} else if (sent == event->len) {
		f->is_sent = true;
		end_proof(c, f);
	} else if (engine_send(c->engine, conn, data + sent, event->len - sent) != 0) {
		lose(c, conn, CAUSE_NO_MEMORY);
	}
}

static void on_echo(struct client *c, struct flight *f, const uint8_t *data, uint32_t len)
{
	uint8_t token[TOKEN_BYTES];
	uint32_t conn = f->conn;

	token_make(token, c->shm->key, c->me->first + conn, c->round);
	if (len > (uint32_t)(TOKEN_BYTES - f->echoed) ||
	    memcmp(token + f->echoed, data, len) != 0) {
		shm_count(c->me->proof[c->round].mismatched);
		lose(c, conn, CAUSE_MISMATCH);
		return;
	}
	f->echoed = (uint8_t)(f->echoed + len);
	if (f->echoed < TOKEN_BYTES)
		engine_receive(c->engine, conn, ENGINE_WAIT_SOON);
	else
		end_proof(c, f);
}

static void on_received(struct client *c, uint32_t conn, const struct engine_event *event)
{
	if (c->states[conn] != CONN_PROVING) /* lost by an earlier event of this batch */
		return;
	if (event->result == 0)
		lose(c, conn, CAUSE_CLOSED);
	else if (event->result < 0)
		lose(c, conn, cause_of_errno(event->result));
	else
		on_echo(c, &c->flights[c->flight_of[conn]], event->data, (uint32_t)event->result);
}

/* An interrupted proof proves nothing about those that are on their way. */
static void abandon_flights(struct client *c)
{
	for (uint32_t i = 0; i < FLIGHTS; i++) {
		struct flight *f = &c->flights[i];

		if (c->flight_of[f->conn] != i)
			continue;
		c->states[f->conn] = CONN_OPEN; /* an echo that still comes is ignored */
		land(c, f);
	}
	c->next = c->me->count;
}

static bool proof_is_over(struct client *c)
{
	if (shm_get(c->shm->stop) == STOP_INTERRUPTED)
		abandon_flights(c);
	return c->next == c->me->count && c->free_count == FLIGHTS;
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
		if (++c->unanswered == FLIGHTS)
			give_up_proof(c);
		break;
	}
}

static void handle_timers(struct client *c)
{
	uint32_t expired[64];
	size_t count;

	do {
		count = wheel_expire(&c->wheel, c->now_ns, expired, 64);
		for (size_t i = 0; i < count; i++)
			on_timer(c, &c->flights[expired[i]]);
	} while (count == 64);
}

/* Until when poll may sleep: at once where there is more to start now. */
static uint64_t next_deadline(const struct client *c, enum phase phase)
{
	uint64_t timer_ns = wheel_next_ns(&c->wheel);
	bool may_start = c->next < c->me->count && c->free_count > 0;

	if (phase == PHASE_RAMP && may_start && shm_get(c->shm->stop) == STOP_NONE) {
		uint64_t due_ns = pace_next_ns(&c->pace, c->now_ns);

		return due_ns < timer_ns ? due_ns : timer_ns;
	}
	if (phase != PHASE_RAMP && may_start)
		return c->now_ns;
	return timer_ns;
}

static int turn(struct client *c, enum phase phase)
{
	if (phase == PHASE_RAMP)
		start_due_connects(c);
	else
		start_due_proofs(c);
	int count = engine_poll(c->engine, c->events, EVENTS, next_deadline(c, phase));

	c->now_ns = clock_now_ns();
	for (int i = 0; i < count; i++)
		handle(c, &c->events[i]);
	handle_timers(c);
	return count < 0 ? count : 0;
}

static int hold(struct client *c)
{
	shm_set(c->me->user_bytes, sample_own_bytes());
	while (shm_get(c->shm->phase) == PHASE_HOLD) {
		int count = engine_poll(c->engine, c->events, EVENTS, UINT64_MAX);

		if (count < 0)
			return count;
		for (int i = 0; i < count; i++)
			handle(c, &c->events[i]);
	}
	return 0;
}

static int ramp(struct client *c)
{
	uint64_t share = (c->x->rate_per_s + c->x->client_workers - 1) / c->x->client_workers;
	int failed = 0;

	c->now_ns = clock_now_ns();
	/* Sleeps end up to a millisecond late, and the CPU is shared with a server: what was missed
	 * in a few of its turns is made up for. */
	pace_init(&c->pace, share, CONNECT_BATCH + share / 50, c->now_ns);
	while (!ramp_is_over(c) && failed == 0)
		failed = turn(c, PHASE_RAMP);
	shm_set(c->me->not_tried, c->me->not_tried + c->me->count - c->next);
	shm_set(c->me->cpu_ns, sample_own_cpu_ns());
	return failed;
}

static int prove(struct client *c, enum phase phase)
{
	int failed = 0;

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
	case PHASE_CLOSE:
		engine_close_all(c->engine,
		                 c->x->has_netns ? ENGINE_CLOSE_SILENT : ENGINE_CLOSE_RESET);
		shm_set(c->me->open, 0);
		return 0;
	default:
		return 0;
	}
}
