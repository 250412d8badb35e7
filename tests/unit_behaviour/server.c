/* server: a server worker that serves whoever comes. The clients are the test's: each sends the two
 * tokens of its index in pieces of any length, reads back what it sent, and goes at some point. */
#include "run/server.h"

#include "base/clock.h"
#include "unit_behaviour/groups.h"
#include "unit_behaviour/world.h"

#include <stdlib.h>
#include <string.h>

#define SEEDS         300
#define BATCH         64
#define STREAM        ((uint64_t)TOKEN_ROUNDS * TOKEN_BYTES)
#define PATIENCE      300 /* pumps without progress, until a client goes */
#define SETTLED_POLLS 400

enum { CALLER_IDLE, CALLER_CONNECTING, CALLER_OPEN, CALLER_GONE };

struct caller {
	int state;
	uint8_t stream[STREAM];
	uint32_t given, sent, echoed, goes_at; /* goes_at: bytes echoed */
	bool is_sending;
	uint64_t moved;
};

struct scene {
	struct world w;
	struct engine *client;
	struct caller callers[WORLD_CONNECTIONS];
	uint64_t pumps, settled, open_before_close;
	uint32_t next, gone;
};

static void go(struct scene *s, uint32_t index)
{
	struct caller *c = &s->callers[index];

	engine_close(s->client, index,
	             world_draw(&s->w) % 2 ? ENGINE_CLOSE_FIN : ENGINE_CLOSE_RESET);
	c->state = CALLER_GONE;
	s->gone++;
}

static void send_more(struct scene *s, uint32_t index)
{
	struct caller *c = &s->callers[index];
	uint32_t left = STREAM - c->sent;

	if (c->state != CALLER_OPEN || c->is_sending || left == 0)
		return;
	uint32_t len = 1 + (uint32_t)(world_draw(&s->w) % left);

	c->is_sending = engine_send(s->client, index, c->stream + c->sent, len) == 0;
	if (c->is_sending && c->given < c->sent + len)
		c->given = c->sent + len;
}

static void on_connected(struct scene *s, uint32_t index, int code)
{
	struct caller *c = &s->callers[index];

	if (code < 0) {
		c->state = CALLER_GONE;
		s->gone++;
		return;
	}
	c->state = CALLER_OPEN;
	engine_receive(s->client, index, ENGINE_WAIT_SOON);
}

static void on_sent(struct scene *s, uint32_t index, int result)
{
	struct caller *c = &s->callers[index];

	c->is_sending = false;
	if (result > 0)
		c->sent += (uint32_t)result;
	else if (!engine_is_momentary(result))
		go(s, index);
}

static void on_echo(struct scene *s, uint32_t index, const uint8_t *data, uint32_t len)
{
	struct caller *c = &s->callers[index];

	assert_true(c->echoed + len <= STREAM);
	if (s->w.faults.corrupt == 0)
		assert_memory_equal(data, c->stream + c->echoed, len);
	c->echoed += len;
	if (c->echoed >= c->goes_at)
		go(s, index);
	else
		engine_receive(s->client, index, ENGINE_WAIT_SOON);
}

static void on_event(struct scene *s, const struct engine_event *event)
{
	uint32_t index = engine_tag_index(event->tag);
	struct caller *c = &s->callers[index];

	if (c->state == CALLER_GONE)
		return;
	c->moved = s->pumps;
	if (engine_tag_op(event->tag) == ENGINE_CONNECTED)
		on_connected(s, index, event->result);
	else if (engine_tag_op(event->tag) == ENGINE_SENT)
		on_sent(s, index, event->result);
	else if (event->result > 0)
		on_echo(s, index, event->data, (uint32_t)event->result);
	else
		go(s, index);
}

static void call(struct scene *s)
{
	struct sockaddr_storage source, target;
	uint32_t index = s->next++;
	struct caller *c = &s->callers[index];
	struct tuple t = tuple_at(&s->w.x->tuples, index);
	socklen_t len = ip_sockaddr(&t.source, t.source_port, &source);

	ip_sockaddr(&t.target, t.target_port, &target);
	for (unsigned int r = 0; r < TOKEN_ROUNDS; r++)
		token_make(c->stream + (size_t)r * TOKEN_BYTES, s->w.shm->key, index, r);
	c->goes_at = world_draw(&s->w) % 3 ? STREAM : 1 + (uint32_t)(world_draw(&s->w) % STREAM);
	c->state = CALLER_CONNECTING;
	c->moved = s->pumps;
	engine_connect(s->client, index, (const struct sockaddr *)&source,
	               (const struct sockaddr *)&target, len);
}

