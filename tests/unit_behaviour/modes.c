/* modes: a server worker in each of its modes but echo (server.c), with faults: the clients are the
 * test's, and each byte that comes is one that should come. */
#include "base/clock.h"
#include "behave/chargen.h"
#include "behave/push.h"
#include "behave/responder.h"
#include "run/server.h"
#include "unit_behaviour/groups.h"
#include "unit_behaviour/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEEDS         60 /* of each mode */
#define BATCH         64
#define PATIENCE      300 /* pumps without progress, until a client goes */
#define SETTLED_POLLS 400
#define ENDLESS_MOST  3000 /* bytes of what has no end */
#define STREAM_MOST   4096
#define BODY          200
#define EVERY_NS      (5 * NS_PER_MS)

enum { CALLER_IDLE, CALLER_CONNECTING, CALLER_OPEN, CALLER_GONE };

struct caller {
	int state;
	uint32_t sent, heard, goes_at;
	bool is_sending;
	uint64_t moved;
	struct push_hearing push;
	uint32_t pushes, echoed, next;
};

struct scene {
	struct world w;
	enum serve_mode mode;
	struct engine *client;
	struct caller callers[WORLD_CONNECTIONS];
	uint8_t say[STREAM_MOST], expected[STREAM_MOST]; /* by each client, and what comes of it */
	uint32_t say_len, expected_len;
	uint64_t pumps, settled, open_before_close, heard_pushes;
	uint32_t next, gone;
};

static void add(uint8_t *stream, uint32_t *len, const void *data, size_t more)
{
	assert_true(*len + more <= STREAM_MOST);
	memcpy(stream + *len, data, more);
	*len += (uint32_t)more;
}

static void plan_answer(struct scene *s, const struct response *of, bool has_body, bool ends)
{
	uint8_t body[BODY];

	add(s->expected, &s->expected_len, ends ? of->end : of->keep,
	    ends ? of->end_bytes : of->keep_bytes);
	chargen_write(0, body, sizeof(body));
	add(s->expected, &s->expected_len, body, has_body ? sizeof(body) : 0);
}

