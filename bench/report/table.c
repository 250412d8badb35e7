#include "table.h"

#include <math.h>
#include <string.h>

#define TARGETS_N 1000000.0

/* A target is a bound of a median: of a figure of megaconn, or of its ratio to classic. */
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
	{"all-in <= 8,300 B/pair", ALL_BYTES, false, AT_MOST, 8300},
	{"user <= 64 B/connection and side", USER_BYTES, false, AT_MOST, 64},
	{"proof <= 12 s", PROOF_S, false, AT_MOST, 12},
	{"idle hold < 2 % of a core", IDLE_PERCENT, false, BELOW, 2},
	{"close-down < 5 s", CLOSE_S, false, BELOW, 5},
};

static const enum figure ratios[] = {RATE, CPU_US, KERNEL_BYTES, LOST_BYTES, CLOSE_S};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct run *find_run(const struct bench *b, unsigned int round, unsigned int solution,
                                  enum design design)
{
	for (size_t i = 0; i < b->count; i++) {
		const struct run *r = &b->runs[i];

		if (r->ok && r->round == round && r->solution == solution && r->design == design)
			return r;
	}
	return NULL;
}

struct spread table_figure(const struct bench *b, enum design design, unsigned int solution,
                           enum figure figure)
{
	double values[ROUNDS_MAX];
	unsigned int count = 0;

	for (unsigned int round = 1; round <= b->rounds; round++) {
		const struct run *r = find_run(b, round, solution, design);

		if (r)
			values[count++] = r->figures[figure];
	}
	return figures_spread(values, count);
}

struct spread table_ratio(const struct bench *b, unsigned int solution, enum figure figure)
{
	double values[ROUNDS_MAX];
	unsigned int count = 0;

	for (unsigned int round = 1; round <= b->rounds; round++) {
		const struct run *classic = find_run(b, round, solution, CLASSIC);
		const struct run *megaconn = find_run(b, round, solution, MEGACONN);

		if (classic && megaconn && classic->figures[figure] > 0)
			values[count++] = megaconn->figures[figure] / classic->figures[figure];
	}
	return figures_spread(values, count);
}

void table_number(FILE *to, double value, int decimals)
{
	char text[64];

	if (!isfinite(value)) {
		fputc('-', to);
		return;
	}
	snprintf(text, sizeof(text), "%.*f", decimals, fabs(value));
	const size_t whole = strcspn(text, ".");

	if (value < 0)
		fputc('-', to);
	for (size_t i = 0; i < whole; i++) {
		fputc(text[i], to);
		if (whole - i > 1 && (whole - i) % 3 == 1)
			fputc(',', to);
	}
	fputs(text + whole, to);
}

static void write_spread(FILE *to, const struct spread *s, int decimals)
{
	table_number(to, s->median, decimals);
	if (s->count < 2)
		return;
	fputs(" (", to);
	table_number(to, s->least, decimals);
	fputs(" .. ", to);
	table_number(to, s->most, decimals);
	fputc(')', to);
}

static void write_header(FILE *to, const struct bench *b)
{
	const struct host *h = &b->host;

	fprintf(to, "# megaconn against the classic design: N = %s, %u round%s\n\n", b->n,
	        b->rounds, b->rounds == 1 ? "" : "s");
	fprintf(to, "- date: %s\n- kernel: %s\n- CPU: %s, %ld core%s\n- memory: ", h->date,
	        h->kernel, h->cpu, h->cores, h->cores == 1 ? "" : "s");
	table_number(to, (double)h->memory_mib, 0);
	fprintf(to, " MiB\n- revision: %s\n\n", b->revision);
}

static void write_failed(FILE *to, const struct bench *b)
{
	size_t failed = 0;

	for (size_t i = 0; i < b->count; i++) {
		const struct run *r = &b->runs[i];

		if (r->ok)
			continue;
		if (failed++ == 0)
			fputs("Failed, and in no figure below:\n\n", to);
		fprintf(to, "- round %u, solution %u, %s: exit code %d\n", r->round, r->solution,
		        design_names[r->design], r->exit_code);
	}
	if (failed > 0)
		fputc('\n', to);
}

