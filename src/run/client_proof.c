/* client_proof: see the header.
 *
 * A token that is not back when its time-out has passed is said once more, as often as a connect is
 * tried again (x->retries). TCP repeats what is lost by itself, but it may take its time: where a
 * SYN or its answer was lost, Linux takes the second they waited for as the round trip, and begins
 * with 3 s and, when that was lost as well, 9 s. What is said after it goes out at once, and tells
 * the other end by SACK what is missing. The connection is proved when all is back that was said,
 * so that nothing of it is left in the stream.
 *
 * A whole set of flights may time out, because nobody answers any more or because these are dead
 * among others that live: those of one address, or that a box between has forgotten. So as many
 * again are proved, from all over what remains. Where none of them is echoed either the rest is
 * given up; else the proof goes on in order. */
#include "run/client_proof.h"

#include "base/clock.h"
#include "behave/token.h"
#include "run/client_state.h"
#include "run/client_why.h"

#define PROOF_BATCH   64
#define FEW           8
#define UNLUCKY_PARTS 32
#define PATIENCE_NS   (60 * NS_PER_S)
#define SAID_MOST     15 /* times: flight->sent and ->echoed are bytes */

/* Open, and not yet proved in this round, as one of a sample may be. */
static bool is_to_prove(const struct client *c, uint32_t conn)
{
	return c->states[conn] == CONN_OPEN &&
	       !(c->has_sampled &&
	         shm_is_proved(c->shm, ROLE_CLIENT, c->round, c->me->first + conn));
}

/* Nobody answers any more: those that remain need not each wait for it. */
static void give_up_proof(struct client *c)
{
	for (; c->next < c->me->count; c->next++) {
		if (is_to_prove(c, c->next))
			client_lose(c, c->next, client_why_unasked(c, c->next));
	}
}

/* How many bytes are said of it, and to come back. */
static uint32_t said_bytes(const struct flight *f)
{
	return TOKEN_BYTES * (1U + f->tries);
}

/* False where the engine cannot take a send now. */
static bool start_proof(struct client *c, uint32_t conn)
{
	uint8_t token[TOKEN_BYTES];

	client_message(c, conn, token);
	if (engine_send(c->engine, conn, token, sizeof(token)) != 0)
		return false;
	struct flight *f = flights_take_off(&c->flights, conn, FLIGHT_PROOF);

	f->started_ns = c->now_ns;
	c->states[conn] = CONN_PROVING;
	client_set_timer(c, f, c->x->timeout_ns);
	client_ask(c, conn, ENGINE_WAIT_SOON);
	shm_count(c->me->proof[c->round].sent);
	return true;
}

/* The proof of one, or its end. False where the engine cannot take it now. */
static bool prove(struct client *c, uint32_t conn)
{
	if (!is_to_prove(c, conn))
		return true;
	if (client_why_is_dead(c, conn)) {
		client_lose(c, conn, CAUSE_SOURCE_GONE);
		return true;
	}
	return start_proof(c, conn);
}

/* --- a sample ----------------------------------------------------------------------------- */

static void begin_sample(struct client *c)
{
	c->is_sampling = c->has_sampled = true;
	c->was_echoed = false;
	c->sampled = 0;
}

/* From all over what remains, and not in steps, which might all meet one source address. */
static uint32_t sample_at(const struct client *c)
{
	uint32_t left = c->me->count - c->next;

	return c->next + (uint32_t)(c->sampled * 2654435761ULL % left);
}

static void prove_sample(struct client *c)
{
	for (uint32_t i = 0;
	     i < PROOF_BATCH && c->flights.free_count > 0 && c->sampled < c->flights.count; i++) {
		if (!prove(c, sample_at(c)))
			return;
		c->sampled++;
	}
	if (c->sampled < c->flights.count || flights_any(&c->flights))
		return;
	c->is_sampling = false;
	c->unanswered = 0;
	if (!c->was_echoed)
		give_up_proof(c);
}

static void prove_in_order(struct client *c)
{
	for (uint32_t i = 0; i < PROOF_BATCH && c->flights.free_count > 0 && c->next < c->me->count;
	     i++) {
		if (!prove(c, c->next))
			return;
		c->next++;
	}
}

void client_proof_begin(struct client *c, unsigned int round)
{
	c->round = round;
	c->next = 0;
	c->unanswered = c->unheard = 0;
	c->is_sampling = c->has_sampled = false;
}

void client_prove_due(struct client *c)
{
	if (c->is_sampling)
		prove_sample(c);
	else
		prove_in_order(c);
}

bool client_proof_is_due(const struct client *c)
{
	bool is_left = c->is_sampling ? c->sampled < c->flights.count : c->next < c->me->count;

	return is_left ? c->flights.free_count > 0 : !flights_any(&c->flights);
}

