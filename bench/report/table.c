#include "table.h"

#include "format.h"
#include "targets.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What the ratios and the growth are of. */
static const enum figure ratios[] = {RATE, CPU_US, ALL_BYTES, LOST_BYTES, CLOSE_S};
static const enum figure growths[] = {RATE, CPU_US, ALL_BYTES, LOST_BYTES, CLOSE_US};

static void write_sizes(FILE *to, const struct bench *b)
{
	for (size_t i = 0; i < b->size_count; i++) {
		const unsigned int rounds = stats_rounds(b, b->sizes[i]);

		fputs(i > 0 ? ", " : "", to);
		format_size(to, b->sizes[i]);
		fprintf(to, " (%u round%s)", rounds, rounds == 1 ? "" : "s");
	}
}

static void write_header(FILE *to, const struct bench *b)
{
	const struct host *h = &b->host;

	fputs("# Classic, epoll, uring, serve and connect apart, tun, packet\n\n- connections: ",
	      to);
	write_sizes(to, b);
	fprintf(to, "\n- date: %s\n- kernel: %s\n- CPU: %s, %ld core%s\n- memory: ", h->date,
	        h->kernel, h->cpu, h->cores, h->cores == 1 ? "" : "s");
	format_number(to, (double)h->memory_mib, 0);
	fprintf(to, " MiB\n- revision: %s\n\n", b->revision);
}

static void write_run(FILE *to, const struct run *r)
{
	fputs("- ", to);
	format_size(to, r->n);
	fprintf(to, ", round %u, solution %u, %s", r->round, r->solution, design_names[r->design]);
}

