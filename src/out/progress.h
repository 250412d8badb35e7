/* progress: the live line of a run on stderr: redrawn in place on a terminal, a plain line now and
 * then elsewhere, nothing where it is quiet. */
#pragma once

#include "base/live.h"
#include "base/text.h"

#include <stdbool.h>

struct progress {
	bool is_quiet, is_terminal;
	bool is_drawn;      /* a line stands on the terminal that the next one overwrites */
	uint64_t last_ns;   /* when the last plain line was printed */
	uint64_t last_mark; /* and what it said: a log of hours where nothing happens stays short */
	int last_phase;     /* enum live_phase, or -1 */
};

void progress_init(struct progress *p, bool is_quiet);

/* The line's text, without any control characters. Pure. */
void progress_format(struct text *t, const struct live *live);

/* Draws it: at each call on a terminal, otherwise when a phase begins and every two seconds. */
void progress_draw(struct progress *p, const struct live *live, uint64_t now_ns);

/* Draws a line of the caller's, where it is a terminal: elsewhere what stays says enough. */
void progress_status(struct progress *p, const char *line);

/* Prints one line that stays, in its place ("megaconn: ..."). */
void progress_say(struct progress *p, const char *line);

/* Takes the live line away. */
void progress_end(struct progress *p);
