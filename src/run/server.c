/* server: accepts whatever comes, sends back what it receives, and gathers tokens from the stream.
 *
 * Per connection it keeps how many bytes of an unfinished token it has, and room for them that is
 * only touched when a token comes in pieces. */
#include "run/server.h"

#include "base/clock.h"
#include "base/map.h"
#include "behave/token.h"
#include "engine/sock.h"
#include "plan/tuple.h"
#include "run/sample.h"

#include <string.h>

#define EVENTS 512

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
	struct engine_event events[EVENTS];
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

int server_listen(struct server *s, struct err *err)
{
	const struct tuple_plan *plan = &s->x->tuples;
	struct sockaddr_storage address;

	for (uint32_t i = 0; i < plan->target_port_count; i++) {
		uint16_t port = (uint16_t)(plan->target_port_low + i);
		struct sock_listen how = {
			.address = (const struct sockaddr *)&address,
			.address_len = ip_sockaddr(&plan->target, port, &address),
			.backlog = s->x->backlog,
			.cpu = s->x->pinned ? s->me->cpu : -1,
			.shared = s->x->server_workers > 1,
			.reset_on_close = true,
		};
		int fd = sock_listen(&how, err);

		if (fd < 0)
			return fd;
		int failed = engine_listen(s->engine, fd);

		if (failed != 0)
			return err_set(err, failed, "no room for another listening port");
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

static void drop(struct server *s, uint32_t index)
{
	engine_close(s->engine, index, ENGINE_CLOSE_FIN);
	shm_set(s->me->open, s->me->open - 1);
}

static void note_tokens(struct server *s, uint32_t index, const uint8_t *data, size_t len)
{
	uint8_t token[TOKEN_BYTES], expected[TOKEN_BYTES];

	while (token_gather(&s->have[index], s->part[index], &data, &len, token)) {
		uint32_t connection;
		unsigned int round;

		if (!token_parse(token, &connection, &round))
			continue;
		token_make(expected, s->shm->key, connection, round);
		if (memcmp(token, expected, TOKEN_BYTES) == 0) /* and not another run's */
			shm_prove(s->shm, ROLE_SERVER, round, connection);
	}
}

/* A peer that sends and never reads gets no further: nothing is received before this is sent. */
static void echo(struct server *s, uint32_t index, const uint8_t *data, uint32_t len)
{
	if (engine_send(s->engine, index, data, len) != 0)
		drop(s, index);
}

static void on_received(struct server *s, uint32_t index, const struct engine_event *event)
{
	if (event->result <= 0) {
		drop(s, index);
		return;
	}
	note_tokens(s, index, event->data, (size_t)event->result);
	echo(s, index, event->data, (uint32_t)event->result);
}

static void on_sent(struct server *s, uint32_t index, const struct engine_event *event)
{
	const uint8_t *data = event->data;
	uint32_t sent = event->result > 0 ? (uint32_t)event->result : 0;

	if (event->result < 0 && !engine_is_momentary(event->result))
		drop(s, index);
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

/* What is to be measured when a phase begins. */
static void enter_phase(struct server *s, enum phase phase)
{
	if (s->phase < PHASE_PROVE && phase >= PHASE_PROVE)
		shm_set(s->me->cpu_ns, sample_own_cpu_ns());
	if (phase == PHASE_HOLD)
		shm_set(s->me->user_bytes, sample_own_bytes());
	s->phase = phase;
}

int server_serve(struct server *s)
{
	while (s->phase < PHASE_CLOSE) {
		int count = engine_poll(s->engine, s->events, EVENTS, UINT64_MAX);
		enum phase phase = shm_get(s->shm->phase);

		if (count < 0)
			return count;
		s->now_ns = clock_now_ns();
		for (int i = 0; i < count; i++)
			handle(s, &s->events[i]);
		if (phase != s->phase)
			enter_phase(s, phase);
	}
	engine_close_all(s->engine, s->x->has_netns ? ENGINE_CLOSE_SILENT : ENGINE_CLOSE_FIN);
	shm_set(s->me->open, 0);
	return 0;
}
