/* traffic: a client worker in stages of echo, over an engine that fails in every way, with a server
 * that is the test's: it holds back, drops, spoils, doubles and invents bytes. Whatever happens,
 * each message comes to one end, what is said is what the behaviour says, once and in order, and
 * nothing hangs. */
#include "run/client.h"

#include "base/clock.h"
#include "behave/echo.h"
#include "unit_behaviour/groups.h"
#include "unit_behaviour/world.h"

#include <stdlib.h>
#include <string.h>

#define SEEDS        250
#define BATCH        64
#define HEARD        8192
#define MESSAGE_MOST 500
#define STAGES       3

/* What the server does to what it should send back, each in a thousand. */
struct manners {
	unsigned int drop, spoil, twice, invent, hold_back;
};

struct peer {
	bool is_open, is_out;
	uint8_t out[HEARD]; /* to be sent */
	uint32_t out_len;
	uint64_t not_before_ns;
	uint8_t in[1024]; /* of messages that are not whole */
	uint32_t in_len;
	uint32_t index, number;
	bool is_known;
};

struct scene {
	struct world w;
	struct engine *server;
	struct manners manners;
	struct peer peers[WORLD_CONNECTIONS];
	bool was_closed[WORLD_CONNECTIONS];
	uint64_t stage_end_ns;
	uint64_t whole; /* messages that came in whole */
	bool is_clean;
};

static bool chance(struct scene *s, unsigned int per_mille)
{
	return per_mille > 0 && world_draw(&s->w) % 1000 < per_mille;
}

/* --- the server ------------------------------------------------------------------------------ */

static void give(struct scene *s, uint32_t index)
{
	struct peer *peer = &s->peers[index];
	uint32_t len = peer->out_len < ENGINE_SEND_MAX ? peer->out_len : ENGINE_SEND_MAX;

	if (peer->is_out || len == 0 || !peer->is_open || s->w.now_ns < peer->not_before_ns)
		return;
	peer->is_out = engine_send(s->server, index, peer->out, len) == 0;
}

static void hang_up(struct scene *s, uint32_t index)
{
	engine_close(s->server, index, ENGINE_CLOSE_FIN);
	s->peers[index].is_open = false;
	s->was_closed[index] = true;
}

static void put(struct peer *peer, const uint8_t *data, uint32_t len)
{
	if (len > HEARD - peer->out_len)
		return;
	memcpy(peer->out + peer->out_len, data, len);
	peer->out_len += len;
}

/* Bytes of a message, as they came. */
static void answer(struct scene *s, struct peer *peer, uint8_t *data, uint32_t len)
{
	if (chance(s, s->manners.hold_back))
		peer->not_before_ns = s->w.now_ns + world_draw(&s->w) % (120 * NS_PER_MS);
	if (chance(s, s->manners.invent))
		put(peer, (const uint8_t *)"invented", 8);
	if (chance(s, s->manners.drop))
		return;
	if (chance(s, s->manners.spoil))
		data[world_draw(&s->w) % len] ^= 4;
	put(peer, data, len);
	if (chance(s, s->manners.twice))
		put(peer, data, len);
}

/* The number in a message's header, 7 bits a byte. */
static uint32_t sevens(const uint8_t *at)
{
	uint32_t value = 0;

	for (int i = 0; i < 5; i++)
		value = value << 7 | (at[i] & 0x7f);
	return value;
}

/* Whether the next message of the connection has come whole: it is the one that it must be. (Sizes
 * are those of all stages: the last of one may come in when the next has begun.) */
static bool take_message(struct scene *s, struct peer *peer)
{
	const struct behaviour b = {.stage = &s->w.x->stages[0], .key = s->w.shm->key};
	uint8_t expected[MESSAGE_MOST];
	struct turn turn;

	if (peer->in_len < 16)
		return false;
	if (!peer->is_known) {
		peer->index = sevens(peer->in);
		peer->number = sevens(peer->in + 5);
		peer->is_known = true;
	}
	echo_turn(&b, peer->index, peer->number, &turn);
	assert_in_range(turn.say_bytes, 16, MESSAGE_MOST);
	if (peer->in_len < turn.say_bytes)
		return false;
	echo_write(&b, peer->index, peer->number, 0, expected, turn.say_bytes);
	assert_memory_equal(peer->in, expected, turn.say_bytes);
	answer(s, peer, peer->in, turn.say_bytes);
	peer->in_len -= turn.say_bytes;
	memmove(peer->in, peer->in + turn.say_bytes, peer->in_len);
	peer->number++;
	s->whole++;
	return true;
}

