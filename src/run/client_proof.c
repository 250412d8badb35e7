/* client_proof: see the header. */
#include "run/client_proof.h"

#include "behave/token.h"
#include "run/client_state.h"

#include <string.h>

#define PROOF_BATCH 64

/* A server that has let a whole set of flights pass without one echo answers no more: those that
 * remain need not each wait for it. */
static void give_up_proof(struct client *c)
{
	for (; c->next < c->me->count; c->next++) {
		if (c->states[c->next] == CONN_OPEN)
			client_lose(c, c->next, CAUSE_TIMEOUT);
	}
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

void client_prove_due(struct client *c)
{
	uint32_t started = 0;

	while (started < PROOF_BATCH && c->flights.free_count > 0 && c->next < c->me->count) {
		if (c->states[c->next] == CONN_OPEN) {
			if (!start_proof(c, c->next))
				return;
			started++;
		}
		c->next++;
	}
}

/* Proved is what is back as it was sent; what the engine still sends must not be sent again. */
static void end_proof(struct client *c, struct flight *f)
{
	if (f->echoed < TOKEN_BYTES || f->sent < TOKEN_BYTES)
		return;
	c->states[f->conn] = CONN_OPEN;
	shm_prove(c->shm, ROLE_CLIENT, c->round, c->me->first + f->conn);
	shm_count(c->me->proof[c->round].echoed);
	c->unanswered = 0;
	flights_land(&c->flights, f);
}

static void send_rest(struct client *c, struct flight *f)
{
	uint8_t token[TOKEN_BYTES];

	client_message(c, f->conn, token);
	f->is_due = engine_send(c->engine, f->conn, token + f->sent,
	                        (uint32_t)(TOKEN_BYTES - f->sent)) != 0;
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
		client_lose(c, conn, cause_of_errno(event->result));
		return;
	}
	f->sent = (uint8_t)(f->sent + (event->result > 0 ? event->result : 0));
	if (f->sent < TOKEN_BYTES)
		send_rest(c, f);
	else
		end_proof(c, f);
}

void client_proof_on_data(struct client *c, struct flight *f, const uint8_t *data, uint32_t len)
{
	uint8_t token[TOKEN_BYTES];
	uint32_t conn = f->conn;

	client_message(c, conn, token);
	if (len > (uint32_t)(TOKEN_BYTES - f->echoed) ||
	    memcmp(token + f->echoed, data, len) != 0) {
		shm_count(c->me->proof[c->round].mismatched);
		client_lose(c, conn, CAUSE_MISMATCH);
		return;
	}
	f->echoed = (uint8_t)(f->echoed + len);
	if (f->echoed < TOKEN_BYTES)
		client_ask(c, conn, ENGINE_WAIT_SOON);
	end_proof(c, f);
}

void client_proof_on_timeout(struct client *c, struct flight *f)
{
	client_lose(c, f->conn, CAUSE_TIMEOUT);
	if (++c->unanswered == c->flights.count)
		give_up_proof(c);
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
}

bool client_proof_is_over(struct client *c)
{
	if (shm_get(c->shm->stop) == STOP_INTERRUPTED)
		abandon_flights(c);
	return c->next == c->me->count && !flights_any(&c->flights);
}
