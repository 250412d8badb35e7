/* answer: what came of a message that was said on a connection.
 *
 * Each message that was said ends in exactly one of ANSWER_GOOD .. ANSWER_CUT:
 *     said = good + late + mismatched + repeated + status + malformed + partial + missing + cut
 * and what is not an end of a message is counted beside that: ANSWER_OVERDUE, ANSWER_UNASKED. */
#pragma once

enum answer {
	ANSWER_GOOD,       /* whole and right, in time                                       */
	ANSWER_LATE,       /* whole and right, after the time-out: its latency counts as well */
	ANSWER_MISMATCHED, /* other bytes than were expected                                 */
	ANSWER_REPEATED,   /* the answer to the message before, once more                    */
	ANSWER_STATUS,     /* HTTP: not 2xx or 3xx                                           */
	ANSWER_MALFORMED,  /* HTTP: no HTTP, or a length that is not so                      */
	ANSWER_PARTIAL,    /* a part of it came, then the stage or the connection ended      */
	ANSWER_MISSING,    /* nothing came                                                   */
	ANSWER_CUT,        /* we closed the connection meanwhile: storm, churn, fewer wanted  */
	ANSWER_END_COUNT,

	ANSWER_OVERDUE = ANSWER_END_COUNT, /* a time-out passed; it is waited for all the same */
	ANSWER_UNASKED, /* reads that brought bytes which nothing had asked for */
	ANSWER_COUNT
};

/* Its stable name in results: "good", "late", ... */
const char *answer_name(enum answer answer);

/* "answers that came after the time-out": a few words for a screen. */
const char *answer_title(enum answer answer);
