/* outage: when connections were lost or answers stopped, for how long, and what came back, told
 * from looks at counters some ten times a second. Pure.
 *
 * An outage begins with a loss, or where answers stay away: of at least 8 connections and 2 % of
 * those that are open (or 8, where no answer at all comes meanwhile; all, where there are fewer)
 * for longer than is usual, that is half a second, or four times what answers have taken so far.
 * It ends when everybody that was silent
 * has been answered or is lost, and what was lost is open again where that is the rule, and this
 * has been so for a second: what comes before that is the same outage. Where nothing is said
 * nothing stays away. */
#pragma once

#include "base/result.h"
#include "base/waits.h"

#include <stdbool.h>
#include <stdint.h>

/* A look; counters since the run began. */
struct outage_look {
	uint64_t now_ns;
	uint64_t open;
	uint64_t answered; /* messages that were answered, however late    */
	uint64_t took_ns;  /* once a second, what 99 % of its answers took at most; else 0 */
	uint64_t lost[CAUSE_COUNT];
	uint64_t back;      /* connections that were lost and opened again */
	struct waits waits; /* of messages that are not answered           */
};

struct outage {
	uint64_t hold_ns; /* when the hold began           */
	bool reconnects;  /* what is lost is opened again */
	struct result *result;
	struct outage_look last;
	uint64_t last_answer_ns; /* a look that found another one  */
	uint64_t usual_ns[2];    /* what answers took in the last two seconds that had some */

	/* Of the one that is on. */
	bool is_on;
	struct result_outage now;
	uint64_t began_ns, well_ns; /* the latter 0: it is not over */
	bool is_silent;             /* answers stay away             */
	bool is_total;              /* no answers come at all        */
	uint64_t lost_before;       /* when it fell silent            */
	uint64_t first_ns;          /* when the first was answered again; 0: none yet */
	uint64_t back_before;
};

enum outage_news {
	OUTAGE_NO_NEWS,
	OUTAGE_BEGAN, /* o->now says how far it is                   */
	OUTAGE_ENDED, /* o->now is whole, and in the result */
};

/* The hold begins; what comes is put into result->outages. */
void outage_begin(struct outage *o, const struct outage_look *look, bool reconnects,
                  struct result *result);

/* Answers may take another time from now on: a stage begins. */
void outage_forget_usual(struct outage *o);

enum outage_news outage_look(struct outage *o, const struct outage_look *look);

/* The hold is over: one that is on is put into the result as it is. */
void outage_end(struct outage *o);
