/* utcp_poll: frames and timers, and sleep between them. */
#pragma once

#include "utcp/utcp_state.h"

/* As engine_poll. */
int utcp_poll(struct utcp *u, struct engine_event *events, int max, uint64_t deadline_ns);

/* One exchange and what comes of it. How many frames there were, or a negative errno. What is told
 * is in u->events, which the caller has provided. */
int utcp_turn(struct utcp *u);

/* Sends what was put, and sleeps until there are frames, a timer is due, or the deadline. 1 where
 * it was woken, else 0, or a negative errno. */
int utcp_sleep_until(const struct utcp *u, uint64_t deadline_ns);

/* Copies the counts of path and device to where the caller looks. */
void utcp_publish_counts(struct utcp *u);
