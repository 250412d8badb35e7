/* near: an insertion into a short list. */
#include "base/near.h"

#include <string.h>

#define PERCENT_MOST 999

uint32_t near_percent(const struct near_row *row)
{
	double percent = (double)row->used * 100 / (double)row->most;

	return percent < PERCENT_MOST ? (uint32_t)percent : PERCENT_MOST;
}

static double share(const struct near_row *row)
{
	return (double)row->used / (double)row->most;
}

void near_add(struct near_table *table, const struct near_row *row)
{
	uint32_t at = 0;

	if (row->used == PROBE_UNKNOWN || row->most == PROBE_UNKNOWN || row->most == 0 ||
	    near_percent(row) < NEAR_PERCENT)
		return;
	while (at < table->count && share(&table->rows[at]) >= share(row))
		at++;
	if (at == NEAR_ROWS_MOST)
		return;
	if (table->count < NEAR_ROWS_MOST)
		table->count++;
	memmove(&table->rows[at + 1], &table->rows[at],
	        (table->count - 1 - at) * sizeof(table->rows[0]));
	table->rows[at] = *row;
}
