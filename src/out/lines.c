/* lines: columns, each a line of the history or a figure. */
#include "out/lines.h"

#include "base/text.h"
#include "out/number.h"

enum column_kind { COLUMN_LINE, COLUMN_FIGURE, COLUMN_CPU };

static const struct column {
	const char *head;
	int width;
	enum column_kind kind;
	int of; /* enum history_line, or enum figure_id */
} columns[] = {
	{"estab", 11, COLUMN_LINE, HISTORY_ESTABLISHED},
	{"time_wait", 10, COLUMN_FIGURE, FIGURE_TCP_TIME_WAIT},
	{"connects/s", 11, COLUMN_LINE, HISTORY_CONNECTS},
	{"accepts/s", 10, COLUMN_LINE, HISTORY_ACCEPTS},
	{"segs-in/s", 10, COLUMN_FIGURE, FIGURE_TCP_IN_SEGMENTS},
	{"retrans/s", 10, COLUMN_FIGURE, FIGURE_TCP_RETRANSMITS},
	{"drops/s", 8, COLUMN_LINE, HISTORY_DROPS},
	{"resets/s", 9, COLUMN_FIGURE, FIGURE_TCP_RESETS},
	{"left", 11, COLUMN_LINE, HISTORY_MEMORY_LEFT},
	{"slab", 11, COLUMN_FIGURE, FIGURE_MEMORY_SLAB},
	{"cpu%", 5, COLUMN_CPU, FIGURE_CPU_BUSY},
	{"si%", 4, COLUMN_CPU, FIGURE_CPU_SOFTIRQ},
};
#define COLUMN_COUNT (sizeof(columns) / sizeof(columns[0]))

void lines_head(FILE *to)
{
	fprintf(to, "time    ");
	for (size_t i = 0; i < COLUMN_COUNT; i++)
		fprintf(to, " %*s", columns[i].width, columns[i].head);
	fprintf(to, "\n");
}

/* Of all CPUs together. */
static void add_cpu(struct text *t, enum figure_id id, const struct sample *before,
                    const struct sample *now)
{
	double busy = figure_rate_per_s(figure_at(FIGURE_CPU_BUSY), before, now);
	double idle = figure_rate_per_s(figure_at(FIGURE_CPU_IDLE), before, now);
	double part = figure_rate_per_s(figure_at(id), before, now);

	if (busy < 0 || idle < 0 || part < 0 || busy + idle <= 0)
		text_add(t, "-");
	else
		text_add(t, "%.0f", part * 100 / (busy + idle));
}

static void add_figure(struct text *t, const struct figure *figure, const struct sample *before,
                       const struct sample *now)
{
	if (figure->kind == FIGURE_GAUGE)
		number_add(t, figure->unit, figure_sum(figure, now));
	else
		number_add_real(t, figure->unit,
		                before ? figure_rate_per_s(figure, before, now) : HISTORY_UNKNOWN);
}

static void add_column(struct text *t, const struct column *column, const struct sample *before,
                       const struct sample *now, const struct history *history)
{
	switch (column->kind) {
	case COLUMN_LINE:
		number_add_real(t, history_unit((enum history_line)column->of),
		                history_value(history, (enum history_line)column->of, 0));
		return;
	case COLUMN_FIGURE:
		add_figure(t, figure_at((enum figure_id)column->of), before, now);
		return;
	case COLUMN_CPU:
		if (before)
			add_cpu(t, (enum figure_id)column->of, before, now);
		else
			text_add(t, "-");
		return;
	}
}

void lines_print(FILE *to, const char *clock, const struct sample *before, const struct sample *now,
                 const struct history *history)
{
	fprintf(to, "%s", clock);
	for (size_t i = 0; i < COLUMN_COUNT; i++) {
		char words[NUMBER_BYTES];
		struct text t;

		text_init(&t, words, sizeof(words));
		add_column(&t, &columns[i], before, now, history);
		fprintf(to, " %*s", columns[i].width, words);
	}
	fprintf(to, "\n");
	fflush(to);
}
