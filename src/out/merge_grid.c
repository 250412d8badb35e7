/* merge_grid: see the header. A column is a number of a figure of the run, by the table of figures;
 * the last columns count the hosts in each phase. */
#include "out/merge_grid.h"

#include "base/clock.h"
#include "base/figure.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What of one host cannot be added to that of another. */
static bool is_added(enum figure_id id)
{
	const struct figure *f = figure_at(id);

	return f->group == FIGURE_RUN && id != FIGURE_RUN_KERNEL_EACH &&
	       f->family != FIGURE_BY_CPU && f->family != FIGURE_BY_CACHE;
}

static uint32_t width_of(enum figure_id id)
{
	const struct figure *f = figure_at(id);

	return f->family == FIGURE_BY_CAUSE    ? CAUSE_COUNT
	       : f->family == FIGURE_BY_ANSWER ? ANSWER_COUNT
	                                       : 1;
}

static uint32_t figure_columns(void)
{
	uint32_t sum = 0;

	for (int id = 0; id < FIGURE_COUNT; id++)
		sum += is_added((enum figure_id)id) ? width_of((enum figure_id)id) : 0;
	return sum;
}

uint32_t merge_grid_columns(void)
{
	return figure_columns() + LIVE_PHASE_COUNT;
}

/* --- adding ------------------------------------------------------------------------------- */

static void take_numbers(const struct sample *sample, uint64_t *numbers)
{
	uint32_t column = 0;

	for (int id = 0; id < FIGURE_COUNT; id++) {
		const struct figure *f = figure_at((enum figure_id)id);

		if (!is_added((enum figure_id)id))
			continue;
		for (uint32_t i = 0; i < width_of((enum figure_id)id); i++)
			numbers[column++] = sample->has_run ? figure_value(f, sample, i)
			                                    : PROBE_UNKNOWN;
	}
	for (uint32_t i = 0; i < LIVE_PHASE_COUNT; i++)
		numbers[column++] = sample->has_run && sample->run.phase == i;
}

static uint64_t *row_of(const struct merge_grid *g, uint64_t second)
{
	return g->numbers + second * merge_grid_columns();
}

/* So that there is room for that second. */
static int grow(struct merge_grid *g, uint64_t second)
{
	uint32_t columns = merge_grid_columns();

	if (second >= g->room) {
		uint32_t room = (uint32_t)(second < 512 ? 1024 : second * 2);

		room = room < MERGE_GRID_MOST ? room : MERGE_GRID_MOST;
		uint64_t *numbers = realloc(g->numbers, (size_t)room * columns * sizeof(*numbers));

		if (!numbers)
			return -ENOMEM;
		g->numbers = numbers;
		g->room = room;
	}
	if (!g->ended) {
		g->ended = malloc(columns * sizeof(*g->ended));
		if (!g->ended)
			return -ENOMEM;
		memset(g->ended, 0xff, columns * sizeof(*g->ended));
	}
	for (; g->count <= second; g->count++)
		memcpy(row_of(g, g->count), g->ended, columns * sizeof(*g->ended));
	return 0;
}

static void add_row(uint64_t *row, const uint64_t *numbers)
{
	for (uint32_t c = 0; c < merge_grid_columns(); c++) {
		if (numbers[c] == PROBE_UNKNOWN)
			continue;
		if (row[c] == PROBE_UNKNOWN)
			row[c] = 0;
		row[c] = row[c] > INT64_MAX || numbers[c] > INT64_MAX ? INT64_MAX
		                                                      : row[c] + numbers[c];
	}
}

/* A second has what was last known when it began; there is always one more than samples need. */
int merge_grid_add(struct merge_grid *g, struct merge_host *host, const struct sample *sample)
{
	uint64_t at_s = sample->unix_ns / NS_PER_S;

	if (g->start_s == 0 && at_s > 0)
		g->start_s = at_s - 1;
	uint64_t end = at_s >= g->start_s ? at_s - g->start_s + 1 : 0;

	if (end >= MERGE_GRID_MOST)
		end = MERGE_GRID_MOST - 1;
	int failed = grow(g, end);

	for (; failed == 0 && host->has_before && host->next < end; host->next++)
		add_row(row_of(g, host->next), host->numbers);
	if (host->next < end)
		host->next = end;
	take_numbers(sample, host->numbers);
	host->has_before = true;
	return failed;
}

/* A run that has ended has nothing open; what it has counted stays. */
static void end_gauges(uint64_t *numbers)
{
	uint32_t column = 0;

	for (int id = 0; id < FIGURE_COUNT; id++) {
		bool is_gauge = figure_at((enum figure_id)id)->kind == FIGURE_GAUGE &&
		                id != FIGURE_RUN_TARGET;

		for (uint32_t i = 0;
		     is_added((enum figure_id)id) && i < width_of((enum figure_id)id);
		     i++, column++)
			numbers[column] = is_gauge && numbers[column] != PROBE_UNKNOWN
			                          ? 0
			                          : numbers[column];
	}
}

void merge_grid_end(struct merge_grid *g, const struct merge_host *host)
{
	uint64_t next = host->next;

	if (!host->has_before)
		return;
	if (next < g->count)
		add_row(row_of(g, next++), host->numbers);
	end_gauges(host->numbers);
	for (; next < g->count; next++)
		add_row(row_of(g, next), host->numbers);
	add_row(g->ended, host->numbers);
}

/* --- reading ------------------------------------------------------------------------------ */

/* The earlier of two that as many are in. */
static enum live_phase phase_of(const uint64_t *counts)
{
	uint32_t most = 0;

	for (uint32_t i = 1; i < LIVE_PHASE_COUNT; i++) {
		if (counts[i] != PROBE_UNKNOWN &&
		    (counts[most] == PROBE_UNKNOWN || counts[i] > counts[most]))
			most = i;
	}
	return (enum live_phase)most;
}

void merge_grid_sample(const struct merge_grid *g, uint32_t i, struct sample *out)
{
	const uint64_t *row = row_of(g, i);
	uint32_t column = 0;

	figure_clear(out);
	out->has_run = true;
	out->at_ns = (uint64_t)(i + 1) * NS_PER_S;
	out->unix_ns = (g->start_s + i) * NS_PER_S;
	for (int id = 0; id < FIGURE_COUNT; id++) {
		const struct figure *f = figure_at((enum figure_id)id);

		if (!is_added((enum figure_id)id))
			continue;
		for (uint32_t n = 0; n < width_of((enum figure_id)id); n++, column++)
			if (row[column] != PROBE_UNKNOWN)
				(void)figure_put(f, out, figure_label(f, out, n), row[column]);
	}
	out->run.phase = phase_of(row + figure_columns());
	out->run.stage = 0;
}

void merge_grid_free(struct merge_grid *g)
{
	free(g->numbers);
	free(g->ended);
	g->numbers = g->ended = NULL;
	g->count = g->room = 0;
}