/* Proved is what is back as it was sent; what the engine still sends must not be sent again. */
static void end_proof(struct client *c, struct flight *f)
{
	if (f->echoed < said_bytes(f) || f->sent < said_bytes(f))
		return;
	c->states[f->conn] = CONN_OPEN;
	shm_prove(c->shm, ROLE_CLIENT, c->round, c->me->first + f->conn);
	shm_count(c->me->proof[c->round].echoed);
	c->unanswered = 0;
	c->was_echoed = true;
	flights_land(&c->flights, f);
}

static void send_rest(struct client *c, struct flight *f)
{
	uint8_t token[TOKEN_BYTES];

	client_message(c, f->conn, token);
	uint32_t at = f->sent % TOKEN_BYTES;

	f->is_due = engine_send(c->engine, f->conn, token + at, TOKEN_BYTES - at) != 0;
	c->has_due |= f->is_due;
}

void client_proof_send_due(struct client *c)
{
	if (!c->has_due)
		return;
	c->has_due = false;
	for (uint32_t i = 0; i < c->flights.count; i++) {
		struct flight *f = flights_at(&c->flights, i);

		if (f && f->is_due)
			send_rest(c, f);
	}
}

void client_proof_on_sent(struct client *c, uint32_t conn, const struct engine_event *event)
{
	struct flight *f = flights_of(&c->flights, conn);

	if (event->result < 0 && !engine_is_momentary(event->result)) {
		client_lose(c, conn, client_why_lost(c, conn, event->result));
		return;
	}
	f->sent = (uint8_t)(f->sent + (event->result > 0 ? event->result : 0));
	if (f->sent < said_bytes(f))
		send_rest(c, f);
	else
		end_proof(c, f);
}

static bool is_expected(struct client *c, const struct flight *f, const uint8_t *data, uint32_t len)
{
	uint8_t token[TOKEN_BYTES];

	if (len > said_bytes(f) - f->echoed)
		return false;
	client_message(c, f->conn, token);
	for (uint32_t i = 0; i < len; i++) {
		if (data[i] != token[(f->echoed + i) % TOKEN_BYTES])
			return false;
	}
	return true;
}

void client_proof_on_data(struct client *c, struct flight *f, const uint8_t *data, uint32_t len)
{
	uint32_t conn = f->conn;

	if (!is_expected(c, f, data, len)) {
		shm_count(c->me->proof[c->round].mismatched);
		client_lose(c, conn, CAUSE_MISMATCH);
		return;
	}
	f->echoed = (uint8_t)(f->echoed + len);
	if (f->echoed < said_bytes(f))
		client_ask(c, conn, ENGINE_WAIT_SOON);
	end_proof(c, f);
}

/* Those that are unlucky are few, and heard when it is said again: where a server is deaf, or
 * something has forgotten connections, they are not waited for. */
static bool may_say_again(const struct client *c, const struct flight *f)
{
	uint64_t echoed = shm_get(c->me->proof[c->round].echoed);
	uint64_t repeated = shm_get(c->me->proof[c->round].repeated);

	return f->tries < c->x->retries && f->tries + 1 < SAID_MOST && f->sent == said_bytes(f) &&
	       c->unheard < FEW && echoed > 0 && repeated < FEW + echoed / UNLUCKY_PARTS;
}

/* Each wait is twice the one before, as TCP's are; none is so long that nothing happens for as long
 * as a stuck worker is given. */
static uint64_t patience_ns(const struct client *c, const struct flight *f)
{
	uint64_t most_ns = c->x->timeout_ns + PATIENCE_NS;
	uint64_t twice_ns = c->x->timeout_ns << f->tries;

	return twice_ns < most_ns ? twice_ns : most_ns;
}

void client_proof_on_timeout(struct client *c, struct flight *f)
{
	bool is_deaf = ++c->unanswered >= c->flights.count;
	enum cause cause = client_why_silent(c, f->conn, f->sent == said_bytes(f));

	if (!is_deaf && cause != CAUSE_SOURCE_GONE && may_say_again(c, f)) {
		shm_count(c->me->proof[c->round].repeated);
		f->tries++;
		client_set_timer(c, f, patience_ns(c, f));
		send_rest(c, f);
		return;
	}
	c->unheard += f->tries > 0;
	client_lose(c, f->conn, cause);
	if (is_deaf && !c->is_sampling && c->next < c->me->count)
		begin_sample(c);
}

/* An interrupted proof proves nothing about those that are on their way. */
static void abandon_flights(struct client *c)
{
	for (uint32_t i = 0; i < c->flights.count; i++) {
		struct flight *f = flights_at(&c->flights, i);

		if (!f)
			continue;
		c->states[f->conn] = CONN_OPEN; /* an echo that still comes is ignored */
		flights_land(&c->flights, f);
	}
	c->next = c->me->count;
	c->is_sampling = false;
}

bool client_proof_is_over(struct client *c)
{
	if (shm_get(c->shm->stop) == STOP_INTERRUPTED)
		abandon_flights(c);
	return c->next == c->me->count && !c->is_sampling && !flights_any(&c->flights);
}
