/* gather: how long to leave answers alone, so that several are taken at a time.
 *
 * A wake-up for each answer costs both ends more than the answer: the peer, which has to wake us,
 * and us, who go to sleep again. Where many exchanges are under way an answer waits among many
 * others in any case; so of 16 of them one is worth waiting for, and two of 32 (what a network
 * card's rx-usecs and rx-frames do). While we wait the peer still has 15 of 16 to work on. It is
 * for those who are busy: from a peer that answers less often than each 50 us an answer is taken
 * when it comes, and timed then. Pure. */
#pragma once

#include <stdint.h>

/* All zero: nothing has come yet. */
struct gather {
	uint64_t from_ns; /* the time looked at begins */
	uint64_t gap_ns;  /* from one answer to the next, in the last one; 0: none came */
	uint32_t seen;    /* answers since from_ns */
};

/* Notes that `came` answers have come until `now_ns` (CLOCK_MONOTONIC). */
void gather_note(struct gather *g, uint32_t came, uint64_t now_ns);

/* How long to leave what comes alone while `under_way` exchanges are, `came` answers of which have
 * just been taken: at most 200 us. 0: not at all. */
uint64_t gather_pause_ns(const struct gather *g, uint32_t under_way, uint32_t came);
