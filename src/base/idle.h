/* idle: what became of a connection that has rested. */
#pragma once

#include <stdint.h>

enum idle_end {
	IDLE_LIVES,        /* it was spoken to, and answered                             */
	IDLE_SILENT,       /* it was spoken to, and nothing came back, not even an error */
	IDLE_RESET,        /* it was spoken to, and the answer was RST                   */
	IDLE_UNREACHABLE,  /* ... was an ICMP error                                 */
	IDLE_CLOSED_AFTER, /* ... was a FIN                                        */
	IDLE_CLOSED,       /* it had not been spoken to: FIN came by itself        */
	IDLE_CUT,          /* RST did                                              */
	IDLE_END_COUNT
};

/* "lives", "silent", "reset", "unreachable", "closed_when_spoken", "closed_at_rest",
 * "reset_at_rest". */
const char *idle_end_name(enum idle_end end);

/* Which has this name; IDLE_END_COUNT: none. */
enum idle_end idle_end_named(const char *name);