/* Something else was busy, and may have been during the run as well. */
static void write_busy(FILE *to, const struct bench *b)
{
	size_t busy = 0;

	for (size_t i = 0; i < b->count; i++)
		busy += !b->runs[i].quiet;
	if (busy > 0)
		fprintf(to,
		        "**Before %zu of %zu runs the machine was not quiet:** take the figures "
		        "with care.\n\n",
		        busy, b->count);
}

static void write_figures(FILE *to, const struct bench *b)
{
	fputs("Median of the rounds, and in brackets their range.\n\n| design | solution |", to);
	for (int i = 0; i < FIGURES; i++)
		fprintf(to, " %s |", figure_infos[i].title);
	fputs("\n|---|---:|", to);
	for (int i = 0; i < FIGURES; i++)
		fputs("---:|", to);
	fputc('\n', to);
	for (unsigned int solution = 1; solution <= SOLUTIONS; solution++) {
		for (int d = 0; d < DESIGNS; d++) {
			fprintf(to, "| %s | %u |", design_names[d], solution);
			for (int i = 0; i < FIGURES; i++) {
				struct spread s = table_figure(b, (enum design)d, solution,
				                               (enum figure)i);

				fputc(' ', to);
				write_spread(to, &s, figure_infos[i].decimals);
				fputs(" |", to);
			}
			fputc('\n', to);
		}
	}
	fputs("\n- kernel: slabs, stacks, page tables, vmalloc, percpu; classic: slabs alone\n"
	      "- user: of the side that takes more\n"
	      "- all-in: kernel, and user memory of both sides\n"
	      "- free memory lost: all that is free no longer, accounted for or not\n"
	      "- proof: the slower of the two\n"
	      "- solution 1: many source IPs to one port; 2: one source IP to many ports\n\n",
	      to);
}

static void write_ratios(FILE *to, const struct bench *b)
{
	fputs("## Ratios\n\nmegaconn / classic in the same round: median of the rounds.\n\n"
	      "| ratio of | solution 1 | solution 2 |\n|---|---:|---:|\n",
	      to);
	for (size_t i = 0; i < COUNT(ratios); i++) {
		fprintf(to, "| %s |", figure_infos[ratios[i]].title);
		for (unsigned int solution = 1; solution <= SOLUTIONS; solution++) {
			struct spread s = table_ratio(b, solution, ratios[i]);

			fputc(' ', to);
			write_spread(to, &s, 2);
			fputs(" |", to);
		}
		fputc('\n', to);
	}
	fputc('\n', to);
}

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
                          unsigned int solution)
{
	const struct spread s = t->is_ratio ? table_ratio(b, solution, t->figure)
	                                    : table_figure(b, MEGACONN, solution, t->figure);

	if (s.count == 0) {
		fputs(" not measured |", to);
		return;
	}
	fputs(is_reached(t, s.median) ? " reached: " : " **missed**: ", to);
	table_number(to, s.median, t->is_ratio ? 2 : figure_infos[t->figure].decimals);
	fputs(" |", to);
}

/* How many connections the runs were asked for; NAN where no run says so. */
static double asked_for(const struct bench *b)
{
	for (size_t i = 0; i < b->count; i++) {
		const json_t *target = json_object_get(b->runs[i].result, "target");

		if (json_is_number(target))
			return json_number_value(target);
	}
	return NAN;
}

static void write_targets(FILE *to, const struct bench *b)
{
	fputs("## Targets\n\n", to);
	if (asked_for(b) != TARGETS_N)
		fprintf(to,
		        "**The targets are given for N = 1M; this is N = %s.** Fixed costs weigh\n"
		        "more here, and times are shorter: reached or missed means little.\n\n",
		        b->n);
	fputs("| target (median) | solution 1 | solution 2 |\n|---|---|---|\n", to);
	for (size_t i = 0; i < COUNT(targets); i++) {
		fprintf(to, "| %s |", targets[i].text);
		for (unsigned int solution = 1; solution <= SOLUTIONS; solution++)
			write_verdict(to, b, &targets[i], solution);
		fputc('\n', to);
	}
}

void table_write(FILE *to, const struct bench *b)
{
	write_header(to, b);
	write_failed(to, b);
	write_busy(to, b);
	write_figures(to, b);
	write_ratios(to, b);
	write_targets(to, b);
}