static void on_data(struct scene *s, uint32_t index, const void *data, uint32_t len)
{
	struct peer *peer = &s->peers[index];

	if (len > sizeof(peer->in) - peer->in_len)
		fail_msg("a connection says more than one message at a time");
	memcpy(peer->in + peer->in_len, data, len);
	peer->in_len += len;
	if (s->w.faults.corrupt > 0) { /* it is not what was said */
		answer(s, peer, peer->in, peer->in_len);
		peer->in_len = 0;
	}
	while (take_message(s, peer))
		;
	give(s, index);
	engine_receive(s->server, index, ENGINE_WAIT_IDLE);
}

static void on_sent(struct scene *s, uint32_t index, const struct engine_event *event)
{
	struct peer *peer = &s->peers[index];
	uint32_t sent = event->result > 0 ? (uint32_t)event->result : 0;

	peer->is_out = false;
	if (event->result < 0 && !engine_is_momentary(event->result)) {
		hang_up(s, index);
		return;
	}
	peer->out_len -= sent;
	memmove(peer->out, peer->out + sent, peer->out_len);
	give(s, index);
}

static void on_event(struct scene *s, const struct engine_event *event)
{
	const uint32_t index = engine_tag_index(event->tag);

	if (engine_tag_op(event->tag) == ENGINE_ACCEPTED) {
		if (event->result == 0)
			s->peers[index] = (struct peer){.is_open = true};
		return;
	}
	if (s->was_closed[index])
		return;
	if (engine_tag_op(event->tag) == ENGINE_SENT)
		on_sent(s, index, event);
	else if (event->result > 0)
		on_data(s, index, event->data, (uint32_t)event->result);
	else
		hang_up(s, index);
}

/* --- the director ---------------------------------------------------------------------------- */

static void begin_stage(struct scene *s, uint32_t number)
{
	struct shm *shm = s->w.shm;

	shm->stage_start_ns = s->w.now_ns;
	s->stage_end_ns = s->w.now_ns + s->w.x->stages[number - 1].duration_ns;
	shm->stage = number;
}

static void direct(struct scene *s)
{
	struct shm *shm = s->w.shm;

	if (shm->phase != PHASE_HOLD)
		return;
	s->w.now_ns += world_draw(&s->w) % NS_PER_MS;
	if (shm->stage == 0)
		begin_stage(s, 1);
	else if (shm->stage_over < shm->stage && s->w.now_ns >= s->stage_end_ns)
		shm->stage_over = shm->stage;
	else if (s->w.me->stage_done == shm->stage && shm->stage < STAGES)
		begin_stage(s, shm->stage + 1);
	else if (s->w.me->stage_done == STAGES)
		shm->phase = PHASE_PROVE_AGAIN;
}

static void pump(void *with)
{
	struct scene *s = with;
	struct engine_event events[BATCH];

	direct(s);
	for (uint32_t i = 0; i < WORLD_CONNECTIONS; i++)
		give(s, i);
	memset(s->was_closed, 0, sizeof(s->was_closed));
	int count = engine_poll(s->server, events, BATCH, 0);

	for (int i = 0; i < count; i++)
		on_event(s, &events[i]);
}

/* --- a run ----------------------------------------------------------------------------------- */

static void draw_stage(struct scene *s, struct stage *stage, uint32_t least, uint32_t more)
{
	*stage = (struct stage){
		.name = "talk",
		.duration_ns = (50 + world_draw(&s->w) % 150) * NS_PER_MS,
		.traffic = world_draw(&s->w) % 8 == 0 ? TRAFFIC_HOLD : TRAFFIC_ECHO,
		.size_least_bytes = least,
		.size_most_bytes = least + more,
	};
	switch (world_draw(&s->w) % 4) {
	case 0:
		stage->message_rate_per_s = 1 + world_draw(&s->w) % 20000;
		break;
	case 1:
		stage->every_ns = NS_PER_MS + world_draw(&s->w) % (100 * NS_PER_MS);
		break;
	case 2:
		stage->in_flight = 1 + world_draw(&s->w) % (WORLD_CONNECTIONS + 20);
		break;
	default:
		break;
	}
}

