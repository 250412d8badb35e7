/* client_push: see the header.
 *
 * Theory of operation
 *
 * When a stage begins, each connection is asked for what comes, a batch between two polls; then the
 * worker says that it listens (push_ready), and when all do, servers begin with the first round.
 *
 * A connection has the number of the round that comes next: rounds that it has not had when a later
 * one comes, or when the stage is over, are missing. On one that is opened while rounds are under
 * way, and of a server that is not ours, the first round that comes is the first that counts. Of a
 * message that comes in pieces the head is kept, in a table that is touched only then.
 *
 * The latency of a message is from when its round was due, by the server's clock, where both ends
 * are on one host. Where they are not, nobody knows; it is then counted from the first message of
 * the round that this worker heard.
 *
 * A stage is over for us when all servers have said that they push no more, and as many messages
 * were heard as they have said; of servers that are not ours, when the newest round has come on
 * each connection. Or when nothing more comes for a while. What comes later still, while
 * connections are proved or echoes are asked for, is taken out of the stream. */
#include "run/client_push.h"

#include "base/bits.h"
#include "base/clock.h"
#include "base/map.h"
#include "behave/push.h"
#include "behave/token.h"
#include "run/client_proof.h"
#include "run/client_state.h"

#include <string.h>

#define BATCH    512
#define QUIET_NS (2 * NS_PER_S) /* without a message: no more will come, not even again */

struct client_push {
	uint32_t *next; /* the round that comes next on a connection, or PUSH_ANY */
	struct push_hearing *hearings;
	struct bits parts; /* a part of a message has come: its hearing is kept */
	uint64_t key;
	uint32_t ask_next; /* the connection to ask next; all: the count */
	uint64_t heard_ns; /* when the last message came                 */
	uint32_t newest;   /* the newest round that was heard of         */
	uint64_t first_ns[SHM_PUSHES];
};

static bool is_push(const struct client *c)
{
	return c->push && c->stage && c->stage->traffic == TRAFFIC_PUSH;
}

bool client_push_make(struct client *c)
{
	struct client_push *p;
	bool has_push = false;

	for (uint32_t i = 0; i < c->x->stage_count; i++)
		has_push |= c->x->stages[i].traffic == TRAFFIC_PUSH;
	if (!has_push)
		return true;
	p = c->push = map_private(sizeof(*p));
	if (!p || !bits_make(&p->parts, c->me->count))
		return false;
	p->key = c->x->knows_tokens ? c->shm->key : 0;
	p->next = map_private(c->me->count * sizeof(*p->next));
	p->hearings = map_private(c->me->count * sizeof(*p->hearings));
	return p->next && p->hearings;
}

/* --- a stage begins, and ends ---------------------------------------------------------------- */

/* How many rounds there were so far: servers of ours say so. */
static uint32_t rounds_begun(const struct shm *shm)
{
	uint64_t rounds = 0;

	for (uint32_t i = 0; i < shm->worker_count; i++) {
		const struct shm_worker *w = &shm->workers[i];

		if (w->role == ROLE_SERVER && shm_get(w->push_rounds) > rounds)
			rounds = shm_get(w->push_rounds);
	}
	return (uint32_t)rounds;
}

void client_push_begin(struct client *c)
{
	struct client_push *p = c->push;
	bool is_ours = c->x->kind == RUN_LAB;
	uint32_t round = is_ours && p ? rounds_begun(c->shm) : PUSH_ANY;

	if (!is_push(c))
		return;
	for (uint32_t i = 0; i < c->me->count; i++)
		p->next[i] = round;
	p->ask_next = 0;
	p->heard_ns = c->now_ns;
}

static void count_missing(struct client *c, uint32_t missing)
{
	if (missing == 0)
		return;
	shm_set(c->me->traffic.said, c->me->traffic.said + missing);
	shm_set(c->me->traffic.answers[ANSWER_MISSING],
	        c->me->traffic.answers[ANSWER_MISSING] + missing);
}

static void count_end(struct client *c, enum answer answer)
{
	shm_count(c->me->traffic.said);
	shm_count(c->me->traffic.answers[answer]);
}

/* The rounds that it should have had. One of them may have come in part. */
static void end_one(struct client *c, uint32_t conn, uint32_t rounds)
{
	struct client_push *p = c->push;
	uint32_t missing = 0;

	if (client_is_open(c, conn) && p->next[conn] != PUSH_ANY && p->next[conn] < rounds)
		missing = rounds - p->next[conn];
	if (bits_has(&p->parts, conn)) {
		count_end(c, ANSWER_PARTIAL);
		missing -= missing > 0;
	}
	count_missing(c, missing);
}