static void plan_http(struct scene *s)
{
	static const char many[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\nHEAD /b HTTP/1.1\r\n\r\n"
				   "POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nabcd";
	static const char last[] = "GET / HTTP/1.1\r\nConnection: close\r\n\r\n";
	bool ends = world_draw(&s->w) % 2;
	struct response of;

	response_make(&of, BODY);
	s->w.x->body_bytes = BODY;
	add(s->say, &s->say_len, many, sizeof(many) - 1);
	for (int i = 0; i < 3; i++)
		plan_answer(s, &of, i != 1, false);
	if (!ends)
		return;
	add(s->say, &s->say_len, last, sizeof(last) - 1);
	plan_answer(s, &of, true, true);
}

static void plan(struct scene *s)
{
	static const uint8_t some[500] = "anything";

	s->w.x->mode = s->mode;
	s->w.x->kind = RUN_SERVE;
	s->w.x->knows_tokens = false;
	s->w.x->push = (struct stage){
		.every_ns = EVERY_NS, .size_least_bytes = 32, .size_most_bytes = 400};
	s->w.shm->ramp_start_ns = s->w.now_ns;
	if (s->mode == SERVE_HTTP)
		plan_http(s);
	else
		add(s->say, &s->say_len, some, 1 + world_draw(&s->w) % sizeof(some));
	if (s->mode == SERVE_CHARGEN) {
		s->expected_len = ENDLESS_MOST;
		chargen_write(0, s->expected, ENDLESS_MOST);
	}
}

static void go(struct scene *s, uint32_t index)
{
	engine_close(s->client, index,
	             world_draw(&s->w) % 2 ? ENGINE_CLOSE_FIN : ENGINE_CLOSE_RESET);
	s->callers[index].state = CALLER_GONE;
	s->gone++;
}

static void send_more(struct scene *s, uint32_t index)
{
	struct caller *c = &s->callers[index];
	uint32_t left = s->say_len - c->sent;

	if (c->state != CALLER_OPEN || c->is_sending || left == 0)
		return;
	uint32_t len = 1 + (uint32_t)(world_draw(&s->w) % left);

	len = len < ENGINE_SEND_MAX ? len : ENGINE_SEND_MAX;
	c->is_sending = engine_send(s->client, index, s->say + c->sent, len) == 0;
}

/* Messages and the echo, whole messages between any two bytes of it. */
static void hear_push(struct scene *s, struct caller *c, const uint8_t *data, uint32_t len)
{
	while (len > 0) {
		struct push_message m;
		uint32_t used = 1, missed;

		if (c->push.heard == 0 && *data != PUSH_FIRST_BYTE) {
			assert_true(c->echoed < s->say_len);
			assert_int_equal(*data, s->say[c->echoed++]);
		} else {
			enum push_heard heard = push_hear(&c->push, 0, data, len, &used, &m);

			assert_int_not_equal(heard, PUSH_WRONG);
			if (heard == PUSH_WHOLE) {
				assert_int_equal(push_judge(&c->next, m.round, &missed),
				                 ANSWER_GOOD);
				assert_int_equal(m.due_ns,
				                 s->w.shm->ramp_start_ns + m.round * EVERY_NS);
				assert_true(m.due_ns <= s->w.now_ns);
				assert_int_equal(m.size, push_size(&s->w.x->push, m.round));
				s->heard_pushes++;
			}
		}
		data += used;
		len -= used;
	}
}

static void hear(struct scene *s, uint32_t index, const uint8_t *data, uint32_t len)
{
	struct caller *c = &s->callers[index];

	if (s->w.faults.corrupt > 0) {
		; /* nobody knows what comes then */
	} else if (s->mode == SERVE_PUSH) {
		hear_push(s, c, data, len);
	} else {
		uint32_t known = c->heard < s->expected_len ? s->expected_len - c->heard : 0;

		assert_true(len <= known || s->mode == SERVE_CHARGEN);
		assert_memory_equal(data, s->expected + c->heard, len < known ? len : known);
	}
	c->heard += len;
	if (c->heard >= c->goes_at)
		go(s, index);
	else
		engine_receive(s->client, index, ENGINE_WAIT_SOON);
}

static void on_connected(struct scene *s, uint32_t index, int code)
{
	struct caller *c = &s->callers[index];

	c->state = code < 0 ? CALLER_GONE : CALLER_OPEN;
	s->gone += code < 0;
	if (code == 0)
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
		hear(s, index, event->data, (uint32_t)event->result);
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
	c->goes_at = 1 + (uint32_t)(world_draw(&s->w) % ENDLESS_MOST);
	c->next = PUSH_ANY;
	c->state = CALLER_CONNECTING;
	c->moved = s->pumps;
	engine_connect(s->client, index, (const struct sockaddr *)&source,
	               (const struct sockaddr *)&target, len);
}

static void settle(struct scene *s)
{
	if (s->gone < WORLD_CONNECTIONS || ++s->settled < SETTLED_POLLS)
		return;
	s->open_before_close = s->w.me->open;
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
	for (uint32_t i = 0; i < s->next; i++)
		if ((s->callers[i].state == CALLER_OPEN ||
		     s->callers[i].state == CALLER_CONNECTING) &&
		    s->pumps - s->callers[i].moved > PATIENCE)
			go(s, i);
	if (s->next == WORLD_CONNECTIONS)
		settle(s);
}

static void check(const struct scene *s)
{
	const struct fake_tally *t = fake_tally(s->w.fake, FAKE_SERVER);
	const struct shm_worker *me = s->w.me;

	assert_int_equal(me->open, 0);
	assert_int_equal(fake_open(s->w.fake, FAKE_SERVER), 0);
	if (s->w.faults.corrupt > 0)
		return;
	assert_int_equal(me->opened, t->accepted);
	assert_int_equal(me->opened, me->closed + world_sum(me->lost) + s->open_before_close);
	assert_int_equal(me->received_bytes, t->received_bytes);
	assert_true(me->traffic.said_bytes <= t->sent_bytes); /* some ended meanwhile */
	assert_true(s->heard_pushes <= me->traffic.said);
}

/* How many bytes all clients heard. */
static uint64_t run_seed(enum serve_mode mode, uint64_t seed)
{
	const int no_socket = -1;
	struct scene *s = calloc(1, sizeof(*s));
	struct err err;
	uint64_t heard = 0;

	assert_non_null(s);
	s->mode = mode;
	world_make(&s->w, ROLE_SERVER, seed, pump, s);
	plan(s);
	s->client = fake_engine(s->w.fake, FAKE_CLIENT);
	struct server *server = server_make(s->w.x, s->w.shm, s->w.me,
	                                    fake_engine(s->w.fake, FAKE_SERVER));

	assert_non_null(server);
	assert_int_equal(server_listen(server, &no_socket, &err), 0);
	s->w.shm->phase = PHASE_RAMP;
	int failed = server_serve(server);

	world_assert_no_breach(&s->w);
	assert_int_equal(failed, 0);
	check(s);
	for (uint32_t i = 0; i < WORLD_CONNECTIONS; i++)
		heard += s->callers[i].heard;
	world_drop(&s->w);
	free(s);
	return heard;
}

static void run_mode(enum serve_mode mode)
{
	const char *only = getenv("SEED");
	uint64_t first = only ? strtoull(only, NULL, 10) : 0, heard = 0;

	for (uint64_t seed = first; seed < (only ? first + 1 : SEEDS); seed++) {
		(void)printf("%s seed %llu\r", serve_mode_name(mode), (unsigned long long)seed);
		heard += run_seed(mode, seed);
	}
	assert_int_equal(heard > 0, mode != SERVE_HOLD && mode != SERVE_DISCARD);
}

static void test_hold(void **state)
{
	(void)state;
	run_mode(SERVE_HOLD);
}

static void test_http(void **state)
{
	(void)state;
	run_mode(SERVE_HTTP);
}

static void test_push(void **state)
{
	(void)state;
	run_mode(SERVE_PUSH);
}

static void test_discard(void **state)
{
	(void)state;
	run_mode(SERVE_DISCARD);
}

static void test_chargen(void **state)
{
	(void)state;
	run_mode(SERVE_CHARGEN);
}

int run_mode_tests(void)
{
	static const struct CMUnitTest mode_tests[] = {
		cmocka_unit_test(test_hold),    cmocka_unit_test(test_http),
		cmocka_unit_test(test_push),    cmocka_unit_test(test_discard),
		cmocka_unit_test(test_chargen),
	};

	return cmocka_run_group_tests_name("modes", mode_tests, NULL, NULL);
}
