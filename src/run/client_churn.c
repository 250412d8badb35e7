/* client_churn: see the header.
 *
 * Theory of operation
 *
 * A cursor goes round the worker's connections. One that is open and has no exchange under way is
 * closed and takes off at once; one that has is marked, and closed when its exchange has ended. A
 * server that is overrun may leave some unanswered for long: where more are waited for than are due
 * in 50 ms, whichever was answered last stands in for one of them.
 *
 * None is closed for which no flight is free. So the gap between a close and the open is never more
 * than what may be under way (x->in_flight of each worker).
 *
 * At a rate: what is due follows the ideal line from the beginning of the stage (base/pace), so
 * that nothing drifts. What cannot be done within a second of when it was due, since all flights
 * are taken or all tuples rest, is left out, and counted as rested; so is what is due and not done
 * at the end of the stage.
 *
 * As fast as it goes: `slots` connections circulate (marked): connect, one exchange where the stage
 * has traffic, close, connect. One that fails for good, or finds no tuple, leaves its place to
 * another.
 *
 * It connects a turn after it was closed. Only when poll has run is its socket gone (io_uring
 * closes by task work), and a close by RST is followed by the same 4-tuple.
 *
 * By FIN that 4-tuple rests in TIME_WAIT (run/spare): the connection takes another number of the
 * tuple plan, of those to spare, and its own joins these when it has rested (plan/rest). Its index,
 * and with it token and proof, stays. Our own TCP needs no other tuple: it takes care that the next
 * life's sequence numbers are beyond the last one's, and a server that has answered the FIN has
 * forgotten it. That answer is waited for, as an earlier connect would have to reset the old life
 * first (utcp/tcp). */
#include "run/client_churn.h"

#include "base/clock.h"
#include "base/map.h"
#include "plan/rest.h"
#include "run/client_open.h"
#include "run/client_state.h"
#include "run/client_traffic.h"
#include "run/spare.h"

#include <string.h>

#define CHURN_BATCH     256
#define CHURN_LOOK      4096             /* connections looked at in a turn for one to close */
#define CHURN_PATIENCE  20               /* parts of a second: see above */
#define CHURN_AGAIN_NS  NS_PER_MS        /* none was found: looked again then                */
#define CHURN_ANSWER_NS (10 * NS_PER_MS) /* in which a server answers a FIN                  */

/* Closed, and to be opened in a turn after that one. */
struct churn_gap {
	uint32_t conn;
	uint64_t turn;
};

struct churn {
	struct pace pace;   /* of this worker's part                              */
	uint64_t burst;     /* more than so many are not made up for              */
	uint64_t owed;      /* were due, and their exchange ended otherwise       */
	uint32_t cursor;    /* where the next is looked for                       */
	uint8_t *marks;     /* a bit each: see above                              */
	uint32_t slots;     /* as fast as it goes: so many circulate; 0: a rate   */
	uint32_t marked;    /* and so many do now                                 */
	uint32_t stood_in;  /* for so many of the marked another one was closed   */
	bool is_starved;    /* none was found in the last turn                    */
	bool is_settled;    /* the stage has ended, and what was left is counted  */
	uint64_t turn;      /* number of this turn                                */
	bool is_due_over;   /* this turn's closes are on their way: poll is next  */
	struct rest rest;   /* where a stage closes kernel sockets by FIN         */
	uint32_t *number;   /* NULL where none does; + 1; 0: its own              */
	uint32_t gap_first; /* a ring of as many as there are flights             */
	uint32_t gap_count;
	struct churn_gap *gaps;
};

/* --- what it takes -------------------------------------------------------------------------- */

static bool has_churn(const struct experiment *x)
{
	for (uint32_t i = 0; i < x->stage_count; i++) {
		if (x->stages[i].churn_per_s > 0)
			return true;
	}
	return false;
}

static uint64_t part_of_all(uint64_t whole, uint64_t at, uint64_t all)
{
	__extension__ typedef unsigned __int128 u128;

	return (uint64_t)((u128)whole * at / all);
}

