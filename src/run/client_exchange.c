/* client_exchange: see the header.
 *
 * What is said of a message is counted when its first byte is with the engine, so that it comes to
 * exactly one end (base/answer.h), whatever happens meanwhile. It has ended when its answer is
 * whole and all of it has been sent; SENT may come after the answer. */
#include "run/client_exchange.h"

#include "run/client_churn.h"
#include "run/client_traffic.h"

static void count_answer(struct client *c, enum answer answer)
{
	shm_count(c->me->traffic.answers[answer]);
}

static void set_flag(struct exchange *e, uint16_t flag, bool on)
{
	e->flags = (uint16_t)(on ? e->flags | flag : e->flags & ~flag);
}

void client_exchange_queue(struct client *c, uint32_t conn)
{
	struct traffic *t = c->traffic;

	if (t->all[conn].flags & EXCHANGE_QUEUED)
		return;
	set_flag(&t->all[conn], EXCHANGE_QUEUED, true);
	t->queue[(t->queue_from + t->queue_count++) % c->me->count] = conn;
}

/* --- saying ------------------------------------------------------------------------------- */

static bool send_piece(struct client *c, uint32_t conn, const struct turn *turn)
{
	struct traffic *t = c->traffic;
	struct exchange *e = &t->all[conn];
	uint32_t left = turn->say_bytes - e->sent, most = c->engine->send_most;
	uint32_t len = left < most ? left : most;

	behaviour_write(&t->behaviour, client_index(c, conn), e->number, e->sent, t->piece, len);
	if (engine_send(c->engine, conn, t->piece, len) != 0) {
		t->is_blocked = true;
		return false;
	}
	set_flag(e, EXCHANGE_SENDING, true);
	return true;
}

static void turn_of(const struct client *c, uint32_t conn, struct turn *out)
{
	const struct traffic *t = c->traffic;

	behaviour_turn(&t->behaviour, client_index(c, conn), t->all[conn].number, out);
}

bool client_exchange_go_on(struct client *c, uint32_t conn)
{
	const struct exchange *e = &c->traffic->all[conn];
	struct turn turn;

	if ((e->flags & (EXCHANGE_SENDING | EXCHANGE_SAID)) || !exchange_is_busy(e))
		return true;
	turn_of(c, conn, &turn);
	return send_piece(c, conn, &turn);
}

static bool begin(struct client *c, uint32_t conn, const struct turn *turn, uint64_t now_ns)
{
	struct traffic *t = c->traffic;
	struct exchange *e = &t->all[conn];

	if (turn->say_bytes > 0 && !send_piece(c, conn, turn))
		return false;
	set_flag(e, EXCHANGE_BUSY, true);
	set_flag(e, EXCHANGE_SAID, turn->say_bytes == 0);
	set_flag(e, EXCHANGE_MUTE, !turn->is_answered);
	e->said_ns = now_ns;
	t->active++;
	waits_begin(&c->me->waits, now_ns);
	shm_count(c->me->traffic.said);
	if (turn->is_answered)
		client_ask(c, conn, ENGINE_WAIT_SOON);
	return true;
}

bool client_exchange_begin(struct client *c, uint32_t conn, uint64_t due_ns, uint64_t now_ns)
{
	struct traffic *t = c->traffic;
	struct exchange *e = &t->all[conn];
	struct turn turn;

	turn_of(c, conn, &turn);
	if (turn.say_bytes == 0 && !turn.is_answered) { /* a behaviour without a word */
		set_flag(e, EXCHANGE_RESTS, true);
		return true;
	}
	if (turn.wait_ns > 0) {
		set_flag(e, EXCHANGE_WAITING, true);
		e->due_ns = due_ns + turn.wait_ns;
		wheel_arm(&t->wheel, conn, now_ns + turn.wait_ns);
		return true;
	}
	if (!begin(c, conn, &turn, now_ns))
		return false;
	e->due_ns = due_ns;
	return true;
}

bool client_exchange_begin_waited(struct client *c, uint32_t conn, uint64_t now_ns)
{
	struct exchange *e = &c->traffic->all[conn];
	struct turn turn;

	turn_of(c, conn, &turn);
	if (!begin(c, conn, &turn, now_ns))
		return false;
	if (!c->traffic->is_open_loop) /* that it waited for others is its plan */
		e->due_ns = now_ns;
	set_flag(e, EXCHANGE_WAITING, false);
	return true;
}

/* --- its end ------------------------------------------------------------------------------ */

/* Nothing of it is under way any more. */
static void rest(struct client *c, struct exchange *e)
{
	const uint16_t gone = EXCHANGE_BUSY | EXCHANGE_SENDING | EXCHANGE_SAID | EXCHANGE_MUTE |
	                      EXCHANGE_ANSWERED | EXCHANGE_PART | EXCHANGE_OVERDUE | EXCHANGE_LAST;

	set_flag(e, gone, false);
	e->number++;
	e->sent = 0;
	c->traffic->active--;
	waits_end(&c->me->waits, e->said_ns);
}

/* It is answered, and all of it is sent: the next may come. */
static void end_where_whole(struct client *c, uint32_t conn)
{
	const uint16_t whole = EXCHANGE_BUSY | EXCHANGE_SAID | EXCHANGE_ANSWERED;
	struct exchange *e = &c->traffic->all[conn];
	struct turn turn;

	if ((e->flags & whole) != whole)
		return;
	bool server_closes = e->flags & EXCHANGE_LAST;

	turn_of(c, conn, &turn);
	rest(c, e);
	if (server_closes) { /* what would be said now would be lost (RFC 9112 section 9.6) */
		shm_count(c->me->announced);
		client_lose(c, conn, CAUSE_CLOSED);
		return;
	}
	if (turn.is_last)
		set_flag(e, EXCHANGE_RESTS, true);
	client_churn_answered(c, conn);
	if (client_is_open(c, conn))
		client_traffic_go_on(c, conn);
}

