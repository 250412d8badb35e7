/* server_push: see the header.
 *
 * Theory of operation
 *
 * Round r of a stage is due at start + r * every, a time that all servers of a run know: of a
 * server alone since it serves; in a lab, where a stage pushes, since the last client said that it
 * listens to all its connections. A stage has the rounds that are due before its end, and so all
 * servers have the same ones, with the same numbers, which go on from stage to stage; none is left
 * out when it is late, as nobody waits for answers. Where the run goes on to its next phase, or is
 * interrupted, a round is left where it is.
 *
 * A round walks the open connections in the order of their indexes, a batch each turn, so that
 * echoes and accepts go on, and stands where the engine is full. The message is the same for all,
 * and written once. What does not go out in one send (larger messages) goes on when the first part
 * has; only then something is kept of a connection. An echo under way is waited for (owed), until
 * the next round is due; a push under way is not: its peer does not read, and the round goes by
 * (traffic.busy). */
#include "run/server_push.h"

#include "base/clock.h"
#include "base/map.h"
#include "behave/push.h"
#include "run/server_state.h"

#include <string.h>

#define BATCH   512               /* connections of a turn */
#define ECHO_NS (100 * NS_PER_MS) /* an echo that takes longer is one that nobody reads */

struct part {
	struct push_message message;
	uint32_t said;
};

struct server_push {
	const struct stage *stage;    /* NULL where nothing is pushed           */
	uint32_t number;              /* of the stage; 0: of a server alone     */
	uint64_t start_ns;            /* of its first round; UINT64_MAX: not known yet */
	uint32_t first_round, rounds; /* begun, of all stages */
	uint64_t end_ns;              /* no round is due from then on           */
	uint64_t key;

	struct push_message message; /* of the round that is under way, or comes next */
	bool is_on;                  /* it is under way                               */
	uint32_t next;               /* its next index                                */
	uint64_t walked_ns;          /* when it had been at all of them; 0: it has not */
	uint8_t *head;               /* the first `most` bytes of the message         */
	struct bits pushing;         /* what is being sent is a push                  */
	struct bits owed;            /* the message comes after an echo               */
	struct part *parts;          /* of those whose message is sent in parts       */
};

bool server_push_make(struct server *s)
{
	struct server_push *p = map_private(sizeof(*p));

	s->push = p;
	if (!p || !bits_make(&p->pushing, s->capacity) || !bits_make(&p->owed, s->capacity))
		return false;
	p->key = s->x->knows_tokens ? s->shm->key : 0;
	p->head = map_private(s->most);
	p->parts = map_private((size_t)s->capacity * sizeof(*p->parts));
	return p->head && p->parts;
}

/* --- the rounds ---------------------------------------------------------------------------- */

static uint64_t due_ns(const struct server_push *p, uint32_t round)
{
	return p->start_ns + (round - p->first_round) * p->stage->every_ns;
}

/* Prepares the round. */
static void expect_round(struct server_push *p, uint32_t round)
{
	p->message = (struct push_message){
		.due_ns = due_ns(p, round),
		.round = round,
		.size = push_size(p->stage, round),
	};
}

static void begin_stage(struct server_push *p, const struct stage *stage, uint32_t number,
                        uint64_t end_ns)
{
	p->stage = stage;
	p->number = number;
	p->start_ns = UINT64_MAX;
	p->end_ns = end_ns;
}

static void start_rounds(struct server_push *p, uint64_t start_ns)
{
	p->start_ns = start_ns;
	p->first_round = p->rounds;
	expect_round(p, p->rounds);
}

/* Nothing new is pushed; what is sent in part goes on to its end. */
static void end_stage(struct server *s)
{
	struct server_push *p = s->push;

	p->stage = NULL;
	p->is_on = false;
	bits_empty(&p->owed);
	__atomic_store_n(&s->me->stage_done, p->number, __ATOMIC_RELEASE);
}

/* When the last of the clients came to listen to all its connections; UINT64_MAX where one does
 * not yet. */
static uint64_t listened_since_ns(const struct shm *shm, uint32_t stage)
{
	uint64_t last_ns = 0;

	for (uint32_t i = 0; i < shm->worker_count; i++) {
		const struct shm_worker *w = &shm->workers[i];

		if (w->role != ROLE_CLIENT || w->died)
			continue;
		if (__atomic_load_n(&w->push_ready, __ATOMIC_ACQUIRE) < stage)
			return UINT64_MAX;
		last_ns = w->push_ready_ns > last_ns ? w->push_ready_ns : last_ns;
	}
	return last_ns;
}

/* A lab's stages, as the director announces them. */
static void heed_stage(struct server *s)
{
	struct server_push *p = s->push;
	uint32_t number = __atomic_load_n(&s->shm->stage, __ATOMIC_ACQUIRE);

	if (number != p->number) {
		const struct stage *stage = &s->x->stages[number - 1];
		uint64_t for_ns = stage->duration_ns, start_ns = shm_get(s->shm->stage_start_ns);

		begin_stage(p, stage->traffic == TRAFFIC_PUSH ? stage : NULL, number,
		            for_ns == UINT64_MAX ? UINT64_MAX : start_ns + for_ns);
	}
	if (!p->stage)
		return;
	if (p->start_ns == UINT64_MAX) {
		uint64_t start_ns = listened_since_ns(s->shm, number);

		if (start_ns != UINT64_MAX)
			start_rounds(p, start_ns);
	}
	bool is_over = shm_get(s->shm->stage_over) == number;
	bool has_next = p->start_ns != UINT64_MAX && p->message.due_ns < p->end_ns &&
	                shm_get(s->shm->stop) != STOP_INTERRUPTED;

	if (s->phase > PHASE_HOLD || (is_over && !p->is_on && !has_next))
		end_stage(s);
}

