/* outage_lines: the outages of a hold in words: lines for the summary and for the report. Pure. */
#pragma once

#include "out/stage_lines.h"

#include <assert.h>

#define OUTAGE_LINES_MOST 6

static_assert(OUTAGE_LINES_MOST <= STAGE_LINES_MOST, "they go where these do");

/* Returns how many; the last one says how many more there were. */
uint32_t outage_lines(const struct result *r, struct stage_line lines[OUTAGE_LINES_MOST]);