static void record_times(struct client *c, const struct exchange *e)
{
	struct shm_traffic *told = &c->me->traffic;

	hist_record(&told->corrected, c->now_ns > e->due_ns ? c->now_ns - e->due_ns : 0);
	hist_record(&told->uncorrected, c->now_ns > e->said_ns ? c->now_ns - e->said_ns : 0);
}

/* A piece of it has been sent. One without an answer is done when all is, and there is nothing to
 * measure. */
static void note_said(struct client *c, uint32_t conn)
{
	struct exchange *e = &c->traffic->all[conn];
	struct turn turn;

	turn_of(c, conn, &turn);
	if (e->sent < turn.say_bytes) {
		if (!send_piece(c, conn, &turn))
			client_exchange_queue(c, conn);
		return;
	}
	set_flag(e, EXCHANGE_SAID, true);
	if (e->flags & EXCHANGE_MUTE) {
		count_answer(c, ANSWER_GOOD);
		set_flag(e, EXCHANGE_ANSWERED, true);
	}
	end_where_whole(c, conn);
}

void client_exchange_on_sent(struct client *c, uint32_t conn, const struct engine_event *event)
{
	struct exchange *e = &c->traffic->all[conn];
	uint32_t sent = event->result > 0 ? (uint32_t)event->result : 0;

	if (!(e->flags & EXCHANGE_SENDING)) /* the rest of a proof that was given up */
		return;
	set_flag(e, EXCHANGE_SENDING, false);
	e->sent += sent;
	shm_set(c->me->traffic.said_bytes, c->me->traffic.said_bytes + sent);
	note_said(c, conn);
}

/* --- hearing ------------------------------------------------------------------------------ */

void client_exchange_note_overdue(struct client *c, struct exchange *e)
{
	if ((e->flags & (EXCHANGE_OVERDUE | EXCHANGE_ANSWERED)) || !exchange_is_busy(e) ||
	    c->now_ns < e->said_ns + c->x->timeout_ns)
		return;
	set_flag(e, EXCHANGE_OVERDUE, true);
	count_answer(c, ANSWER_OVERDUE);
}

static bool has_lost_its_place(enum answer answer)
{
	return answer == ANSWER_MISMATCHED || answer == ANSWER_REPEATED ||
	       answer == ANSWER_MALFORMED;
}

static bool is_awaited(const struct exchange *e)
{
	return exchange_is_busy(e) && !(e->flags & (EXCHANGE_ANSWERED | EXCHANGE_MUTE));
}

/* What the behaviour makes of it, and how much of it belongs to this answer. What has come of one
 * that is not whole is kept. */
static enum answer judge(struct client *c, uint32_t conn, const uint8_t *data, uint32_t len,
                         uint32_t *used)
{
	struct traffic *t = c->traffic;
	struct exchange *e = &t->all[conn];
	struct hearing fresh = {.heard = 0}, *hearing = &fresh;

	if (e->flags & EXCHANGE_PART)
		hearing = &t->hearings[conn];
	enum answer answer = behaviour_hear(&t->behaviour, client_index(c, conn), e->number,
	                                    hearing, data, len, used);

	set_flag(e, EXCHANGE_LAST, hearing->is_last);
	if (answer == BEHAVIOUR_MORE && hearing == &fresh) {
		t->hearings[conn] = fresh;
		set_flag(e, EXCHANGE_PART, true);
	}
	return answer;
}

/* The answer is whole. */
static void take_answer(struct client *c, uint32_t conn, enum answer answer)
{
	struct exchange *e = &c->traffic->all[conn];

	client_exchange_note_overdue(c, e);
	if (answer == ANSWER_GOOD && (e->flags & EXCHANGE_OVERDUE))
		answer = ANSWER_LATE;
	count_answer(c, answer);
	c->traffic->came++;
	set_flag(e, EXCHANGE_ANSWERED, true);
	set_flag(e, EXCHANGE_PART, false);
	if (has_lost_its_place(answer)) {
		rest(c, e);
		client_lose(c, conn, CAUSE_MISMATCH);
		return;
	}
	record_times(c, e);
}

/* One answer's worth of the data; how much that was. */
static uint32_t hear_one(struct client *c, uint32_t conn, const uint8_t *data, uint32_t len)
{
	uint32_t used = len;

	if (!is_awaited(&c->traffic->all[conn])) {
		count_answer(c, ANSWER_UNASKED);
		return len;
	}
	enum answer answer = judge(c, conn, data, len, &used);

	if (answer != BEHAVIOUR_MORE)
		take_answer(c, conn, answer);
	return used;
}

void client_exchange_hear(struct client *c, uint32_t conn, const uint8_t *data, uint32_t len)
{
	shm_set(c->me->traffic.heard_bytes, c->me->traffic.heard_bytes + len);
	for (uint32_t at = 0; at < len && client_is_open(c, conn);)
		at += hear_one(c, conn, data + at, len - at);
	if (!client_is_open(c, conn))
		return;
	if (is_awaited(&c->traffic->all[conn]))
		client_ask(c, conn, ENGINE_WAIT_SOON);
	end_where_whole(c, conn);
}

void client_exchange_give_up(struct client *c, uint32_t conn, enum answer otherwise)
{
	struct exchange *e = &c->traffic->all[conn];
	bool is_part = (e->flags & EXCHANGE_PART) != 0;

	if (!exchange_is_busy(e))
		return;
	if (!(e->flags & EXCHANGE_ANSWERED))
		count_answer(c,
		             is_part && otherwise == ANSWER_MISSING ? ANSWER_PARTIAL : otherwise);
	rest(c, e);
}