static void end_the_stuck(struct scene *s)
{
	for (uint32_t i = 0; i < s->next; i++) {
		const struct caller *c = &s->callers[i];

		if ((c->state == CALLER_OPEN || c->state == CALLER_CONNECTING) &&
		    s->pumps - c->moved > PATIENCE)
			go(s, i);
	}
}

/* When all have gone, and the server had time to see it, it is over. */
static void settle(struct scene *s)
{
	s->w.shm->accept_off = false;
	if (s->gone < WORLD_CONNECTIONS || ++s->settled < SETTLED_POLLS)
		return;
	s->open_before_close = s->w.me->open;
	if (s->w.faults.corrupt == 0)
		assert_int_equal(s->w.me->open, fake_open(s->w.fake, FAKE_SERVER));
	s->w.shm->phase = PHASE_CLOSE;
}

static void pump(void *with)
{
	struct scene *s = with;
	struct engine_event events[BATCH];

	s->pumps++;
	if (s->next < WORLD_CONNECTIONS && world_draw(&s->w) % 2)
		call(s);
	for (uint32_t i = 0; i < s->next; i++)
		send_more(s, i);
	int count = engine_poll(s->client, events, BATCH, 0);

	for (int i = 0; i < count; i++)
		on_event(s, &events[i]);
	end_the_stuck(s);
	if (s->next < WORLD_CONNECTIONS)
		s->w.shm->accept_off = world_draw(&s->w) % 8 == 0;
	else
		settle(s);
}

static void check_counts(const struct scene *s)
{
	const struct fake_tally *t = fake_tally(s->w.fake, FAKE_SERVER);
	const struct shm_worker *me = s->w.me;

	/* A bit that makes a token a hello takes a connection out of all counts. */
	if (s->w.faults.corrupt > 0)
		return;
	assert_int_equal(me->opened, t->accepted);
	assert_int_equal(world_sum(me->accept_errors), t->accept_errors);
	assert_int_equal(me->accept_errors[CAUSE_NO_DESCRIPTOR], t->accept_errors);
	assert_int_equal(me->opened, me->closed + world_sum(me->lost) + s->open_before_close);
	assert_int_equal(me->received_bytes, t->received_bytes);
	assert_int_equal(me->closed, t->ended[CAUSE_CLOSED]);
	for (int i = 0; i < CAUSE_COUNT; i++)
		if (i != CAUSE_CLOSED)
			assert_int_equal(me->lost[i], t->ended[i]);
}

/* Proved is what came back, and not what was never given. */
static void check_proofs(const struct scene *s, unsigned int round)
{
	const uint32_t end = (round + 1) * TOKEN_BYTES;
	uint64_t given = 0, echoed = 0;

	for (uint32_t i = 0; i < WORLD_CONNECTIONS; i++) {
		given += s->callers[i].given >= end;
		echoed += s->callers[i].echoed >= end;
	}
	assert_true(shm_proved(s->w.shm, ROLE_SERVER, round) <= given);
	if (s->w.faults.corrupt == 0)
		assert_true(shm_proved(s->w.shm, ROLE_SERVER, round) >= echoed);
}

static void run_seed(uint64_t seed)
{
	const int no_socket = -1;
	struct scene *s = calloc(1, sizeof(*s));
	struct err err;

	assert_non_null(s);
	world_make(&s->w, ROLE_SERVER, seed, pump, s);
	s->client = fake_engine(s->w.fake, FAKE_CLIENT);
	struct server *server = server_make(s->w.x, s->w.shm, s->w.me,
	                                    fake_engine(s->w.fake, FAKE_SERVER));

	assert_non_null(server);
	assert_int_equal(server_listen(server, &no_socket, &err), 0);
	s->w.shm->phase = PHASE_RAMP;
	int failed = server_serve(server);

	world_assert_no_breach(&s->w);
	assert_int_equal(failed, 0);
	check_counts(s);
	for (unsigned int r = 0; r < TOKEN_ROUNDS; r++)
		check_proofs(s, r);
	assert_int_equal(s->w.me->open, 0);
	assert_int_equal(fake_open(s->w.fake, FAKE_SERVER), 0);
	world_drop(&s->w);
	free(s);
}

static void test_seeds(void **state)
{
	(void)state;
	world_each_seed("server", SEEDS, run_seed);
}

int run_server_tests(void)
{
	static const struct CMUnitTest server_tests[] = {cmocka_unit_test(test_seeds)};

	return cmocka_run_group_tests_name("server", server_tests, NULL, NULL);
}
