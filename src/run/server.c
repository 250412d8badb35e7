/* server: accepts whatever comes, and does with it what its mode says (server_mode.c).
 *
 * Theory of operation
 *
 * A connection has been asked for data when it is accepted, and is asked again when its mode wants
 * more: where that answers, when the answer has been sent. So a peer that sends and never reads
 * gets no further, and costs nothing but its socket.
 *
 * One send of a connection is under way at a time. What the engine sent in part, and an echo that
 * it could not take, is copied and sent after the next poll (server_due); what a mode can write
 * again is not copied: the connection waits in a set (waiting), which is asked in its order, as
 * many as the engine takes each turn. So nobody starves, and a connection that has nothing to say
 * takes some bits.
 *
 * Tables are mapped for all indexes of the engine, and touched for those that need them. */
#include "run/server.h"

#include "base/clock.h"
#include "base/map.h"
#include "run/sampler.h"
#include "run/server_state.h"
#include "run/server_token.h"

#include <errno.h>
#include <string.h>

static bool make_tables(struct server *s)
{
	s->have = map_private(s->capacity);
	s->part = map_private((size_t)s->capacity * TOKEN_BYTES);
	s->out = map_private(s->most);
	s->due_data = map_private((size_t)SERVER_EVENTS * s->most);
	if (s->shm->roll)
		s->guest = map_private((size_t)s->capacity * sizeof(*s->guest));
	return s->have && (s->guest || !s->shm->roll) && s->part && s->out && s->due_data &&
	       bits_make(&s->open, s->capacity) && bits_make(&s->sending, s->capacity) &&
	       bits_make(&s->waiting, s->capacity);
}

struct server *server_make(const struct experiment *x, struct shm *shm, struct shm_worker *me,
                           struct engine *engine)
{
	struct server *s = map_private(sizeof(*s));

	if (!s)
		return NULL;
	s->x = x;
	s->mode = &server_modes[x->mode];
	s->shm = shm;
	s->me = me;
	s->engine = engine;
	s->capacity = engine->index_end;
	s->most = engine->send_most;
	return make_tables(s) && (!s->mode->make || s->mode->make(s)) ? s : NULL;
}

int server_listen(struct server *s, const int *listeners, struct err *err)
{
	for (uint32_t i = 0; i < s->x->listeners; i++) {
		int failed = engine_listen(s->engine, listeners[i]);

		if (failed != 0)
			return err_set(err, failed, "no room for another listening port: %s",
			               strerror(-failed));
	}
	return 0;
}

/* --- sending ------------------------------------------------------------------------------- */

bool server_send(struct server *s, uint32_t index, const void *data, uint32_t len)
{
	if (engine_send(s->engine, index, data, len) != 0)
		return false;
	bits_set(&s->sending, index);
	return true;
}

static void put_off(struct server *s, uint32_t index, const void *data, uint32_t len, bool is_rest)
{
	if (s->due_count == SERVER_EVENTS) {
		server_drop(s, index, -ENOBUFS);
		return;
	}
	memcpy(s->due_data + (size_t)s->due_count * s->most, data, len);
	s->due[s->due_count++] =
		(struct server_due){.index = index, .len = len, .is_rest = is_rest};
}

void server_send_later(struct server *s, uint32_t index, const void *data, uint32_t len)
{
	if (bits_has(&s->sending, index) || !server_send(s, index, data, len))
		put_off(s, index, data, len, false);
}

static void send_rest(struct server *s, uint32_t index, const void *data, uint32_t len)
{
	if (engine_send(s->engine, index, data, len) != 0)
		put_off(s, index, data, len, true);
}

/* Moves what remains together, in its order. */
static void keep_due(struct server *s, uint32_t from, uint32_t *kept)
{
	uint32_t to = (*kept)++;

	if (to == from)
		return;
	s->due[to] = s->due[from];
	memcpy(s->due_data + (size_t)to * s->most, s->due_data + (size_t)from * s->most,
	       s->due[to].len);
}

static void send_due(struct server *s)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < s->due_count; i++) {
		const struct server_due *due = &s->due[i];
		const uint8_t *data = s->due_data + (size_t)i * s->most;

		if ((!due->is_rest && bits_has(&s->sending, due->index)) ||
		    !server_send(s, due->index, data, due->len))
			keep_due(s, i, &kept);
	}
	s->due_count = kept;
}

static void forget_due(struct server *s, uint32_t index)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < s->due_count; i++)
		if (s->due[i].index != index)
			keep_due(s, i, &kept);
	s->due_count = kept;
}

void server_say(struct server *s, uint32_t index)
{
	if (s->mode->say(s, index))
		bits_clear(&s->waiting, index);
	else
		bits_set(&s->waiting, index);
}

/* Asks those that wait, until the engine is full again. */
static void say_waiting(struct server *s)
{
	while (s->waiting.count > 0) {
		uint32_t index = bits_next(&s->waiting, s->say_next);

		if (index == s->capacity) {
			s->say_next = 0;
			continue;
		}
		s->say_next = index;
		if (!s->mode->say(s, index))
			return;
		bits_clear(&s->waiting, index);
	}
}

