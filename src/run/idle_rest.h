/* idle_rest: the connections of a probe of idle times: opens those of a pass, lets each rest for
 * its time, speaks to it, and notes what became of it. */
#pragma once

#include "base/cause.h"
#include "plan/idle.h"
#include "plan/tuple.h"

#include <stdbool.h>
#include <stdint.h>

struct idle_conn;
struct pollfd;

struct idle_rest {
	/* The caller's: */
	const struct tuple_plan *tuples;
	struct idle_ladder *ladder;
	uint64_t key;         /* of tokens */
	uint64_t first_tuple; /* any number: the tuples are used from there on, each once */
	uint64_t timeout_ns;  /* of a connect and of an answer */
	uint32_t retries;
	uint32_t most; /* connections in a pass */
	bool freebind;
	bool by_echo; /* a token has to come back; else a keepalive segment has to be answered */
	int signals;  /* readable: to end now */
	void *context;
	void (*tick)(void *context, const struct idle_rest *r); /* several times a second */
	/* What came of it: */
	uint64_t taken; /* tuples */
	uint64_t opened, failed, failed_by_cause[CAUSE_COUNT];
	uint64_t retried, retried_by_cause[CAUSE_COUNT];
	bool is_interrupted;
	/* Now: */
	uint32_t resting, asked, waiting; /* that rest, that have an answer to come, to be opened */
	uint64_t next_ns,
		last_ns; /* when the next of them is spoken to, and the last; or _MAX, 0 */
	/* Its own: */
	struct idle_conn *conns;
	struct pollfd *polls;
	uint32_t count, opening, left;
};

/* Takes memory for `most`. 0, or -ENOMEM. */
int idle_rest_init(struct idle_rest *r);
void idle_rest_end(struct idle_rest *r);

/* The pass that the ladder wants, to its end: until all is noted, enough is, or it is interrupted.
 * None of its connections is left. */
void idle_rest_pass(struct idle_rest *r);
