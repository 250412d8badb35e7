/* report: makes the report of a bench from what bench/run.sh has gathered.
 *
 *   report line DESIGN BASE IDLE     one run in one line, for the progress
 *   report table DIR REVISION        DIR/bench.md and DIR/bench.json, from DIR/runs/index
 *
 * The index has one line a run: N, round, solution, design, exit code, whether the machine was
 * quiet before it (1 or 0), CPU use of the workers during the hold in percent of a core ("-": not
 * measured), and the name of the result in DIR/runs without its ending. A run whose exit code is
 * not 0 is in bench.json, but in no median.
 */
#include "report/figures.h"
#include "report/format.h"
#include "report/host.h"
#include "report/json.h"
#include "report/stats.h"
#include "report/table.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int complain(const char *what, const char *why)
{
	fprintf(stderr, "report: %s: %s\n", what, why);
	return 1;
}

/* "-" and everything else that is no number is NAN. */
static double parse_idle(const char *text)
{
	char *end;
	const double value = strtod(text, &end);

	return end != text && *end == '\0' ? value : NAN;
}

/* ---- one line ---------------------------------------------------------------------------- */

static int print_line(const char *design, const char *base, const char *idle)
{
	struct run run = {0};
	const char *between = "";

	if (!figures_design(design, &run.design))
		return complain(design, "no such design");
	figures_read(&run, base, parse_idle(idle));
	for (int i = 0; i < FIGURES; i++) {
		if (!figure_infos[i].unit || !isfinite(run.figures[i]))
			continue;
		fputs(between, stdout);
		format_number(stdout, run.figures[i], figure_infos[i].decimals);
		printf(" %s", figure_infos[i].unit);
		between = ", ";
	}
	printf("%s\n", *between ? "" : "no result");
	json_decref(run.result);
	json_decref(run.served);
	return 0;
}

/* ---- all of it --------------------------------------------------------------------------- */

static int add_run(struct bench *b, const char *dir, const char *line)
{
	char design[16], idle[32], name[64], base[PATH_MAX];
	struct run *run = &b->runs[b->count];
	int quiet;

	if (b->count == RUNS_MAX)
		return complain("the index", "too many runs");
	/* NOLINTNEXTLINE(cert-err34-c): bench/run.sh wrote these numbers */
	if (sscanf(line, "%" SCNu64 " %u %u %15s %d %d %31s %63s", &run->n, &run->round,
	           &run->solution, design, &run->exit_code, &quiet, idle, name) != 8 ||
	    !figures_design(design, &run->design) || run->n < 1 || run->round < 1 ||
	    run->round > ROUNDS_MAX || run->solution < 1 || run->solution > SOLUTIONS)
		return complain("the index", "a line that is none");
	if (!stats_add_size(b, run->n))
		return complain("the index", "too many sizes");
	if ((size_t)snprintf(base, sizeof(base), "%s/runs/%s", dir, name) >= sizeof(base))
		return complain(dir, "too long a name");
	run->quiet = quiet != 0;
	figures_read(run, base, parse_idle(idle));
	b->count++;
	return 0;
}

static int read_index(struct bench *b, const char *dir)
{
	char path[PATH_MAX], line[256];
	int failed = 0;

	snprintf(path, sizeof(path), "%s/runs/index", dir);
	FILE *f = fopen(path, "re");

	if (!f)
		return complain(path, strerror(errno));
	while (failed == 0 && fgets(line, sizeof(line), f))
		failed = add_run(b, dir, line);
	fclose(f);
	return failed;
}

static int write_files(const struct bench *b, const char *dir)
{
	char path[PATH_MAX];
	json_t *document = bench_json(b);
	int failed;

	snprintf(path, sizeof(path), "%s/bench.json", dir);
	if (!document || json_dump_file(document, path, JSON_INDENT(2)) != 0)
		return complain(path, "cannot be written");
	json_decref(document);

	snprintf(path, sizeof(path), "%s/bench.md", dir);
	FILE *f = fopen(path, "we");

	if (!f)
		return complain(path, strerror(errno));
	table_write(f, b);
	failed = ferror(f);
	if (fclose(f) != 0 || failed)
		return complain(path, "cannot be written");
	return 0;
}

int main(int argc, char **argv)
{
	static struct bench bench;

	if (argc == 5 && strcmp(argv[1], "line") == 0)
		return print_line(argv[2], argv[3], argv[4]);
	if (argc != 4 || strcmp(argv[1], "table") != 0) {
		fputs("usage: report line DESIGN BASE IDLE | report table DIR REVISION\n", stderr);
		return 2;
	}
	bench.revision = argv[3];
	host_read(&bench.host);
	if (read_index(&bench, argv[2]) != 0)
		return 1;
	return write_files(&bench, argv[2]);
}
