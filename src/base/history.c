/* history: a ring of points, and peaks beside it. */
#include "base/history.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#define NS_PER_DAY   86400e9
#define FULL_SAMPLES 10 /* that the rate of filling is taken over ... */
#define FULL_LEAST   3  /* ... and without which there is none    */
#define PARTS_MOST   4

/* What a line is made of: the figures whose values, or rates, add up to it, or of which the least
 * is it. ListenDrops has overflows of accept queues and of SYN queues in it. */
static const struct {
	const char *title;
	enum figure_unit unit;
	bool is_least;
	uint32_t count;
	enum figure_id parts[PARTS_MOST];
} lines[] = {
	[HISTORY_ESTABLISHED] = {"established", FIGURE_NUMBER, false, 1, {FIGURE_TCP_ESTABLISHED}},
	[HISTORY_CONNECTS] = {"connects/s", FIGURE_NUMBER, false, 1, {FIGURE_TCP_ACTIVE_OPENS}},
	[HISTORY_ACCEPTS] = {"accepts/s", FIGURE_NUMBER, false, 1, {FIGURE_TCP_PASSIVE_OPENS}},
	[HISTORY_DROPS] = {"drops/s",
                           FIGURE_NUMBER,
                           false,
                           3,
                           {FIGURE_LISTEN_DROPS, FIGURE_SOCKET_BACKLOG_DROPS,
                            FIGURE_CPU_BACKLOG_DROPS}},
	[HISTORY_MEMORY_LEFT] =
		{"memory left", FIGURE_BYTES, true, 2, {FIGURE_MEMORY_LEFT, FIGURE_CGROUP_LEFT}},
};
static_assert(sizeof(lines) / sizeof(lines[0]) == HISTORY_LINE_COUNT, "a row for each line");

static double value_of(enum figure_id id, const struct sample *before, const struct sample *now)
{
	const struct figure *figure = figure_at(id);

	if (figure->kind == FIGURE_COUNTER)
		return before ? figure_rate_per_s(figure, before, now) : HISTORY_UNKNOWN;
	uint64_t value = figure_sum(figure, now);

	return value == PROBE_UNKNOWN ? HISTORY_UNKNOWN : (double)value;
}

/* What is known of the parts. */
static double line_value(enum history_line line, const struct sample *before,
                         const struct sample *now)
{
	double whole = HISTORY_UNKNOWN;

	for (uint32_t i = 0; i < lines[line].count; i++) {
		double value = value_of(lines[line].parts[i], before, now);

		if (value < 0)
			continue;
		if (whole < 0)
			whole = value;
		else if (lines[line].is_least)
			whole = value < whole ? value : whole;
		else
			whole += value;
	}
	return whole;
}

static void raise_peak(struct history *h, enum history_line line, double value)
{
	double *peak = &h->peak[line];
	bool is_beyond = line == HISTORY_MEMORY_LEFT ? value < *peak : value > *peak;

	if (value >= 0 && (*peak < 0 || is_beyond))
		*peak = value;
}

static void add_counter(struct history *h, enum figure_id id, const struct sample *before,
                        const struct sample *now)
{
	const struct figure *figure = figure_at(id);
	double rate = value_of(id, before, now);

	if (rate > h->rate_peak[id])
		h->rate_peak[id] = rate;
	if (rate > 0)
		h->moved[id] += figure_sum(figure, now) - figure_sum(figure, before);
}

void history_clear_peaks(struct history *h)
{
	for (int i = 0; i < HISTORY_LINE_COUNT; i++)
		h->peak[i] = HISTORY_UNKNOWN;
	for (int i = 0; i < FIGURE_COUNT; i++)
		h->rate_peak[i] = HISTORY_UNKNOWN;
}

void history_clear(struct history *h)
{
	memset(h, 0, sizeof(*h));
	history_clear_peaks(h);
}

void history_add(struct history *h, const struct sample *before, const struct sample *now)
{
	uint32_t place = h->count++ % HISTORY_POINTS;

	h->at_ns[place] = now->at_ns;
	for (int i = 0; i < HISTORY_LINE_COUNT; i++) {
		enum history_line line = (enum history_line)i;

		h->points[place][i] = line_value(line, before, now);
		raise_peak(h, line, h->points[place][i]);
	}
	for (int i = 0; before && i < FIGURE_COUNT; i++) {
		if (figure_at((enum figure_id)i)->kind == FIGURE_COUNTER)
			add_counter(h, (enum figure_id)i, before, now);
	}
}

double history_value(const struct history *h, enum history_line line, uint32_t ago)
{
	if (ago >= h->count || ago >= HISTORY_POINTS)
		return HISTORY_UNKNOWN;
	return h->points[(h->count - 1 - ago) % HISTORY_POINTS][line];
}

const char *history_title(enum history_line line)
{
	return lines[line].title;
}

enum figure_unit history_unit(enum history_line line)
{
	return lines[line].unit;
}

uint64_t history_full_in_ns(const struct history *h)
{
	uint32_t ago = h->count > FULL_SAMPLES ? FULL_SAMPLES : h->count - 1;

	if (h->count <= FULL_LEAST)
		return UINT64_MAX;
	double now = history_value(h, HISTORY_MEMORY_LEFT, 0);
	double then = history_value(h, HISTORY_MEMORY_LEFT, ago);
	double took_ns = (double)(h->at_ns[(h->count - 1) % HISTORY_POINTS] -
	                          h->at_ns[(h->count - 1 - ago) % HISTORY_POINTS]);

	if (now < 0 || then <= now || took_ns <= 0)
		return UINT64_MAX;
	double full_ns = now / (then - now) * took_ns;

	return full_ns < NS_PER_DAY ? (uint64_t)full_ns : UINT64_MAX;
}
