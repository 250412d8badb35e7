#include "targets.h"

#include "format.h"

#define TARGETS_N 1000000 /* they are given for this size */

/* A target is a bound of a median: of a figure, or of its ratio to classic. */
struct target {
	const char *text;
	enum figure figure;
	bool is_ratio;
	enum { AT_LEAST, AT_MOST, BELOW } bound;
	double limit;
};

static const struct target targets[] = {
	{"rate >= 1.3 x classic", RATE, true, AT_LEAST, 1.3},
	{"rate >= 60,000/s", RATE, false, AT_LEAST, 60000},
	{"kernel and user <= 8,300 B/pair", ALL_BYTES, false, AT_MOST, 8300},
	{"user <= 64 B/connection and side", USER_SIDE_BYTES, false, AT_MOST, 64},
	{"proof <= 12 s", PROOF_S, false, AT_MOST, 12},
	{"idle hold < 2 % of a core", IDLE_PERCENT, false, BELOW, 2},
	{"close-down < 5 s", CLOSE_S, false, BELOW, 5},
};

/* Who is held to them. */
static const enum design designs[] = {URING, APART};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool is_reached(const struct target *t, double value)
{
	switch (t->bound) {
	case AT_LEAST:
		return value >= t->limit;
	case AT_MOST:
		return value <= t->limit;
	default:
		return value < t->limit;
	}
}

static void write_verdict(FILE *to, const struct bench *b, const struct target *t,
                          enum design design, unsigned int solution)
{
	const struct spread s =
		t->is_ratio
			? stats_ratio(b, TARGETS_N, solution, (struct pair){design, CLASSIC},
	                              t->figure)
			: stats_figure(b, (struct cell){TARGETS_N, solution, design}, t->figure);

	if (s.count == 0) {
		fputs(" not measured |", to);
		return;
	}
	fputs(is_reached(t, s.median) ? " reached: " : " **missed**: ", to);
	format_number(to, s.median, t->is_ratio ? 2 : figure_infos[t->figure].decimals);
	fputs(" |", to);
}

void targets_write(FILE *to, const struct bench *b)
{
	fputs("\n## Targets\n\n", to);
	if (stats_rounds(b, TARGETS_N) == 0) {
		fputs("They are given for N = 1M, which was not measured.\n", to);
		return;
	}
	fputs("| median at 1M |", to);
	for (size_t d = 0; d < COUNT(designs); d++) {
		for (unsigned int solution = 1; solution <= SOLUTIONS; solution++)
			fprintf(to, " %s, %u |", design_names[designs[d]], solution);
	}
	fputc('\n', to);
	format_rule(to, 1 + SOLUTIONS * (int)COUNT(designs), 0);
	for (size_t i = 0; i < COUNT(targets); i++) {
		fprintf(to, "| %s |", targets[i].text);
		for (size_t d = 0; d < COUNT(designs); d++) {
			for (unsigned int solution = 1; solution <= SOLUTIONS; solution++)
				write_verdict(to, b, &targets[i], designs[d], solution);
		}
		fputc('\n', to);
	}
}