static uint32_t newest_heard(const struct client *c)
{
	uint32_t rounds = 0;

	for (uint32_t i = 0; i < c->me->count; i++) {
		uint32_t next = c->push->next[i];

		rounds = next != PUSH_ANY && next > rounds ? next : rounds;
	}
	return rounds;
}

/* Of a server that is not ours, the last round that anybody heard may be under way still. */
void client_push_end(struct client *c)
{
	if (!is_push(c))
		return;
	uint32_t rounds = c->x->kind == RUN_LAB ? rounds_begun(c->shm) : newest_heard(c);

	for (uint32_t i = 0; i < c->me->count; i++)
		end_one(c, i, rounds);
}

static bool have_servers_ended(const struct client *c)
{
	for (uint32_t i = 0; i < c->shm->worker_count; i++) {
		const struct shm_worker *w = &c->shm->workers[i];

		if (w->role == ROLE_SERVER && !w->died &&
		    __atomic_load_n(&w->stage_done, __ATOMIC_ACQUIRE) < c->stage_number)
			return false;
	}
	return true;
}

/* Over all stages. What is no message that was said once, whole and right, leaves the rest to the
 * time-out. */
static bool is_all_heard(const struct shm *shm)
{
	uint64_t said = 0, heard = 0;

	for (uint32_t i = 0; i < shm->worker_count; i++) {
		const struct shm_worker *w = &shm->workers[i];

		if (w->role == ROLE_SERVER)
			said += shm_get(w->traffic.said);
		else
			heard += shm_get(w->push_heard);
	}
	return heard >= said;
}

static bool is_round_whole(const struct client *c)
{
	const struct shm_push *newest = &c->me->push[c->push->newest % SHM_PUSHES];

	return newest->round == c->push->newest && newest->heard >= c->me->open;
}

bool client_push_is_idle(const struct client *c)
{
	if (!is_push(c))
		return true;
	if (!have_servers_ended(c))
		return false;
	if (c->x->kind == RUN_LAB ? is_all_heard(c->shm) : is_round_whole(c))
		return true;
	return c->now_ns - c->push->heard_ns > QUIET_NS;
}

/* --- listening ------------------------------------------------------------------------------- */

/* Asks a batch of the connections that are open; at the end it listens to all. */
void client_push_due(struct client *c)
{
	struct client_push *p = c->push;

	if (!is_push(c) || p->ask_next == c->me->count)
		return;
	for (int i = 0; i < BATCH && p->ask_next < c->me->count; i++, p->ask_next++)
		if (client_is_open(c, p->ask_next))
			client_ask(c, p->ask_next, ENGINE_WAIT_IDLE);
	if (p->ask_next < c->me->count)
		return;
	shm_set(c->me->push_ready_ns, clock_now_ns());
	__atomic_store_n(&c->me->push_ready, c->stage_number, __ATOMIC_RELEASE);
}

uint64_t client_push_next_ns(const struct client *c)
{
	if (!is_push(c))
		return UINT64_MAX;
	if (c->push->ask_next < c->me->count)
		return c->now_ns;
	return c->is_draining ? c->now_ns + NS_PER_MS : UINT64_MAX;
}

void client_push_opened(struct client *c, uint32_t conn)
{
	if (!is_push(c))
		return;
	c->push->next[conn] = PUSH_ANY;
	client_ask(c, conn, ENGINE_WAIT_IDLE);
}

static void end_part(struct client *c, uint32_t conn, enum answer answer)
{
	struct client_push *p = c->push;

	if (!p || !bits_has(&p->parts, conn))
		return;
	bits_clear(&p->parts, conn);
	p->hearings[conn].heard = 0;
	if (is_push(c))
		count_end(c, answer);
}

void client_push_lost(struct client *c, uint32_t conn)
{
	end_part(c, conn, ANSWER_PARTIAL);
}

void client_push_closed(struct client *c, uint32_t conn)
{
	end_part(c, conn, ANSWER_CUT);
}

/* --- hearing ------------------------------------------------------------------------------- */

/* How long after the round was due, or after it was first heard of. */
static uint64_t note_round(struct client *c, const struct push_message *m)
{
	struct shm_push *slot = &c->me->push[m->round % SHM_PUSHES];
	uint64_t *first_ns = &c->push->first_ns[m->round % SHM_PUSHES];
	bool is_old = slot->heard > 0 && slot->round > m->round;

	if (!is_old && (slot->heard == 0 || slot->round != m->round)) {
		*first_ns = c->now_ns;
		shm_set(slot->heard, 0);
		shm_set(slot->round, m->round);
		shm_set(slot->first_ns, UINT64_MAX);
		shm_set(slot->last_ns, 0);
	}
	uint64_t since_ns = c->x->has_same_clock ? m->due_ns : *first_ns;
	uint64_t after_ns = c->now_ns > since_ns ? c->now_ns - since_ns : 0;

	if (is_old)
		return after_ns;
	c->push->newest = m->round > c->push->newest ? m->round : c->push->newest;
	if (after_ns < slot->first_ns)
		shm_set(slot->first_ns, after_ns);
	if (after_ns > slot->last_ns)
		shm_set(slot->last_ns, after_ns);
	shm_count(slot->heard);
	return after_ns;
}

