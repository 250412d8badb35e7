/* stage_lines: what the stages of a run came to, in words: named lines for the summary and for the
 * report. Pure. */
#pragma once

#include "base/result.h"

#include <stdint.h>

#define STAGE_LINES_MOST 10

struct stage_line {
	const char *name; /* "traffic", "latency", ... */
	char text[384];
};

/* Of stage i; returns how many. The first says which stage it is, where there are several. */
uint32_t stage_lines(const struct result *r, uint32_t i, struct stage_line lines[STAGE_LINES_MOST]);

/* What a search has found. */
uint32_t stage_lines_search(const struct result *r, struct stage_line lines[STAGE_LINES_MOST]);
