/* history: what a monitor remembers: the last samples of the few numbers that are drawn over time,
 * and the peaks of all figures. Pure. */
#pragma once

#include "base/figure.h"

#include <stdint.h>

#define HISTORY_POINTS  120
#define HISTORY_UNKNOWN (-1.0) /* of a value or rate: all known ones are >= 0 */

enum history_line {
	HISTORY_ESTABLISHED,
	HISTORY_CONNECTS,
	HISTORY_ACCEPTS,
	HISTORY_DROPS,
	HISTORY_MEMORY_LEFT,
	HISTORY_LINE_COUNT
};

struct history {
	uint32_t count; /* of points, all that were ever added */
	uint64_t at_ns[HISTORY_POINTS];
	double points[HISTORY_POINTS][HISTORY_LINE_COUNT];
	double peak[HISTORY_LINE_COUNT]; /* the highest; of memory left the lowest      */
	double rate_peak[FIGURE_COUNT];  /* of counters: the highest rate               */
	uint64_t moved[FIGURE_COUNT];    /* of counters: how far they went since the start */
};

void history_clear(struct history *h);

/* The peaks begin anew with the next sample. */
void history_clear_peaks(struct history *h);

/* Adds a sample; `before` is the one before it, NULL for the first. */
void history_add(struct history *h, const struct sample *before, const struct sample *now);

/* The value `ago` samples before the last one, or HISTORY_UNKNOWN. */
double history_value(const struct history *h, enum history_line line, uint32_t ago);

/* "established", "connects/s", ... */
const char *history_title(enum history_line line);

enum figure_unit history_unit(enum history_line line);

/* When memory is gone at the rate of the last ten samples; UINT64_MAX where it is not going, or not
 * within a day. */
uint64_t history_full_in_ns(const struct history *h);