/* The worker's part of what all share, by its part of the connections: where it begins. */
static uint64_t part_of(const struct client *c, uint64_t whole, uint64_t connection)
{
	return part_of_all(whole, connection, c->x->n);
}

static uint64_t own_part(const struct client *c, uint64_t whole)
{
	uint64_t end = (uint64_t)c->me->first + c->me->count;

	return part_of(c, whole, end) - part_of(c, whole, c->me->first);
}

/* Of the rate, by its part of those that are to be open: it may have none of a few. */
static uint64_t own_rate(const struct client *c, uint64_t rate)
{
	uint64_t all = experiment_wanted(c->x, c->stage_number);
	uint64_t low = part_of(c, all, c->me->first);

	return all == 0 ? 0 : part_of_all(rate, low + c->wanted, all) - part_of_all(rate, low, all);
}

static bool make_spares(struct client *c, struct churn *churn)
{
	uint64_t room = own_part(c, c->x->spares);
	struct rest_entry *ring = map_private((room > 0 ? room : 1) * sizeof(*ring));

	churn->number = map_private(c->me->count * sizeof(*churn->number));
	if (!ring || !churn->number)
		return false;
	rest_init(&churn->rest, ring, c->x->n + part_of(c, c->x->spares, c->me->first),
	          (uint32_t)room);
	return true;
}

bool client_churn_make(struct client *c)
{
	struct churn *churn;

	if (!has_churn(c->x) || c->me->count == 0)
		return true;
	churn = map_private(sizeof(*churn));
	if (!churn)
		return false;
	churn->marks = map_private(c->me->count / 8 + 1);
	churn->gaps = map_private(c->flights.count * sizeof(*churn->gaps));
	if (!churn->marks || !churn->gaps || (spare_is_needed(c->x) && !make_spares(c, churn)))
		return false;
	c->churn = churn;
	return true;
}

/* --- marks ---------------------------------------------------------------------------------- */

static bool is_marked(const struct churn *churn, uint32_t conn)
{
	return churn->marks[conn / 8] >> conn % 8 & 1;
}

static void mark(struct churn *churn, uint32_t conn)
{
	churn->marks[conn / 8] |= (uint8_t)(1U << conn % 8);
	churn->marked++;
}

static void unmark(struct churn *churn, uint32_t conn)
{
	churn->marks[conn / 8] &= (uint8_t) ~(1U << conn % 8);
	churn->marked--;
}

void client_churn_gone(struct client *c, uint32_t conn)
{
	if (!c->churn || !is_marked(c->churn, conn))
		return;
	unmark(c->churn, conn);
	if (c->churn->slots > 0)
		return;
	if (c->churn->stood_in > 0)
		c->churn->stood_in--;
	else
		c->churn->owed++;
}

/* --- tuples --------------------------------------------------------------------------------- */

uint64_t client_churn_tuple(const struct client *c, uint32_t conn)
{
	if (c->churn && c->churn->number && c->churn->number[conn] > 0)
		return c->churn->number[conn] - 1;
	return (uint64_t)c->me->first + conn;
}

/* Whether a churn of this stage needs another tuple for the next life. */
static bool takes_spare(const struct client *c)
{
	return c->churn->number && !c->stage->churn_by_reset;
}

static bool has_tuple(const struct client *c)
{
	return !takes_spare(c) || rest_has(&c->churn->rest, c->now_ns);
}

static void exchange_tuple(struct client *c, uint32_t conn)
{
	uint64_t rested = rest_take(&c->churn->rest, c->now_ns);

	rest_give(&c->churn->rest, client_churn_tuple(c, conn), c->now_ns + c->x->rest_ns);
	c->churn->number[conn] = (uint32_t)rested + 1;
}

void client_churn_replace_tuple(struct client *c, uint32_t conn)
{
	if (c->churn && c->churn->number && rest_has(&c->churn->rest, c->now_ns))
		exchange_tuple(c, conn);
}

/* --- closing and opening -------------------------------------------------------------------- */

