/* server: accepts whatever comes, sends back what it receives, and gathers tokens from the stream.
 *
 * Per connection it keeps how many bytes of an unfinished token it has, and room for them that is
 * only touched when a token comes in pieces. */
#include "run/server.h"

#include "base/clock.h"
#include "base/map.h"
#include "behave/token.h"
#include "run/sampler.h"

#include <errno.h>
#include <string.h>

#define EVENTS 512

/* In the place of how many bytes of a token are there: a connection that only asks if we echo. */
#define HELLO UINT8_MAX

/* An echo that the engine could not take: again after the next poll. Nothing else happens to its
 * connection meanwhile, as nothing is asked of it. */
struct due {
	uint32_t index, len;
	uint8_t data[ENGINE_SEND_MOST];
};

struct server {
	const struct experiment *x;
	struct shm *shm;
	struct shm_worker *me;
	struct engine *engine;
	uint32_t capacity; /* indexes of the engine are below it */
	uint8_t *have;
	uint8_t (*part)[TOKEN_BYTES];
	uint64_t now_ns;
	enum phase phase;
	bool accept_off;
	struct engine_event events[EVENTS];
	uint32_t due_count;
	struct due due[EVENTS];
};

struct server *server_make(const struct experiment *x, struct shm *shm, struct shm_worker *me,
                           struct engine *engine)
{
	struct server *s = map_private(sizeof(*s));

	if (!s)
		return NULL;
	s->x = x;
	s->shm = shm;
	s->me = me;
	s->engine = engine;
	s->capacity = engine->index_end;
	s->have = map_private(s->capacity);
	s->part = map_private((size_t)s->capacity * TOKEN_BYTES);
	return s->have && s->part ? s : NULL;
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

static void on_accepted(struct server *s, uint32_t index, int code)
{
	if (code < 0) {
		shm_count(s->me->accept_errors[cause_of_errno(code)]);
		return;
	}
	s->have[index] = 0;
	shm_count(s->me->opened);
	shm_count(s->me->open);
	shm_set(s->me->last_open_ns, s->now_ns);
}

/* `code`: 0 where the peer closed in order, or the errno that ended it. */
static void drop(struct server *s, uint32_t index, int code)
{
	engine_close(s->engine, index, ENGINE_CLOSE_FIN);
	if (s->have[index] == HELLO) /* it never counted */
		return;
	shm_set(s->me->open, s->me->open - 1);
	if (code == 0)
		shm_count(s->me->closed);
	else
		shm_count(s->me->lost[cause_of_errno(code)]);
}

/* A client that asks first whether we echo does it on a connection apart, which is none of those
 * that count. */
static void note_hello(struct server *s, uint32_t index)
{
	s->have[index] = HELLO;
	shm_set(s->me->opened, s->me->opened - 1);
	shm_set(s->me->open, s->me->open - 1);
}

static void note_token(struct server *s, uint32_t index, const uint8_t token[TOKEN_BYTES])
{
	uint8_t expected[TOKEN_BYTES];
	uint32_t connection;
	unsigned int round;

	if (!token_parse(token, &connection, &round))
		return;
	if (round == TOKEN_HELLO) {
		note_hello(s, index);
		return;
	}
	if (!s->x->echo) /* and so none was sent back */
		return;
	shm_count(s->me->proof[round].echoed);
	if (!s->x->knows_tokens)
		return;
	token_make(expected, s->shm->key, connection, round);
	if (memcmp(token, expected, TOKEN_BYTES) == 0) /* and not another run's */
		shm_prove(s->shm, ROLE_SERVER, round, connection);
}

static void note_tokens(struct server *s, uint32_t index, const uint8_t *data, size_t len)
{
	uint8_t token[TOKEN_BYTES];

	while (s->have[index] != HELLO &&
	       token_gather(&s->have[index], s->part[index], &data, &len, token))
		note_token(s, index, token);
}

static void put_off(struct server *s, uint32_t index, const uint8_t *data, uint32_t len)
{
	if (s->due_count == EVENTS) {
		drop(s, index, -ENOBUFS);
		return;
	}
	struct due *due = &s->due[s->due_count++];

	due->index = index;
	due->len = len;
	memcpy(due->data, data, len);
}

/* A peer that sends and never reads gets no further: nothing is received before this is sent. */
static void echo(struct server *s, uint32_t index, const uint8_t *data, uint32_t len)
{
	if (engine_send(s->engine, index, data, len) != 0)
		put_off(s, index, data, len);
}

static void send_due(struct server *s)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < s->due_count; i++) {
		const struct due *due = &s->due[i];

		if (engine_send(s->engine, due->index, due->data, due->len) != 0)
			s->due[kept++] = *due;
	}
	s->due_count = kept;
}

static void on_received(struct server *s, uint32_t index, const struct engine_event *event)
{
	if (event->result <= 0) {
		drop(s, index, event->result);
		return;
	}
	shm_set(s->me->received_bytes, s->me->received_bytes + (uint64_t)event->result);
	note_tokens(s, index, event->data, (size_t)event->result);
	if (s->x->echo)
		echo(s, index, event->data, (uint32_t)event->result);
	else
		engine_receive(s->engine, index, ENGINE_WAIT_IDLE);
}

static void on_sent(struct server *s, uint32_t index, const struct engine_event *event)
{
	const uint8_t *data = event->data;
	uint32_t sent = event->result > 0 ? (uint32_t)event->result : 0;

	if (event->result < 0 && !engine_is_momentary(event->result))
		drop(s, index, event->result);
	else if (sent < event->len)
		echo(s, index, data + sent, event->len - sent);
	else
		engine_receive(s->engine, index, ENGINE_WAIT_IDLE);
}

static void handle(struct server *s, const struct engine_event *event)
{
	uint32_t index = engine_tag_index(event->tag);

	switch ((enum engine_op)engine_tag_op(event->tag)) {
	case ENGINE_ACCEPTED:
		on_accepted(s, index, event->result);
		break;
	case ENGINE_RECEIVED:
		on_received(s, index, event);
		break;
	case ENGINE_SENT:
		on_sent(s, index, event);
		break;
	case ENGINE_CONNECTED:
	case ENGINE_OP_COUNT:
		break;
	}
}

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

int server_serve(struct server *s)
{
	while (s->phase < PHASE_CLOSE) {
		send_due(s);
		int count = engine_poll(s->engine, s->events, EVENTS,
		                        s->due_count > 0 ? clock_now_ns() + NS_PER_MS : UINT64_MAX);
		enum phase phase = shm_get(s->shm->phase);

		if (count < 0)
			return count;
		s->now_ns = clock_now_ns();
		for (int i = 0; i < count; i++)
			handle(s, &s->events[i]);
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