static void set_scene(struct scene *s, uint64_t seed)
{
	world_make(&s->w, ROLE_CLIENT, seed, pump, s);
	s->is_clean = seed % 8 == 0;
	if (s->is_clean)
		world_set_clean(&s->w);
	else
		s->manners = (struct manners){
			.drop = (unsigned int)(world_draw(&s->w) % 30),
			.spoil = (unsigned int)(world_draw(&s->w) % 30),
			.twice = (unsigned int)(world_draw(&s->w) % 30),
			.invent = (unsigned int)(world_draw(&s->w) % 30),
			.hold_back = (unsigned int)(world_draw(&s->w) % 200),
		};
	s->server = fake_engine(s->w.fake, FAKE_SERVER);
	assert_int_equal(engine_listen(s->server, -1), 0);
	s->w.x->stage_count = STAGES;
	uint32_t least = 16 + (uint32_t)(world_draw(&s->w) % 100);
	uint32_t more = world_draw(&s->w) % 2 ? 0 : (uint32_t)(world_draw(&s->w) % 380);

	for (uint32_t i = 0; i < STAGES; i++)
		draw_stage(s, &s->w.x->stages[i], least, more);
}

static uint64_t sum_ends(const struct shm_traffic *t)
{
	uint64_t sum = 0;

	for (int i = 0; i < ANSWER_END_COUNT; i++)
		sum += t->answers[i];
	return sum;
}

/* The identity of base/answer.h, and what the engine saw of it. */
static void check(const struct scene *s)
{
	const struct shm_traffic *t = &s->w.me->traffic;
	const struct fake_tally *tally = fake_tally(s->w.fake, FAKE_CLIENT);
	uint64_t answered = t->answers[ANSWER_GOOD] + t->answers[ANSWER_LATE];

	assert_int_equal(sum_ends(t), t->said);
	/* What is told of a connection in the batch that it is closed in, is not looked at. */
	assert_true(t->said_bytes <= tally->sent_bytes);
	assert_true(t->heard_bytes + s->w.me->received_bytes <= tally->received_bytes);
	assert_int_equal(t->corrected.count, answered);
	assert_int_equal(t->uncorrected.count, answered);
	assert_true(t->answers[ANSWER_OVERDUE] >= t->answers[ANSWER_LATE]);
	assert_true(s->w.faults.corrupt > 0 || s->whole <= t->said);
	assert_true(t->corrected.max_ns >= t->uncorrected.max_ns);
}

static void check_clean(const struct scene *s)
{
	const struct shm_traffic *t = &s->w.me->traffic;

	assert_int_equal(t->answers[ANSWER_GOOD], t->said);
	assert_int_equal(t->said_bytes, fake_tally(s->w.fake, FAKE_CLIENT)->sent_bytes);
	assert_int_equal(t->heard_bytes, t->said_bytes);
	assert_int_equal(t->answers[ANSWER_OVERDUE] + t->answers[ANSWER_UNASKED], 0);
	assert_int_equal(s->whole, t->said);
	assert_int_equal(world_sum(s->w.me->lost), 0);
}

static void run(struct scene *s, struct client *client, enum phase phase)
{
	s->w.shm->phase = phase;
	assert_int_equal(client_run_phase(client, phase), 0);
	world_assert_no_breach(&s->w);
}

static void run_seed(uint64_t seed)
{
	struct scene *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	set_scene(s, seed);
	struct client *client = client_make(s->w.x, s->w.shm, s->w.me);

	assert_non_null(client);
	client_take_engine(client, fake_engine(s->w.fake, FAKE_CLIENT));
	run(s, client, PHASE_RAMP);
	run(s, client, PHASE_HOLD);
	assert_int_equal(s->w.me->stage_done, STAGES);
	check(s);
	if (s->is_clean)
		check_clean(s);
	run(s, client, PHASE_CLOSE);
	world_drop(&s->w);
	free(s);
}

static void test_seeds(void **state)
{
	(void)state;
	world_each_seed("traffic", SEEDS, run_seed);
}

int run_traffic_tests(void)
{
	static const struct CMUnitTest traffic_tests[] = {cmocka_unit_test(test_seeds)};

	return cmocka_run_group_tests_name("traffic", traffic_tests, NULL, NULL);
}
