/* client: a client worker through all its phases. The server is the test's: it echoes, and reads
 * the tokens that arrive, which must be those of the connection, each once and in order. */
#include "run/client.h"

#include "base/clock.h"
#include "unit_behaviour/groups.h"
#include "unit_behaviour/world.h"

#include <stdlib.h>
#include <string.h>

#define SEEDS 300
#define BATCH 64
/* Each token is said once, and once more for each try beyond the first. */
#define STREAM ((uint32_t)TOKEN_ROUNDS * (1 + WORLD_RETRIES_MOST) * TOKEN_BYTES)

struct peer {
	bool is_open, is_due;
	uint8_t out[ENGINE_SEND_MAX];
	uint32_t out_len;
	uint8_t in[STREAM];
	uint32_t in_len;
};

struct scene {
	struct world w;
	struct engine *server;
	struct peer peers[WORLD_CONNECTIONS];
	bool was_closed[WORLD_CONNECTIONS]; /* in this batch */
	uint64_t hold_polls;
	uint64_t stop_at; /* polls until the run is stopped; 0: never */
	enum stop stop;
};

static void give(struct scene *s, uint32_t index)
{
	struct peer *peer = &s->peers[index];

	peer->is_due = engine_send(s->server, index, peer->out, peer->out_len) != 0;
}

static void hang_up(struct scene *s, uint32_t index)
{
	engine_close(s->server, index, ENGINE_CLOSE_FIN);
	s->peers[index].is_open = s->peers[index].is_due = false;
	s->was_closed[index] = true;
}

/* The whole tokens of a stream: of one connection, the second round only after the first;
 * one that is not back in time is said again. */
static void check_tokens(const struct scene *s, const struct peer *peer)
{
	uint8_t expected[TOKEN_BYTES];
	uint32_t connection = 0, first = 0;
	unsigned int round = 0, before = 0;

	if (s->w.faults.corrupt > 0)
		return;
	for (uint32_t at = 0; at + TOKEN_BYTES <= peer->in_len; at += TOKEN_BYTES) {
		assert_true(token_parse(peer->in + at, &connection, &round));
		token_make(expected, s->w.shm->key, connection, round);
		assert_memory_equal(peer->in + at, expected, TOKEN_BYTES);
		assert_true(at == 0 || (connection == first && round >= before));
		first = connection;
		before = round;
	}
}

static void on_data(struct scene *s, uint32_t index, const void *data, uint32_t len)
{
	struct peer *peer = &s->peers[index];

	if (peer->in_len + len > STREAM)
		fail_msg("a connection sends more than its tokens");
	memcpy(peer->in + peer->in_len, data, len);
	peer->in_len += len;
	check_tokens(s, peer);
	memcpy(peer->out, data, len);
	peer->out_len = len;
	give(s, index);
}

static void on_sent(struct scene *s, uint32_t index, const struct engine_event *event)
{
	struct peer *peer = &s->peers[index];
	uint32_t sent = event->result > 0 ? (uint32_t)event->result : 0;

	if (event->result < 0 && !engine_is_momentary(event->result)) {
		hang_up(s, index);
	} else if (sent < event->len) {
		memmove(peer->out, peer->out + sent, peer->out_len - sent);
		peer->out_len -= sent;
		give(s, index);
	} else {
		engine_receive(s->server, index, ENGINE_WAIT_IDLE);
	}
}

static void on_event(struct scene *s, const struct engine_event *event)
{
	const uint32_t index = engine_tag_index(event->tag);
	const uint8_t op = engine_tag_op(event->tag);

	if (op == ENGINE_ACCEPTED) {
		if (event->result == 0)
			s->peers[index] = (struct peer){.is_open = true};
		return;
	}
	if (s->was_closed[index])
		return;
	if (op == ENGINE_SENT)
		on_sent(s, index, event);
	else if (event->result > 0)
		on_data(s, index, event->data, (uint32_t)event->result);
	else
		hang_up(s, index);
}

/* The director's part. */
static void lead_hold(struct scene *s)
{
	struct shm *shm = s->w.shm;

	if (s->hold_polls > 0)
		s->hold_polls--;
	else if (shm->stage > s->w.me->stage_done)
		shm->stage_over = shm->stage;
	else
		shm->phase = PHASE_PROVE_AGAIN;
}

static void begin_hold(struct scene *s)
{
	if (s->w.x->stage_count == 0)
		return;
	s->w.shm->stage_start_ns = s->w.now_ns;
	s->w.shm->stage = 1;
}

static void pump(void *with)
{
	struct scene *s = with;
	struct engine_event events[BATCH];

	for (uint32_t i = 0; i < WORLD_CONNECTIONS; i++)
		if (s->peers[i].is_due)
			give(s, i);
	memset(s->was_closed, 0, sizeof(s->was_closed));
	int count = engine_poll(s->server, events, BATCH, 0);

	for (int i = 0; i < count; i++)
		on_event(s, &events[i]);
	if (s->stop_at > 0 && --s->stop_at == 0)
		s->w.shm->stop = s->stop;
	if (s->w.shm->phase == PHASE_HOLD)
		lead_hold(s);
}

static void run(struct scene *s, struct client *client, enum phase phase)
{
	s->w.shm->phase = phase;
	assert_int_equal(client_run_phase(client, phase), 0);
	world_assert_no_breach(&s->w);
}

static uint64_t failed_again(const struct shm_worker *me)
{
	return world_sum(me->churn.failed) + world_sum(me->storm.failed);
}