/* --- events -------------------------------------------------------------------------------- */

static void on_accepted(struct server *s, uint32_t index, int code)
{
	if (code < 0) {
		shm_count(s->me->accept_errors[cause_of_errno(code)]);
		return;
	}
	server_token_opened(s, index);
	bits_set(&s->open, index);
	shm_count(s->me->opened);
	shm_count(s->me->open);
	shm_set(s->me->last_open_ns, s->now_ns);
	if (s->mode->opened)
		s->mode->opened(s, index);
}

void server_drop(struct server *s, uint32_t index, int code)
{
	engine_close(s->engine, index, ENGINE_CLOSE_FIN);
	bits_clear(&s->open, index);
	bits_clear(&s->sending, index);
	bits_clear(&s->waiting, index);
	forget_due(s, index);
	if (s->mode->closed)
		s->mode->closed(s, index);
	server_token_closed(s, index);
	if (server_token_is_hello(s, index)) /* it never counted */
		return;
	shm_set(s->me->open, s->me->open - 1);
	if (code == 0)
		shm_count(s->me->closed);
	else
		shm_count(s->me->lost[cause_of_loss(code)]);
}

static void on_received(struct server *s, uint32_t index, const struct engine_event *event)
{
	if (event->result <= 0) {
		server_drop(s, index, event->result);
		return;
	}
	shm_set(s->me->received_bytes, s->me->received_bytes + (uint64_t)event->result);
	server_token_note(s, index, event->data, (size_t)event->result);
	s->mode->heard(s, index, event->data, (uint32_t)event->result);
}

static void on_sent(struct server *s, uint32_t index, const struct engine_event *event)
{
	const uint8_t *data = event->data;
	uint32_t sent = event->result > 0 ? (uint32_t)event->result : 0;

	if (event->result < 0 && !engine_is_momentary(event->result)) {
		server_drop(s, index, event->result);
		return;
	}
	shm_set(s->me->traffic.said_bytes, s->me->traffic.said_bytes + sent);
	if (sent < event->len) {
		send_rest(s, index, data + sent, event->len - sent);
		return;
	}
	bits_clear(&s->sending, index);
	s->mode->sent(s, index);
}

static void handle(struct server *s, const struct engine_event *event)
{
	uint32_t index = engine_tag_index(event->tag);
	enum engine_op op = (enum engine_op)engine_tag_op(event->tag);

	if (op == ENGINE_ACCEPTED)
		on_accepted(s, index, event->result);
	else if (!bits_has(&s->open, index))
		return; /* closed by an earlier event of this batch */
	else if (op == ENGINE_RECEIVED)
		on_received(s, index, event);
	else if (op == ENGINE_SENT)
		on_sent(s, index, event);
}

/* --- the loop ------------------------------------------------------------------------------ */

/* Memory or room has come to an end, or there is some again. */
static void heed_accept_off(struct server *s)
{
	bool off = shm_get(s->shm->accept_off);

	if (off == s->accept_off)
		return;
	s->accept_off = off;
	engine_accept(s->engine, !off);
}

/* What is to be measured when a phase begins. */
static void enter_phase(struct server *s, enum phase phase)
{
	if (s->phase < PHASE_PROVE && phase >= PHASE_PROVE)
		shm_set(s->me->cpu_ns, sampler_own_cpu_ns());
	s->phase = phase;
}

/* What is due, or what an engine that was full will take again. */
static uint64_t next_ns(const struct server *s)
{
	uint64_t mode_ns = s->mode->next_ns ? s->mode->next_ns(s) : UINT64_MAX;
	uint64_t again_ns = s->due_count > 0 || s->waiting.count > 0 ? clock_now_ns() + NS_PER_MS
	                                                             : UINT64_MAX;

	return mode_ns < again_ns ? mode_ns : again_ns;
}

static int turn(struct server *s)
{
	send_due(s);
	say_waiting(s);
	if (s->mode->due)
		s->mode->due(s);
	int count = engine_poll(s->engine, s->events, SERVER_EVENTS, next_ns(s));

	s->now_ns = clock_now_ns();
	for (int i = 0; i < count; i++)
		handle(s, &s->events[i]);
	return count < 0 ? count : 0;
}

int server_serve(struct server *s)
{
	s->now_ns = clock_now_ns();
	while (s->phase < PHASE_CLOSE) {
		int failed = turn(s);
		enum phase phase = shm_get(s->shm->phase);

		if (failed != 0)
			return failed;
		heed_accept_off(s);
		if (shm_is_asked(s->shm, s->me))
			shm_answer(s->shm, s->me, sampler_own_bytes());
		if (phase != s->phase)
			enter_phase(s, phase);
	}
	engine_close_all(s->engine, s->x->close);
	shm_set(s->me->open, 0);
	return 0;
}
