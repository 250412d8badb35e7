/* near: limits that are nearly reached: rows of the table of limits (plan/walls) of which it is
 * known how much is in use, the nearest first. Pure; run/near fills it. */
#pragma once

#include "base/figure.h"

#include <stdint.h>

#define NEAR_ROWS_MOST 16
#define NEAR_PERCENT   50 /* in use, from which a limit is near */

struct near_row {
	const char *id; /* as in struct wall_row */
	uint64_t used, most;
	enum figure_unit unit;
	char fix[224]; /* what to do; "" */
};

struct near_table {
	uint32_t count;
	struct near_row rows[NEAR_ROWS_MOST];
};

/* How much of it is in use; > 100 where the kernel lets more be. `most` > 0. */
uint32_t near_percent(const struct near_row *row);

/* Takes the row to its place, if it is near; one too many leaves the last out. A row with a number
 * that is not known (PROBE_UNKNOWN), or a limit of 0, is none. */
void near_add(struct near_table *table, const struct near_row *row);
