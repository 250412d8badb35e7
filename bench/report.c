/* report: makes the report of a bench from what bench/run.sh has gathered.
 *
 *   report line DESIGN RESULT IDLE     one run in one line, for the progress
 *   report table DIR N REVISION        DIR/bench.md and DIR/bench.json, from DIR/runs/index
 *
 * The index has one line a run: round, solution, design, exit code, whether the machine was quiet
 * before it (1 or 0), CPU use of the workers during the hold in percent of a core ("-": not
 * measured), and the name of the result in DIR/runs. A run whose exit code is not 0 is in
 * bench.json, but in no median.
 */
#include "report/figures.h"
#include "report/host.h"
#include "report/table.h"

#include <errno.h>
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

static int print_line(const char *design, const char *path, const char *idle)
{
	static const char *const units[FIGURES] = {
		[RATE] = "pairs/s",       [CPU_US] = "us CPU/pair",  [LOST_BYTES] = "B/pair",
		[PROOF_S] = "s to prove", [IDLE_PERCENT] = "% idle", [CLOSE_S] = "s to close",
	};
	struct run run = {0};
	const char *between = "";

	if (!figures_design(design, &run.design))
		return complain(design, "no such design");
	figures_read(&run, path, parse_idle(idle));
	for (int i = 0; i < FIGURES; i++) {
		if (!units[i] || !isfinite(run.figures[i]))
			continue;
		fputs(between, stdout);
		table_number(stdout, run.figures[i], figure_infos[i].decimals);
		printf(" %s", units[i]);
		between = ", ";
	}
	printf("%s\n", *between ? "" : "no result");
	json_decref(run.result);
	return 0;
}

/* ---- all of it --------------------------------------------------------------------------- */

static int add_run(struct bench *b, const char *dir, const char *line)
{
	char design[16], idle[32], name[RUN_NAME_SIZE], path[PATH_MAX];
	struct run *run = &b->runs[b->count];
	int quiet;

	if (b->count == RUNS_MAX)
		return complain("the index", "too many runs");
	/* NOLINTNEXTLINE(cert-err34-c): bench/run.sh wrote these numbers */
	if (sscanf(line, "%u %u %15s %d %d %31s %63s", &run->round, &run->solution, design,
	           &run->exit_code, &quiet, idle, name) != 7 ||
	    !figures_design(design, &run->design) || run->round < 1 || run->round > ROUNDS_MAX ||
	    run->solution < 1 || run->solution > SOLUTIONS)
		return complain("the index", "a line that is none");
	if ((size_t)snprintf(path, sizeof(path), "%s/runs/%s", dir, name) >= sizeof(path))
		return complain(dir, "too long a name");
	run->quiet = quiet != 0;
	figures_read(run, path, parse_idle(idle));
	if (run->round > b->rounds)
		b->rounds = run->round;
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

static json_t *json_number(double value)
{
	return isfinite(value) ? json_real(value) : json_null();
}

static json_t *run_json(const struct run *run)
{
	json_t *figures = json_object();

	for (int i = 0; i < FIGURES; i++)
		json_object_set_new(figures, figure_infos[i].key, json_number(run->figures[i]));
	return json_pack("{s:i, s:i, s:s, s:i, s:b, s:b, s:o, s:O?}", "round", (int)run->round,
	                 "solution", (int)run->solution, "design", design_names[run->design],
	                 "exit_code", run->exit_code, "ok", (int)run->ok, "quiet", (int)run->quiet,
	                 "figures", figures, "result", run->result);
}

static json_t *spread_json(const struct spread *s)
{
	return json_pack("{s:o, s:o, s:o, s:i}", "median", json_number(s->median), "min",
	                 json_number(s->least), "max", json_number(s->most), "count",
	                 (int)s->count);
}

/* Medians and ranges of a design, or of the ratios where `design` is DESIGNS. */
static json_t *summary_json(const struct bench *b, int design, unsigned int solution)
{
	json_t *object = json_object();

	for (int i = 0; i < FIGURES; i++) {
		struct spread s = design == DESIGNS ? table_ratio(b, solution, (enum figure)i)
		                                    : table_figure(b, (enum design)design, solution,
		                                                   (enum figure)i);

		if (s.count > 0)
			json_object_set_new(object, figure_infos[i].key, spread_json(&s));
	}
	return object;
}

static json_t *bench_json(const struct bench *b)
{
	const struct host *h = &b->host;
	json_t *runs = json_array(), *summary = json_array();

	for (size_t i = 0; i < b->count; i++)
		json_array_append_new(runs, run_json(&b->runs[i]));
	for (unsigned int s = 1; s <= SOLUTIONS; s++)
		json_array_append_new(summary, json_pack("{s:i, s:o, s:o, s:o}", "solution", (int)s,
		                                         "classic", summary_json(b, CLASSIC, s),
		                                         "megaconn", summary_json(b, MEGACONN, s),
		                                         "ratio", summary_json(b, DESIGNS, s)));
	return json_pack("{s:s, s:s, s:s, s:s, s:i, s:{s:s, s:s, s:I, s:I}, s:o, s:o}", "schema",
	                 "megaconn.bench/1", "date", h->date, "revision", b->revision, "n", b->n,
	                 "rounds", (int)b->rounds, "host", "kernel", h->kernel, "cpu", h->cpu,
	                 "cores", (json_int_t)h->cores, "memory_mib", (json_int_t)h->memory_mib,
	                 "summary", summary, "runs", runs);
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
	if (argc != 5 || strcmp(argv[1], "table") != 0) {
		fputs("usage: report line DESIGN RESULT IDLE | report table DIR N REVISION\n",
		      stderr);
		return 2;
	}
	bench.n = argv[3];
	bench.revision = argv[4];
	host_read(&bench.host);
	if (read_index(&bench, argv[2]) != 0)
		return 1;
	return write_files(&bench, argv[2]);
}