static void remember_gap(struct client *c, uint32_t conn)
{
	struct churn *churn = c->churn;
	uint32_t at = (churn->gap_first + churn->gap_count++) % c->flights.count;

	churn->gaps[at] = (struct churn_gap){.conn = conn,
	                                     .turn = churn->turn + churn->is_due_over};
}

/* There is a flight for it, and a tuple. */
static void replace(struct client *c, uint32_t conn)
{
	bool by_reset = c->stage->churn_by_reset;

	if (takes_spare(c))
		exchange_tuple(c, conn);
	shm_count(c->me->churn.closed);
	client_close(c, conn, by_reset ? ENGINE_CLOSE_RESET : ENGINE_CLOSE_FIN, AGAIN_CHURNED);
	struct flight *f = client_take_off_again(c, conn);

	if (engine_is_utcp(c->x->clients) && !by_reset)
		client_set_timer(c, f, CHURN_ANSWER_NS);
	else
		remember_gap(c, conn);
}

/* One that was given up meanwhile is nobody's flight. */
static void open_again(struct client *c)
{
	struct churn *churn = c->churn;

	while (churn->gap_count > 0 && churn->gaps[churn->gap_first].turn < churn->turn) {
		struct flight *f = flights_of(&c->flights, churn->gaps[churn->gap_first].conn);

		churn->gap_first = (churn->gap_first + 1) % c->flights.count;
		churn->gap_count--;
		if (f && f->kind == FLIGHT_BACKOFF)
			client_connect(c, f);
	}
}

static bool is_on(const struct client *c)
{
	return c->churn && c->stage && c->stage->churn_per_s > 0 && !c->is_draining &&
	       !client_is_stopped(c) && (c->churn->slots > 0 || c->churn->pace.rate_per_s > 0);
}

/* The next that is open and not marked; false where none is near. */
static bool find_next(struct client *c, uint32_t *conn)
{
	struct churn *churn = c->churn;

	for (uint32_t i = 0; i < CHURN_LOOK; i++) {
		*conn = churn->cursor;
		churn->cursor = churn->cursor + 1 < c->wanted ? churn->cursor + 1 : 0;
		if (client_is_open(c, *conn) && !is_marked(churn, *conn))
			return true;
	}
	churn->is_starved = true;
	return false;
}

/* How many were due and are not done, of a rate. */
static uint64_t count_due(struct client *c)
{
	struct churn *churn = c->churn;
	uint64_t due = pace_due(&churn->pace, c->now_ns);

	if (due <= churn->burst)
		return due + churn->owed;
	shm_set(c->me->churn.rested, c->me->churn.rested + due - churn->burst);
	pace_take(&churn->pace, due - churn->burst);
	return churn->burst + churn->owed;
}

static void take_due(struct churn *churn, uint64_t n)
{
	uint64_t owed = n < churn->owed ? n : churn->owed;

	churn->owed -= owed;
	pace_take(&churn->pace, n - owed);
}

static void close_at_rate(struct client *c)
{
	uint64_t due = count_due(c);
	uint32_t conn;

	for (uint64_t i = 0; i < due && i < CHURN_BATCH && c->flights.free_count > 0; i++) {
		if (!has_tuple(c)) {
			shm_set(c->me->churn.rested, c->me->churn.rested + due - i);
			take_due(c->churn, due - i);
			return;
		}
		if (!find_next(c, &conn))
			return;
		take_due(c->churn, 1);
		if (client_traffic_is_busy(c, conn))
			mark(c->churn, conn);
		else
			replace(c, conn);
	}
}

static void fill_slots(struct client *c)
{
	struct churn *churn = c->churn;
	uint32_t conn;

	for (uint32_t i = 0; i < CHURN_BATCH && churn->marked < churn->slots; i++) {
		if (c->flights.free_count == 0 || !has_tuple(c) || !find_next(c, &conn))
			return;
		mark(churn, conn);
		if (!client_traffic_is_busy(c, conn))
			replace(c, conn);
	}
}

