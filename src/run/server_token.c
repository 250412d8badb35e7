/* server_token: see the header.
 *
 * Per connection it keeps how many bytes of an unfinished token it has, and room for them that is
 * only touched when a token comes in pieces. A server that does not echo looks at the first bytes
 * of a connection alone. */
#include "run/server_token.h"

#include "run/server_state.h"

#include <assert.h>
#include <string.h>

static_assert(ROLL_ROUNDS == TOKEN_ROUNDS, "a bitmap for each round of tokens");

/* In the place of how many bytes of a token are there: */
#define HELLO   UINT8_MAX       /* it only asks if we echo         */
#define NOTHING (UINT8_MAX - 1) /* it is not looked at any further */

bool server_token_is_hello(const struct server *s, uint32_t index)
{
	return s->have[index] == HELLO;
}

/* A client that asks first whether we echo does it on a connection apart, which is none of those
 * that count. */
static void note_hello(struct server *s, uint32_t index)
{
	s->have[index] = HELLO;
	shm_set(s->me->opened, s->me->opened - 1);
	shm_set(s->me->open, s->me->open - 1);
}

void server_token_opened(struct server *s, uint32_t index)
{
	s->have[index] = 0;
	if (s->guest && s->guest[index] != 0) /* and so an untouched page stays that */
		s->guest[index] = 0;
}

void server_token_closed(struct server *s, uint32_t index)
{
	if (s->guest && s->guest[index] != 0)
		roll_closed(s->shm->roll, s->me->number, s->guest[index]);
}

/* The first token of a run's says whose the connection is. */
static void note_guest(struct server *s, uint32_t index, const struct roll_run *run)
{
	uint32_t id = roll_id(run);

	if (id == 0 || s->guest[index] == id)
		return;
	server_token_closed(s, index); /* for the run that it was of before */
	s->guest[index] = id;
	roll_opened(s->shm->roll, s->me->number, id);
}

/* Of which announced run it is: that whose key makes it. */
static void note_announced(struct server *s, uint32_t index, const uint8_t token[TOKEN_BYTES],
                           uint32_t connection, unsigned int round)
{
	const struct roll_run *run;
	uint8_t expected[TOKEN_BYTES];
	uint32_t place = 0;

	while ((run = roll_next(s->shm->roll, connection, &place))) {
		token_make(expected, run->said.key, connection, round);
		if (memcmp(token, expected, TOKEN_BYTES) != 0)
			continue;
		roll_mark(s->shm->roll, run, round, connection);
		note_guest(s, index, run);
	}
}

static void note_proof(struct server *s, uint32_t index, const uint8_t token[TOKEN_BYTES],
                       uint32_t connection, unsigned int round)
{
	uint8_t expected[TOKEN_BYTES];

	shm_count(s->me->proof[round].echoed);
	if (s->guest)
		note_announced(s, index, token, connection, round);
	if (!s->x->knows_tokens)
		return;
	token_make(expected, s->shm->key, connection, round);
	if (memcmp(token, expected, TOKEN_BYTES) == 0) /* and not another run's */
		shm_prove(s->shm, ROLE_SERVER, round, connection);
}

static void note_token(struct server *s, uint32_t index, const uint8_t token[TOKEN_BYTES])
{
	uint32_t connection;
	unsigned int round;
	bool is_token = token_parse(token, &connection, &round);

	if (is_token && round == TOKEN_HELLO)
		note_hello(s, index);
	else if (is_token && s->mode->echoes)
		note_proof(s, index, token, connection, round);
}

void server_token_note(struct server *s, uint32_t index, const uint8_t *data, size_t len)
{
	uint8_t token[TOKEN_BYTES];

	while (s->have[index] < NOTHING &&
	       token_gather(&s->have[index], s->part[index], &data, &len, token))
		note_token(s, index, token);
	if (s->have[index] == 0 && !s->mode->echoes)
		s->have[index] = NOTHING;
}
