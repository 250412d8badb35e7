/* rest: which numbers of a tuple plan may be used next, where a number that was used has to rest
 * for a time: a closed connection's 4-tuple, in TIME_WAIT. Pure.
 *
 * A ring, first in, first out, of those that rest or have rested, and behind it a range of those
 * that were never used. All rest for the same time, so the first of the ring is the first to be
 * over. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct rest_entry {
	uint64_t until_ns;
	uint64_t number;
};

struct rest {
	struct rest_entry *ring; /* the caller's, `room` of them                            */
	uint32_t room;           /* how many numbers there are, with those that are in use */
	uint32_t head, count;    /* of the ring                                            */
	uint64_t fresh;          /* the next that was never used                           */
	uint32_t fresh_left;     /* and how many of them there are                         */
};

/* `room` numbers from `first` on, none of which was used yet. `ring` has room for as many. */
void rest_init(struct rest *r, struct rest_entry *ring, uint64_t first, uint32_t room);

/* Whether one may be used now; takes it. One that has rested comes before a fresh one, so that no
 * more sockets rest than it takes. */
bool rest_has(const struct rest *r, uint64_t now_ns);
uint64_t rest_take(struct rest *r, uint64_t now_ns);

/* Gives one back, which rests until then: no earlier than any before it. For each that is given
 * one was taken. */
void rest_give(struct rest *r, uint64_t number, uint64_t until_ns);

/* When one may be used: 0 where there is a fresh one, UINT64_MAX where there is none at all. */
uint64_t rest_next_ns(const struct rest *r);