void client_churn_begin(struct client *c)
{
	struct churn *churn = c->churn;
	uint64_t rate = c->stage->churn_per_s, slots = FLIGHTS_USUAL;

	if (!churn)
		return;
	memset(churn->marks, 0, c->me->count / 8 + 1);
	churn->marked = churn->stood_in = 0;
	churn->owed = 0;
	churn->slots = 0;
	churn->is_settled = false;
	churn->pace = (struct pace){.rate_per_s = 0};
	if (rate != STAGE_AS_FAST) {
		rate = own_rate(c, rate);
		churn->burst = rate > CHURN_BATCH ? rate : CHURN_BATCH;
		pace_init(&churn->pace, rate, UINT64_MAX, c->stage_ns);
		return;
	}
	if (c->stage->in_flight > 0)
		slots = own_part(c, c->stage->in_flight);
	slots = slots < c->flights.count ? slots : c->flights.count;
	churn->slots = (uint32_t)(slots < c->me->count ? slots : c->me->count);
}

/* The stage has ended: what is late by more than a hundredth of a second will not be done. */
static void settle(struct client *c)
{
	struct churn *churn = c->churn;
	uint64_t due;

	churn->is_settled = true;
	if (churn->pace.rate_per_s == 0 || churn->slots > 0 || client_is_stopped(c))
		return;
	due = pace_due(&churn->pace, c->now_ns) + churn->owed + churn->marked - churn->stood_in;
	if (due > churn->pace.rate_per_s / 100)
		shm_set(c->me->churn.rested, c->me->churn.rested + due);
}

void client_churn_due(struct client *c)
{
	if (!c->churn)
		return;
	c->churn->turn++;
	c->churn->is_due_over = false;
	c->churn->is_starved = false;
	open_again(c);
	if (is_on(c) && c->churn->slots > 0)
		fill_slots(c);
	else if (is_on(c))
		close_at_rate(c);
	else if (c->is_draining && !c->churn->is_settled)
		settle(c);
	c->churn->is_due_over = true;
}

uint64_t client_churn_next_ns(const struct client *c)
{
	const struct churn *churn = c->churn;

	if (!churn)
		return UINT64_MAX;
	if (churn->gap_count > 0)
		return c->now_ns;
	if (!is_on(c) || c->flights.free_count == 0)
		return UINT64_MAX;
	if (churn->is_starved)
		return c->now_ns + CHURN_AGAIN_NS;
	if (churn->slots == 0)
		return churn->owed > 0 ? c->now_ns : pace_next_ns(&churn->pace, c->now_ns);
	if (churn->marked == churn->slots)
		return UINT64_MAX;
	return takes_spare(c) ? rest_next_ns(&churn->rest) : c->now_ns;
}

/* It stays open where it cannot be replaced now. */
static void put_off(struct client *c, uint32_t conn)
{
	if (is_marked(c->churn, conn))
		unmark(c->churn, conn);
	if (!has_tuple(c))
		shm_count(c->me->churn.rested);
	else
		c->churn->owed += c->churn->slots == 0;
}

/* Whether this end of an exchange is one that the churn waits for. */
static bool is_turn_of(struct churn *churn, uint32_t conn)
{
	if (churn->slots > 0)
		return is_marked(churn, conn);
	if (!is_marked(churn, conn)) {
		if (churn->marked - churn->stood_in <= churn->burst / CHURN_PATIENCE)
			return false;
		churn->stood_in++;
		return true;
	}
	if (churn->stood_in == 0)
		return true;
	churn->stood_in--;
	unmark(churn, conn);
	return false;
}

void client_churn_answered(struct client *c, uint32_t conn)
{
	if (!is_on(c) || !client_is_open(c, conn) || !is_turn_of(c->churn, conn))
		return;
	if (c->flights.free_count == 0 || !has_tuple(c)) {
		put_off(c, conn);
		return;
	}
	if (c->churn->slots == 0 && is_marked(c->churn, conn))
		unmark(c->churn, conn);
	replace(c, conn);
}

void client_churn_opened(struct client *c, uint32_t conn)
{
	if (c->stage && c->stage->traffic == TRAFFIC_HOLD)
		client_churn_answered(c, conn);
}
