/* wheel: a hashed timer wheel over small indexes.
 *
 * Each index 0..count-1 has at most one timer. Arm, re-arm and cancel are O(1); expiry is O(expired
 * + ticks passed). Links are indexes in the caller's memory: 16 bytes an index, an array of their
 * own or a part of the caller's records, no allocation here. A timer never fires early, and at most
 * one tick late (plus the caller's own lateness). Deadlines further than a turn of the wheel away
 * stay in their slot until their turn comes. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WHEEL_SLOTS 512
#define WHEEL_NONE  UINT32_MAX

struct wheel_entry {
	uint64_t deadline_ns; /* 0: not armed */
	uint32_t next, prev;
};

struct wheel {
	void *entries; /* `count` of them, the caller's, `stride` bytes from one to the next */
	size_t stride;
	uint32_t count; /* < 2^31: the upper values mark list heads in `prev` */
	uint32_t armed; /* how many timers are armed */
	uint64_t tick_ns;
	uint64_t now_tick;               /* everything before it has been expired */
	uint32_t heads[WHEEL_SLOTS + 1]; /* the last: what was already due when it was armed */
};

/* `entries`: the first of `count` entries, each `stride` bytes after the one before, which the
 * wheel owns until it is no longer used. Memory that is all zero is as good as initialised, and is
 * not touched: a table that is mapped costs only what is used of it. Anything else must be zeroed
 * before. tick_ns > 0. */
void wheel_init(struct wheel *w, struct wheel_entry *entries, size_t stride, uint32_t count,
                uint64_t tick_ns, uint64_t now_ns);

/* Arms or re-arms the timer of `index` (deadline_ns > 0). A deadline in the past expires at the
 * next call, or a tick later where it lies within the tick that is running. */
void wheel_arm(struct wheel *w, uint32_t index, uint64_t deadline_ns);

/* Does nothing where it is not armed. */
void wheel_cancel(struct wheel *w, uint32_t index);
bool wheel_is_armed(const struct wheel *w, uint32_t index);

/* Writes up to `max` indexes whose deadline is not after now_ns (all of them up to
 * the tick that is running), disarms them, returns how many; call again while it returns `max`. */
size_t wheel_expire(struct wheel *w, uint64_t now_ns, uint32_t *expired, size_t max);

/* The time at which wheel_expire is worth calling: never after the earliest deadline's tick, 0
 * where something is already due, UINT64_MAX where nothing is armed. */
uint64_t wheel_next_ns(const struct wheel *w);