/* What the client says is what the fake did. */
static void check_counts(struct scene *s)
{
	const struct fake_tally *t = fake_tally(s->w.fake, FAKE_CLIENT);
	const struct shm_worker *me = s->w.me;
	const bool reconnects = s->w.x->reconnect, cut = s->w.shm->stop == STOP_INTERRUPTED;

	const uint64_t opened = me->opened + me->reconnected + me->churn.opened + me->storm.back;

	assert_int_equal(opened, t->connected);
	assert_int_equal(me->open, opened - me->churn.closed - me->storm.cut -
	                                   (world_sum(me->lost) - failed_again(me)));
	assert_int_equal(me->open, fake_open(s->w.fake, FAKE_CLIENT));
	for (int i = 0; i < CAUSE_COUNT; i++) {
		uint64_t told = t->refused[i] + (i == CAUSE_TIMEOUT ? t->given_up : 0);
		uint64_t again = me->churn.failed[i] + me->storm.failed[i];
		uint64_t noted = me->failed[i] + me->retried[i] + again;
		uint64_t lost = me->lost[i] - again;

		/* What a stage's end finds in a pause, or waiting, is told by nobody. */
		if (i == CAUSE_TIMEOUT && again > 0)
			continue;
		/* A lost one that could not be opened again is lost already. */
		assert_true(reconnects ? noted <= told : noted == told);
		if (i == CAUSE_TIMEOUT || i == CAUSE_PATH_GONE || i == CAUSE_MISMATCH)
			continue;
		/* Who is interrupted does not hear of some. */
		assert_true(cut ? lost <= t->ended[i] : lost == t->ended[i]);
	}
	assert_true(s->w.faults.corrupt > 0 || me->lost[CAUSE_MISMATCH] == 0);
}

/* All that a stage has closed itself are open again, or have failed; where it was interrupted some
 * may be neither. */
static void check_stage(const struct scene *s)
{
	const struct shm_worker *me = s->w.me;
	uint64_t churned = me->churn.opened + world_sum(me->churn.failed);
	uint64_t stormed = me->storm.back + world_sum(me->storm.failed);
	const struct stage *stage = &s->w.x->stages[0];

	assert_int_equal(me->storm.back, me->storm.back_after.count);
	assert_true(churned <= me->churn.closed && stormed <= me->storm.cut);
	assert_true(stage->storm_parts > 0 || me->storm.cut == 0);
	assert_true(stage->churn_per_s > 0 || me->churn.closed == 0);
	if (s->w.shm->stop != STOP_NONE)
		return;
	assert_int_equal(churned, me->churn.closed);
	assert_int_equal(stormed, me->storm.cut);
}

static void check_ramp(const struct scene *s)
{
	const struct shm_worker *me = s->w.me;

	assert_int_equal(me->opened + world_sum(me->failed) + me->not_tried, WORLD_CONNECTIONS);
	assert_true(s->w.shm->stop != STOP_NONE || me->not_tried == 0);
}

/* Every connection is proved, or lost, unless the proof was interrupted. */
static void check_proof(const struct scene *s, unsigned int round, uint64_t lost_before)
{
	const struct shm_worker *me = s->w.me;
	uint64_t echoed = me->proof[round].echoed;
	uint64_t lost = world_sum(me->lost) - lost_before;

	assert_int_equal(shm_proved(s->w.shm, ROLE_CLIENT, round), echoed);
	assert_true(me->proof[round].sent >= echoed);
	if (s->w.shm->stop == STOP_INTERRUPTED)
		return;
	if (s->w.x->watch) /* one may be lost after its proof */
		assert_in_range(echoed, me->open, me->open + lost);
	else
		assert_int_equal(echoed, me->open);
}

static void set_scene(struct scene *s, uint64_t seed)
{
	world_make(&s->w, ROLE_CLIENT, seed, pump, s);
	s->server = fake_engine(s->w.fake, FAKE_SERVER);
	assert_int_equal(engine_listen(s->server, -1), 0);
	s->hold_polls = 200 + world_draw(&s->w) % 400;
	if (world_draw(&s->w) % 4 == 0) {
		s->stop_at = 1 + world_draw(&s->w) % 600;
		s->stop = world_draw(&s->w) % 2 ? STOP_MEMORY : STOP_INTERRUPTED;
	}
}

static void run_seed(uint64_t seed)
{
	struct scene *s = calloc(1, sizeof(*s));
	uint64_t lost = 0;

	assert_non_null(s);
	set_scene(s, seed);
	struct client *client = client_make(s->w.x, s->w.shm, s->w.me);

	assert_non_null(client);
	client_take_engine(client, fake_engine(s->w.fake, FAKE_CLIENT));
	run(s, client, PHASE_RAMP);
	check_counts(s);
	check_ramp(s);
	lost = world_sum(s->w.me->lost);
	run(s, client, PHASE_PROVE);
	check_counts(s);
	check_proof(s, 0, lost);
	begin_hold(s);
	run(s, client, PHASE_HOLD);
	check_counts(s);
	check_stage(s);
	lost = world_sum(s->w.me->lost);
	run(s, client, PHASE_PROVE_AGAIN);
	check_counts(s);
	check_proof(s, 1, lost);
	check_ramp(s);
	run(s, client, PHASE_CLOSE);
	assert_int_equal(s->w.me->open, 0);
	assert_int_equal(fake_open(s->w.fake, FAKE_CLIENT), 0);
	world_drop(&s->w);
	free(s);
}

static void test_seeds(void **state)
{
	(void)state;
	world_each_seed("client", SEEDS, run_seed);
}

int run_client_tests(void)
{
	static const struct CMUnitTest client_tests[] = {cmocka_unit_test(test_seeds)};

	return cmocka_run_group_tests_name("client", client_tests, NULL, NULL);
}
