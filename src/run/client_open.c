/* client_open: see the header. */
#include "run/client_open.h"

#include "base/clock.h"
#include "plan/tuple.h"
#include "run/client_churn.h"
#include "run/client_push.h"
#include "run/client_state.h"
#include "run/client_storm.h"
#include "run/client_traffic.h"
#include "run/client_why.h"

#define BACKOFF_NS   (100 * NS_PER_MS)
#define STORM_BATCH  256      /* a turn may have as many answers to hear between two of them */
#define BACKOFF_MOST NS_PER_S /* where it never gives up: a server that is back is soon found */

void client_connect(struct client *c, struct flight *f)
{
	struct sockaddr_storage source, target;
	struct tuple t = tuple_at(&c->x->tuples, client_churn_tuple(c, f->conn));
	socklen_t len = ip_sockaddr(&t.source, t.source_port, &source);

	ip_sockaddr(&t.target, t.target_port, &target);
	f->kind = FLIGHT_CONNECT;
	f->started_ns = clock_now_ns();
	c->states[f->conn] = CONN_CONNECTING;
	client_unask(c, f->conn);
	client_set_timer(c, f, c->x->timeout_ns);
	engine_connect(c->engine, f->conn, (const struct sockaddr *)&source,
	               (const struct sockaddr *)&target, len);
}

static bool is_tried_again(const struct client *c, const struct flight *f)
{
	return !client_is_stopped(c) && (c->x->reconnect || f->tries < c->x->retries);
}

static uint64_t backoff_ns(const struct client *c, const struct flight *f)
{
	uint64_t pause_ns = BACKOFF_NS << (f->tries < 10 ? f->tries : 10);

	return c->x->reconnect && pause_ns > BACKOFF_MOST ? BACKOFF_MOST : pause_ns;
}

/* Not all of what is between the ends is known beforehand: nobody tries for ever. */
static bool has_walls(const struct experiment *x)
{
	return x->kind == RUN_CONNECT || x->via.box.kind != VIA_NONE;
}

/* One that is lost already counts no more; one that was to come back is lost now. */
static void count_failure(struct client *c, const struct flight *f, enum cause cause)
{
	if (f->again == AGAIN_LOST || f->again == AGAIN_NOT)
		c->states[f->conn] = f->again == AGAIN_LOST ? CONN_LOST : CONN_FAILED;
	else
		c->states[f->conn] = CONN_LOST;
	if (f->again == AGAIN_CHURNED) {
		shm_count(c->me->churn.failed[cause]);
		client_churn_gone(c, f->conn);
	}
	if (f->again == AGAIN_CUT)
		shm_count(c->me->storm.failed[cause]);
	if (f->again != AGAIN_NOT && f->again != AGAIN_LOST)
		shm_count(c->me->lost[cause]);
	if (f->again != AGAIN_NOT)
		return;
	shm_count(c->me->failed[cause]);
	c->unconnected++;
	if (has_walls(c->x) && c->unconnected >= c->flights.count)
		c->gave_up = true;
}

void client_connect_failed(struct client *c, struct flight *f, enum cause cause)
{
	if (is_tried_again(c, f)) {
		shm_count(c->me->retried[cause]);
		if (cause == CAUSE_NO_PORT)
			client_churn_replace_tuple(c, f->conn);
		f->kind = FLIGHT_BACKOFF;
		client_set_timer(c, f, backoff_ns(c, f));
		if (f->tries < UINT8_MAX)
			f->tries++;
		return;
	}
	count_failure(c, f, cause);
	flights_land(&c->flights, f);
}

/* Which of the worker's counters counts that it is open. */
static uint64_t *count_of(struct client *c, enum again again)
{
	switch (again) {
	case AGAIN_NOT:
		return &c->me->opened;
	case AGAIN_LOST:
		return &c->me->reconnected;
	case AGAIN_CHURNED:
		return &c->me->churn.opened;
	case AGAIN_CUT:
		return &c->me->storm.back;
	case AGAIN_STAGED:
		return &c->me->staged;
	}
	return &c->me->opened;
}

static void note_open(struct client *c, const struct flight *f)
{
	enum again again = (enum again)f->again;
	uint64_t *count = count_of(c, again);

	shm_count(*count);
	shm_count(c->me->open);
	if (again == AGAIN_NOT)
		shm_set(c->me->last_open_ns, c->now_ns);
	if (again == AGAIN_CUT)
		hist_record(&c->me->storm.back_after, c->now_ns - c->me->storm.cut_ns);
}

void client_on_connected(struct client *c, uint32_t conn, int code)
{
	struct flight *f = flights_of(&c->flights, conn);

	if (code < 0) {
		client_connect_failed(c, f, client_why_failed(c, conn, cause_of_errno(code)));
		return;
	}
	bool is_churned = f->again == AGAIN_CHURNED;

	hist_record(&c->me->connect, c->now_ns - f->started_ns);
	c->states[conn] = CONN_OPEN;
	c->unconnected = 0;
	note_open(c, f);
	flights_land(&c->flights, f);
	if (c->stage)
		client_traffic_opened(c, conn);
	client_push_opened(c, conn);
	if (is_churned)
		client_churn_opened(c, conn);
	if (c->x->watch && client_is_open(c, conn))
		client_ask(c, conn, ENGINE_WAIT_IDLE);
}

