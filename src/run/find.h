/* find: --find-max: the most connections, messages a second, or churn a second that still pass, by
 * runs one after the other in the manner of RFC 9411 (sections 7.2 and 7.5): each ramps up,
 * sustains for --hold, and closes. What is searched is doubled until a run fails or a wall is met,
 * and then halved in between until the two are within 2 %. */
#pragma once

#include "base/result.h"
#include "run/connect.h"
#include "run/lab.h"

#include <stdbool.h>
#include <stdint.h>

#define FIND_FAILED_USUAL 10 /* of a million: 0.001 %, as RFC 9411 has it */

enum find_what { FIND_CONNECTIONS, FIND_MESSAGES, FIND_CHURN };

struct find {
	enum find_what what;
	uint64_t start, most;       /* the first to be tried; none beyond (UINT64_MAX: no bound) */
	uint64_t p99_most_ns;       /* of answers; 0: any */
	uint64_t failed_most_parts; /* of a million */
	/* One run with so many of them; `result` is filled in any case. */
	void (*run)(void *context, uint64_t value, const struct run_view *view,
	            struct result *result);
	void *context;
};

/* Fills `result` with that of the best run, and its `search`. Says each trial in one line to the
 * view, which hears of the runs themselves only the live line and samples. An interrupt ends it
 * with what was found. Returns the exit code: EXIT_UNPROVED where nothing passes. */
int find_max(const struct find *find, const struct run_view *view, struct result *result);

/* What is searched is the message rate where one is given, else the churn's, from there on; else
 * the connections, up to n. */
int find_lab(const struct lab_options *options, const struct run_view *view, struct result *result);
int find_connect(const struct connect_options *options, const struct run_view *view,
                 struct result *result);
