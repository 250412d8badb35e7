/* idle: for how long connections are to rest, and what follows from which of them lived. Pure.
 *
 * Theory of operation
 *
 * Connections rest side by side, some on each rung of a ladder of times, and each is spoken to once
 * when its time is over. The first pass is a ladder from short to long, whose rungs are a constant
 * factor apart; passes after it have theirs between what lived and what died, evenly, until these
 * are as near to each other as is wanted. A pass takes no longer than what has died.
 *
 * What has been seen is kept, rung by rung, over all passes. The bound is put where the fewest
 * connections contradict it (lived although they rested longer, died although they rested shorter):
 * so one that is lost by chance moves nothing, whichever rung it stands on.
 *
 * A connection that ended while it rested says when by itself: then nothing is to be found between
 * two rungs. */
#pragma once

#include "base/idle.h"

#include <stdbool.h>
#include <stdint.h>

#define IDLE_RUNGS_MAX 2048
#define IDLE_ENDED_MAX 512
#define IDLE_EACH      3 /* connections a rung, where there are enough */
#define IDLE_PASSES    6 /* at most */

struct idle_rung {
	uint64_t rest_ns;
	uint64_t late_ns; /* so much longer one of them has rested */
	uint32_t wanted;  /* connections of this pass that are still to come to their end */
	uint32_t ends[IDLE_END_COUNT]; /* of all passes */
	uint32_t kept; /* of these, to how many the other end sent something meanwhile */
};

struct idle_ladder {
	uint64_t most_ns; /* the longest rest */
	uint32_t each;    /* connections a rung */
	uint32_t at_once; /* rungs a pass */
	uint32_t count;   /* rungs, by their rest */
	uint32_t passes;  /* that were begun */
	uint32_t ended;   /* at rest, by themselves: the first ones, and after how long */
	uint64_t ended_ns[IDLE_ENDED_MAX];
	struct idle_rung rungs[IDLE_RUNGS_MAX];
};

/* What is known. */
struct idle_bound {
	uint64_t lives_ns; /* the longest rest that was lived through; 0: none was         */
	uint64_t dead_ns;  /* the shortest that was not, or when they ended at rest (the
	                      median); UINT64_MAX: none */
	uint64_t late_ns;  /* of that: what this machine was late by                       */
	uint64_t ended_least_ns, ended_most_ns; /* ended at rest: nine of ten within; else 0 */
	enum idle_end how; /* most of those died; IDLE_LIVES: none has                     */
	bool is_kept;      /* the longest that lived were spoken to by the other end       */
};

/* The first pass: up to `connections` (> 0), up to most_ns (> 0). */
void idle_begin(struct idle_ladder *l, uint64_t most_ns, uint32_t connections);

/* How many connections of the pass have not come to their end. */
uint32_t idle_wanted(const struct idle_ladder *l);

/* How near to each other what lives and what dies have to be, around this rest: 1 %, or 1 s where
 * that is more (of a ladder of less than 10 s a tenth of it). */
uint64_t idle_near_ns(const struct idle_ladder *l, uint64_t rest_ns);

/* Notes what became of a connection of rung number `rung`. `rested_ns`: until it was spoken to, or
 * ended; `is_kept`: something came meanwhile. */
void idle_note(struct idle_ladder *l, uint32_t rung, enum idle_end end, uint64_t rested_ns,
               bool is_kept);

/* One of this pass could not be opened. */
void idle_skip(struct idle_ladder *l, uint32_t rung);

/* What follows from what was noted. */
struct idle_bound idle_judge(const struct idle_ladder *l);

/* Whether enough are dead that the rest of the pass need not be waited for. */
bool idle_is_decided(const struct idle_ladder *l);

/* Whether the bound is as near as is wanted, or measured. */
bool idle_is_near(const struct idle_ladder *l, const struct idle_bound *bound);

/* Makes the next pass; false where there is none: the bound is near, nothing has died, or there
 * were passes enough. Numbers of rungs change. */
bool idle_refine(struct idle_ladder *l);