struct flight *client_take_off_again(struct client *c, uint32_t conn)
{
	struct flight *f = flights_take_off(&c->flights, conn, FLIGHT_BACKOFF);

	f->again = (uint8_t)(c->states[conn] - CONN_AGAIN);
	c->states[conn] = CONN_CONNECTING;
	c->again_count--;
	return f;
}

/* The next connection to open: in the ramp in their order, in the hold what was closed or lost.
 */
static struct flight *next_to_open(struct client *c, enum phase phase)
{
	if (phase == PHASE_RAMP)
		return flights_take_off(&c->flights, c->next++, FLIGHT_CONNECT);
	while (c->states[c->again_next] < CONN_AGAIN)
		c->again_next = (c->again_next + 1) % c->me->count;
	return client_take_off_again(c, c->again_next);
}

bool client_has_to_open(const struct client *c, enum phase phase)
{
	if (client_is_stopped(c) || c->flights.free_count == 0)
		return false;
	return phase == PHASE_RAMP ? c->next < c->wanted
	                           : phase == PHASE_HOLD && c->again_count > 0;
}

uint64_t client_open_next_ns(const struct client *c)
{
	return client_storm_has_cut(c) ? c->now_ns : pace_next_ns(&c->pace, c->now_ns);
}

void client_open_due(struct client *c, enum phase phase)
{
	bool is_paced = !client_storm_has_cut(c);
	uint64_t due = is_paced ? pace_due(&c->pace, c->now_ns) : UINT64_MAX;
	uint32_t started = 0, most = is_paced ? CLIENT_CONNECT_BATCH : STORM_BATCH;

	for (; started < due && started < most && client_has_to_open(c, phase); started++)
		client_connect(c, next_to_open(c, phase));
	if (is_paced)
		pace_take(&c->pace, started);
}

/* When connecting ends early, pauses between tries are not waited for. */
void client_give_up_backoffs(struct client *c)
{
	for (uint32_t i = 0; i < c->flights.count; i++) {
		struct flight *f = flights_at(&c->flights, i);

		if (!f || f->kind != FLIGHT_BACKOFF)
			continue;
		c->states[f->conn] = f->again != AGAIN_NOT ? CONN_LOST : CONN_IDLE;
		if (f->again == AGAIN_NOT)
			shm_count(c->me->not_tried);
		flights_land(&c->flights, f);
	}
}

bool client_ramp_is_over(struct client *c)
{
	if (client_is_stopped(c))
		client_give_up_backoffs(c);
	return !flights_any(&c->flights) && (client_is_stopped(c) || c->next == c->wanted);
}

/* Not connected, or lost since, be it to be opened again. */
static bool has_failed(const struct client *c, uint32_t conn)
{
	return c->states[conn] >= CONN_FAILED;
}

uint64_t client_opened_late(const struct client *c)
{
	uint64_t failed = 0, seen = 0, late = 0;

	for (uint32_t conn = 0; conn < c->next; conn++)
		failed += has_failed(c, conn);
	for (uint32_t conn = 0; conn < c->next && failed > 0; conn++) {
		if (has_failed(c, conn))
			seen++;
		else if (c->states[conn] != CONN_IDLE)
			late += 2 * seen > failed;
	}
	return late;
}

/* Closed by a churn or a storm. */
static bool is_by_stage(uint8_t again)
{
	return again == AGAIN_CHURNED || again == AGAIN_CUT;
}

bool client_open_is_whole(struct client *c)
{
	if (c->again_count > 0)
		return false;
	for (uint32_t i = 0; i < c->flights.count && flights_any(&c->flights); i++) {
		const struct flight *f = flights_at(&c->flights, i);

		if (f && is_by_stage(f->again))
			return false;
	}
	return true;
}

/* Its stage waits for it no longer, and it is lost: which is what --reconnect is for. */
static void give_up(struct client *c, const struct flight *f)
{
	count_failure(c, f, CAUSE_TIMEOUT);
	if (!c->x->reconnect)
		return;
	c->states[f->conn] = CONN_AGAIN + AGAIN_LOST;
	c->again_count++;
}

/* Those that wait for a flight. */
static void give_up_waiting(struct client *c)
{
	for (uint32_t conn = 0; conn < c->me->count; conn++) {
		if (c->states[conn] != CONN_AGAIN + AGAIN_CUT)
			continue;
		const struct flight never = {.conn = conn, .again = AGAIN_CUT};

		c->again_count--;
		give_up(c, &never);
	}
}

void client_open_give_up(struct client *c)
{
	for (uint32_t i = 0; i < c->flights.count; i++) {
		struct flight *f = flights_at(&c->flights, i);

		if (!f || !is_by_stage(f->again))
			continue;
		if (f->kind == FLIGHT_CONNECT)
			engine_close(c->engine, f->conn, ENGINE_CLOSE_FIN);
		give_up(c, f);
		flights_land(&c->flights, f);
	}
	if (c->again_count > 0)
		give_up_waiting(c);
}