static void on_message(struct client *c, uint32_t conn, const struct push_message *m)
{
	struct client_push *p = c->push;
	uint32_t missed;

	shm_count(c->me->push_heard);
	p->heard_ns = c->now_ns;
	if (!is_push(c)) /* too late for its stage, where it is missing */
		return;
	enum answer answer = push_judge(&p->next[conn], m->round, &missed);

	count_missing(c, missed);
	if (answer == ANSWER_GOOD) {
		uint64_t after_ns = note_round(c, m);

		hist_record(&c->me->traffic.corrected, after_ns);
		answer = after_ns > c->x->timeout_ns ? ANSWER_LATE : ANSWER_GOOD;
	}
	count_end(c, answer);
}

/* Takes messages, whole ones and a part, from the front. False where the connection was lost. */
static bool take(struct client *c, uint32_t conn, const uint8_t **data, uint32_t *len)
{
	struct client_push *p = c->push;
	bool is_part = bits_has(&p->parts, conn);
	struct push_hearing fresh = {0}, *h = is_part ? &p->hearings[conn] : &fresh;
	enum push_heard heard = PUSH_WHOLE;

	while (*len > 0 && (h->heard > 0 || **data == PUSH_FIRST_BYTE)) {
		struct push_message m;
		uint32_t used;

		heard = push_hear(h, p->key, *data, *len, &used, &m);
		*data += used;
		*len -= used;
		if (heard == PUSH_WHOLE)
			on_message(c, conn, &m);
		else
			break;
	}
	if (heard == PUSH_WRONG) {
		p->hearings[conn].heard = 0;
		bits_clear(&p->parts, conn);
		if (is_push(c))
			count_end(c, ANSWER_MISMATCHED);
		client_lose(c, conn, CAUSE_MISMATCH);
		return false;
	}
	if (h->heard == 0) {
		bits_clear(&p->parts, conn);
	} else if (!is_part) {
		p->hearings[conn] = fresh;
		bits_set(&p->parts, conn);
	}
	return true;
}

bool client_push_hears(const struct client *c)
{
	return c->push && (!c->stage || is_push(c));
}

/* No byte of an echo is like the first of a push: those have the highest bit (behave/echo). */
bool client_push_take_late(struct client *c, uint32_t conn, const uint8_t **data, uint32_t *len)
{
	enum traffic_kind kind = c->stage->traffic;

	if (!c->push || (kind != TRAFFIC_ECHO && kind != TRAFFIC_HOLD))
		return true;
	return take(c, conn, data, len);
}

void client_push_on_data(struct client *c, uint32_t conn, const uint8_t *data, uint32_t len)
{
	if (is_push(c))
		shm_set(c->me->traffic.heard_bytes, c->me->traffic.heard_bytes + len);
	if (!take(c, conn, &data, &len))
		return;
	if (len > 0 && is_push(c))
		shm_count(c->me->traffic.answers[ANSWER_UNASKED]);
	else
		shm_set(c->me->received_bytes, c->me->received_bytes + len);
	client_ask(c, conn, ENGINE_WAIT_IDLE);
}

/* A message may come before the token or behind it, but not within. */
void client_push_on_proof_data(struct client *c, uint32_t conn, const uint8_t *data, uint32_t len)
{
	while (len > 0) {
		struct flight *f = c->states[conn] == CONN_PROVING ? flights_of(&c->flights, conn)
		                                                   : NULL;
		uint32_t of_token = f ? (uint32_t)(TOKEN_BYTES - f->echoed % TOKEN_BYTES) : 0;

		if (of_token == 0 || of_token == TOKEN_BYTES) {
			if (!take(c, conn, &data, &len))
				return;
			if (of_token == 0) /* what is no message then, nobody asked for */
				break;
		}
		of_token = len < of_token ? len : of_token;
		if (of_token > 0)
			client_proof_on_data(c, f, data, of_token);
		data += of_token;
		len -= of_token;
		if (!client_is_open(c, conn))
			return;
	}
	client_ask(c, conn, c->states[conn] == CONN_PROVING ? ENGINE_WAIT_SOON : ENGINE_WAIT_IDLE);
}