static void write_failed(FILE *to, const struct bench *b)
{
	size_t failed = 0;

	for (size_t i = 0; i < b->count; i++) {
		if (b->runs[i].ok)
			continue;
		if (failed++ == 0)
			fputs("Failed, and in no figure below:\n\n", to);
		write_run(to, &b->runs[i]);
		fprintf(to, ": exit code %d\n", b->runs[i].exit_code);
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
	if (busy == 0)
		return;
	fprintf(to,
	        "**Before %zu of %zu runs the machine was not quiet:** take the figures with "
	        "care.\n\n",
	        busy, b->count);
	for (size_t i = 0; i < b->count; i++) {
		if (b->runs[i].quiet)
			continue;
		write_run(to, &b->runs[i]);
		fputc('\n', to);
	}
	fputc('\n', to);
}

/* The range of the rate alone: a table must fit a page. bench.json has all of them. */
static void write_figures_row(FILE *to, const struct bench *b, struct cell cell)
{
	fputs("| ", to);
	format_size(to, cell.n);
	fprintf(to, " | %u | %s |", cell.solution, design_names[cell.design]);
	for (int i = 0; i < COLUMNS; i++) {
		const struct spread s = stats_figure(b, cell, (enum figure)i);

		fputc(' ', to);
		if (i == RATE)
			format_spread(to, &s, figure_infos[i].decimals);
		else
			format_number(to, s.median, figure_infos[i].decimals);
		fputs(" |", to);
	}
	fputc('\n', to);
}

static void write_figures(FILE *to, const struct bench *b)
{
	fputs("Median of the rounds; for the rate their range, too.\n\n"
	      "| N | solution | design |",
	      to);
	for (int i = 0; i < COLUMNS; i++)
		fprintf(to, " %s |", figure_infos[i].title);
	fputc('\n', to);
	format_rule(to, 3, COLUMNS);
	for (size_t n = 0; n < b->size_count; n++) {
		for (unsigned int solution = 1; solution <= SOLUTIONS; solution++) {
			for (int d = 0; d < DESIGNS; d++)
				write_figures_row(
					to, b,
					(struct cell){b->sizes[n], solution, (enum design)d});
		}
	}
	fputs("\n- solution 1: many source IPs to one port; 2: one source IP to many ports\n"
	      "- classic: blocking processes; epoll, uring: `megaconn lab`; apart: by uring,\n"
	      "  `megaconn serve` and `megaconn connect` on 127.0.0.1 of the host; tun, packet:\n"
	      "  `megaconn lab`, the server by uring, the clients by our own TCP, for which one\n"
	      "  source IP (solution 2) is one process\n"
	      "- CPU: user and system time of all workers, from their birth to the end of the\n"
	      "  ramp; a server apart cannot know when that is\n"
	      "- kernel: slabs, stacks, page tables, vmalloc, percpu; user: private memory of\n"
	      "  all workers; memory lost: all that is free no longer, accounted for or not\n"
	      "- a monitor that lists /proc/PID/fd leaves a dentry and an inode behind for each\n"
	      "  descriptor: 390 B a pair in kernel, with the inodes some 1,900 in memory lost;\n"
	      "  uring's connections have no descriptor to list\n"
	      "- connect: from connect to connected; by io_uring each waits for the batch of 16\n"
	      "  that it is in; classic measures none\n"
	      "- proof: every connection echoes, the slower of two; classic has none\n"
	      "- close-down: until the kernel has freed the sockets; apart: first the clients,\n"
	      "  then what is left of the server\n"
	      "- `-`: not measured\n\n",
	      to);
}

/* "1.60 · 1.55": a value for each size, from the `first` on. */
static void write_by_size(FILE *to, size_t first, size_t count, const double *values)
{
	fputc(' ', to);
	for (size_t i = first; i < count; i++) {
		fputs(i > first ? " · " : "", to);
		format_number(to, values[i], 2);
	}
	fputs(" |", to);
}

static void write_ratios_row(FILE *to, const struct bench *b, struct pair pair,
                             unsigned int solution)
{
	double values[SIZES_MAX];

	fprintf(to, "| %s / %s | %u |", design_names[pair.over], design_names[pair.under],
	        solution);
	for (size_t i = 0; i < COUNT(ratios); i++) {
		for (size_t n = 0; n < b->size_count; n++)
			values[n] = stats_ratio(b, b->sizes[n], solution, pair, ratios[i]).median;
		write_by_size(to, 0, b->size_count, values);
	}
	fputc('\n', to);
}

static void write_ratios(FILE *to, const struct bench *b)
{
	fputs("## Ratios\n\nOf two designs in the same round, median of the rounds, at ", to);
	for (size_t i = 0; i < b->size_count; i++) {
		fputs(i > 0 ? " · " : "", to);
		format_size(to, b->sizes[i]);
	}
	fputs(":\n\n| | solution |", to);
	for (size_t i = 0; i < COUNT(ratios); i++)
		fprintf(to, " %s |", figure_infos[ratios[i]].title);
	fputc('\n', to);
	format_rule(to, 2, (int)COUNT(ratios));
	for (int i = 0; i < PAIRS; i++) {
		for (unsigned int solution = 1; solution <= SOLUTIONS; solution++)
			write_ratios_row(to, b, stats_pairs[i], solution);
	}
}

static void write_growth_row(FILE *to, const struct bench *b, enum design design,
                             unsigned int solution)
{
	double values[SIZES_MAX];

	fprintf(to, "| %s | %u |", design_names[design], solution);
	for (size_t i = 0; i < COUNT(growths); i++) {
		for (size_t n = 1; n < b->size_count; n++)
			values[n] = stats_growth(b, n, solution, design, growths[i]);
		write_by_size(to, 1, b->size_count, values);
	}
	fputc('\n', to);
}

static void write_growth(FILE *to, const struct bench *b)
{
	if (b->size_count < 2)
		return;
	fputs("\n## Growth with N\n\nThe medians at ", to);
	for (size_t i = 1; i < b->size_count; i++) {
		fputs(i > 1 ? " · " : "", to);
		format_size(to, b->sizes[i]);
		fputc('/', to);
		format_size(to, b->sizes[i - 1]);
	}
	fputs("; 1.00: N does not matter.\n\n| design | solution |", to);
	for (size_t i = 0; i < COUNT(growths); i++)
		fprintf(to, " %s |", figure_infos[growths[i]].title);
	fputc('\n', to);
	format_rule(to, 2, (int)COUNT(growths));
	for (int d = 0; d < DESIGNS; d++) {
		for (unsigned int solution = 1; solution <= SOLUTIONS; solution++)
			write_growth_row(to, b, (enum design)d, solution);
	}
}

void table_write(FILE *to, const struct bench *b)
{
	write_header(to, b);
	write_failed(to, b);
	write_busy(to, b);
	write_figures(to, b);
	write_ratios(to, b);
	write_growth(to, b);
	targets_write(to, b);
}