static void heed(struct server *s)
{
	struct server_push *p = s->push;

	if (s->x->kind != RUN_SERVE) {
		heed_stage(s);
	} else if (!p->stage && s->phase == PHASE_RAMP) {
		begin_stage(p, &s->x->push, 0, UINT64_MAX);
		start_rounds(p, shm_get(s->shm->ramp_start_ns));
	}
}

/* --- the messages -------------------------------------------------------------------------- */

static void count_said(struct server *s, uint32_t index)
{
	bits_set(&s->push->pushing, index);
	shm_count(s->me->traffic.said);
}

/* The first of it, and all where it is no larger. */
static bool say_first(struct server *s, uint32_t index)
{
	struct server_push *p = s->push;
	uint32_t len = p->message.size < s->most ? p->message.size : s->most;

	if (!server_send(s, index, p->head, len))
		return false;
	count_said(s, index);
	if (len < p->message.size)
		p->parts[index] = (struct part){.message = p->message, .said = len};
	return true;
}

static bool say_more(struct server *s, uint32_t index)
{
	struct server_push *p = s->push;
	struct part *part = &p->parts[index];
	uint32_t left = part->message.size - part->said, len = left < s->most ? left : s->most;

	push_write(&part->message, p->key, part->said, s->out, len);
	if (!server_send(s, index, s->out, len))
		return false;
	part->said = len == left ? 0 : part->said + len;
	return true;
}

bool server_push_say(struct server *s, uint32_t index)
{
	struct server_push *p = s->push;

	if (bits_has(&p->pushing, index))
		return say_more(s, index);
	if (!bits_has(&p->owed, index) || bits_has(&s->sending, index))
		return true; /* its round has gone by, or there is another echo to wait for */
	if (!say_first(s, index))
		return false;
	bits_clear(&p->owed, index);
	return true;
}

void server_push_sent(struct server *s, uint32_t index)
{
	struct server_push *p = s->push;

	if (!bits_has(&p->pushing, index)) { /* an echo */
		engine_receive(s->engine, index, ENGINE_WAIT_IDLE);
		if (bits_has(&p->owed, index))
			server_say(s, index);
	} else if (p->parts[index].said > 0) {
		bits_set(&s->sending, index); /* no echo comes between */
		server_say(s, index);
	} else {
		bits_clear(&p->pushing, index);
	}
}

void server_push_closed(struct server *s, uint32_t index)
{
	struct server_push *p = s->push;

	bits_clear(&p->owed, index);
	if (!bits_has(&p->pushing, index))
		return;
	bits_clear(&p->pushing, index);
	p->parts[index].said = 0;
}

static bool push_to(struct server *s, uint32_t index)
{
	struct server_push *p = s->push;

	if (!bits_has(&s->sending, index))
		return say_first(s, index);
	if (bits_has(&p->pushing, index))
		shm_count(s->me->traffic.busy);
	else
		bits_set(&p->owed, index);
	return true;
}

static void begin_round(struct server *s)
{
	struct server_push *p = s->push;
	uint32_t len = p->message.size < s->most ? p->message.size : s->most;

	push_write(&p->message, p->key, 0, p->head, len);
	p->next = 0;
	p->walked_ns = 0;
	p->is_on = true;
	p->rounds = p->message.round + 1;
	shm_set(s->me->push_rounds, p->rounds);
}

/* The next round is due, and the echoes that this one waits for have had their time: one peer that
 * does not read what it has asked for is not to keep the rounds from all. */
static bool is_overtaken(const struct server *s)
{
	const struct server_push *p = s->push;
	uint64_t half_ns = p->stage->every_ns / 2;
	uint64_t next_ns = due_ns(p, p->message.round + 1);

	return next_ns <= s->now_ns && next_ns < p->end_ns &&
	       s->now_ns - p->walked_ns >= (half_ns < ECHO_NS ? half_ns : ECHO_NS);
}

static void go_on(struct server *s)
{
	struct server_push *p = s->push;

	for (int i = 0; i < BATCH; i++) {
		p->next = bits_next(&s->open, p->next);
		if (p->next == s->capacity || !push_to(s, p->next))
			break;
		p->next++;
	}
	if (p->next < s->capacity)
		return;
	p->walked_ns = p->walked_ns > 0 ? p->walked_ns : s->now_ns;
	if (p->owed.count > 0 && !is_overtaken(s))
		return;
	shm_set(s->me->traffic.busy, s->me->traffic.busy + p->owed.count);
	bits_empty(&p->owed);
	p->is_on = false;
	expect_round(p, p->message.round + 1);
}

void server_push_due(struct server *s)
{
	struct server_push *p = s->push;

	heed(s);
	if (!p->stage || p->start_ns == UINT64_MAX)
		return;
	if (!p->is_on && p->message.due_ns <= s->now_ns && p->message.due_ns < p->end_ns &&
	    shm_get(s->shm->stop) != STOP_INTERRUPTED)
		begin_round(s);
	if (p->is_on)
		go_on(s);
}

/* A round that waits for echoes, or for room in the engine, goes on when something was sent. */
uint64_t server_push_next_ns(const struct server *s)
{
	const struct server_push *p = s->push;

	if (!p->stage)
		return UINT64_MAX;
	if (p->is_on || p->start_ns == UINT64_MAX)
		return s->now_ns + NS_PER_MS;
	return p->message.due_ns < p->end_ns ? p->message.due_ns : UINT64_MAX;
}
