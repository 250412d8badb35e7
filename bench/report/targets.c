#include "targets.h"

#include "format.h"

#define TARGETS_N 1000000 /* they are given for this size */

/* A target is a bound of a median: of a figure, or of its ratio to what the group is compared
 * with. */
struct target {
	const char *text;
	enum figure figure;
	bool is_ratio;
	enum { AT_LEAST, AT_MOST, BELOW } bound;
	double limit;
};

#define TARGETS_MOST 8
#define HELD_MOST    2

/* Designs that are held to the same targets. */
struct group {
	const char *title;
	enum design held[HELD_MOST];
	size_t held_count;
	enum design to; /* what ratios are to */
	struct target targets[TARGETS_MOST];
	size_t target_count;
};

static const struct group groups[] = {
	{
		.title = "clients by kernel sockets",
		.held = {URING, APART},
		.held_count = 2,
		.to = CLASSIC,
		.targets = {{"rate >= 1.3 x classic", RATE, true, AT_LEAST, 1.3},
                            {"rate >= 60,000/s", RATE, false, AT_LEAST, 60000},
                            {"kernel and user <= 8,300 B/pair", ALL_BYTES, false, AT_MOST, 8300},
                            {"user <= 64 B/connection and side", USER_SIDE_BYTES, false, AT_MOST,
                             64},
                            {"proof <= 12 s", PROOF_S, false, AT_MOST, 12},
                            {"idle hold < 2 % of a core", IDLE_PERCENT, false, BELOW, 2},
                            {"close-down < 5 s", CLOSE_S, false, BELOW, 5}},
		.target_count = 7,
	},
	{
		.title = "clients by our own TCP",
		.held = {TUN, PACKET},
		.held_count = 2,
		.to = URING,
		.targets = {{"rate >= 2.8 x uring", RATE, true, AT_LEAST, 2.8},
                            {"rate >= 167,000/s", RATE, false, AT_LEAST, 167000},
                            {"kernel and user <= 4,300 B/connection", ALL_BYTES, false, AT_MOST,
                             4300},
                            {"client <= 40 B/connection", CLIENT_BYTES, false, AT_MOST, 40},
                            {"proof <= 8 s", PROOF_S, false, AT_MOST, 8}},
		.target_count = 5,
	},
};

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

static void write_verdict(FILE *to, const struct bench *b, const struct group *g,
                          const struct target *t, enum design design, unsigned int solution)
{
	const struct spread s =
		t->is_ratio
			? stats_ratio(b, TARGETS_N, solution, (struct pair){design, g->to},
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

static void write_group(FILE *to, const struct bench *b, const struct group *g)
{
	fprintf(to, "| %s: median at 1M |", g->title);
	for (size_t d = 0; d < g->held_count; d++) {
		for (unsigned int solution = 1; solution <= SOLUTIONS; solution++)
			fprintf(to, " %s, %u |", design_names[g->held[d]], solution);
	}
	fputc('\n', to);
	format_rule(to, 1 + SOLUTIONS * (int)g->held_count, 0);
	for (size_t i = 0; i < g->target_count; i++) {
		fprintf(to, "| %s |", g->targets[i].text);
		for (size_t d = 0; d < g->held_count; d++) {
			for (unsigned int solution = 1; solution <= SOLUTIONS; solution++)
				write_verdict(to, b, g, &g->targets[i], g->held[d], solution);
		}
		fputc('\n', to);
	}
}

void targets_write(FILE *to, const struct bench *b)
{
	fputs("\n## Targets\n", to);
	if (stats_rounds(b, TARGETS_N) == 0) {
		fputs("\nThey are given for N = 1M, which was not measured.\n", to);
		return;
	}
	for (size_t i = 0; i < COUNT(groups); i++) {
		fputc('\n', to);
		write_group(to, b, &groups[i]);
	}
}
