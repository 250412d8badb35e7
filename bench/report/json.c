#include "json.h"

#include <math.h>

static json_t *number(double value)
{
	return isfinite(value) ? json_real(value) : json_null();
}

static json_t *run_json(const struct run *run)
{
	json_t *figures = json_object();

	for (int i = 0; i < FIGURES; i++)
		json_object_set_new(figures, figure_infos[i].key, number(run->figures[i]));
	return json_pack("{s:I, s:i, s:i, s:s, s:i, s:b, s:b, s:o, s:O?, s:O?}", "n",
	                 (json_int_t)run->n, "round", (int)run->round, "solution",
	                 (int)run->solution, "design", design_names[run->design], "exit_code",
	                 run->exit_code, "ok", (int)run->ok, "quiet", (int)run->quiet, "figures",
	                 figures, "result", run->result, "served", run->served);
}

/* What is not known is null. */
static json_t *spread_json(const struct spread *s)
{
	if (s->count == 0)
		return json_null();
	return json_pack("{s:f, s:f, s:f, s:i}", "median", s->median, "min", s->least, "max",
	                 s->most, "count", (int)s->count);
}

static json_t *median_json(const struct bench *b, struct cell cell)
{
	json_t *figures = json_object();

	for (int i = 0; i < FIGURES; i++) {
		const struct spread s = stats_figure(b, cell, (enum figure)i);

		json_object_set_new(figures, figure_infos[i].key, spread_json(&s));
	}
	return json_pack("{s:I, s:i, s:s, s:o}", "n", (json_int_t)cell.n, "solution",
	                 (int)cell.solution, "design", design_names[cell.design], "figures",
	                 figures);
}

static json_t *ratio_json(const struct bench *b, uint64_t n, unsigned int solution,
                          struct pair pair)
{
	json_t *figures = json_object();

	for (int i = 0; i < FIGURES; i++) {
		const struct spread s = stats_ratio(b, n, solution, pair, (enum figure)i);

		json_object_set_new(figures, figure_infos[i].key, spread_json(&s));
	}
	return json_pack("{s:I, s:i, s:s, s:s, s:o}", "n", (json_int_t)n, "solution", (int)solution,
	                 "of", design_names[pair.over], "to", design_names[pair.under], "figures",
	                 figures);
}

static json_t *growth_json(const struct bench *b, size_t to, unsigned int solution,
                           enum design design)
{
	json_t *figures = json_object();

	for (int i = 0; i < FIGURES; i++)
		json_object_set_new(figures, figure_infos[i].key,
		                    number(stats_growth(b, to, solution, design, (enum figure)i)));
	return json_pack("{s:I, s:I, s:i, s:s, s:o}", "from", (json_int_t)b->sizes[to - 1], "to",
	                 (json_int_t)b->sizes[to], "solution", (int)solution, "design",
	                 design_names[design], "figures", figures);
}

static void add_size(const struct bench *b, size_t at, unsigned int solution, json_t *medians,
                     json_t *ratios, json_t *growth)
{
	const uint64_t n = b->sizes[at];

	for (int d = 0; d < DESIGNS; d++) {
		const struct cell cell = {n, solution, (enum design)d};

		json_array_append_new(medians, median_json(b, cell));
		if (at > 0)
			json_array_append_new(growth, growth_json(b, at, solution, (enum design)d));
	}
	for (int i = 0; i < PAIRS; i++)
		json_array_append_new(ratios, ratio_json(b, n, solution, stats_pairs[i]));
}

json_t *bench_json(const struct bench *b)
{
	const struct host *h = &b->host;
	json_t *sizes = json_array(), *runs = json_array();
	json_t *medians = json_array(), *ratios = json_array(), *growth = json_array();

	for (size_t i = 0; i < b->size_count; i++) {
		json_array_append_new(sizes,
		                      json_pack("{s:I, s:i}", "n", (json_int_t)b->sizes[i],
		                                "rounds", (int)stats_rounds(b, b->sizes[i])));
		for (unsigned int s = 1; s <= SOLUTIONS; s++)
			add_size(b, i, s, medians, ratios, growth);
	}
	for (size_t i = 0; i < b->count; i++)
		json_array_append_new(runs, run_json(&b->runs[i]));
	return json_pack("{s:s, s:s, s:s, s:{s:s, s:s, s:I, s:I}, s:o, s:o, s:o, s:o, s:o}",
	                 "schema", "megaconn.bench/2", "date", h->date, "revision", b->revision,
	                 "host", "kernel", h->kernel, "cpu", h->cpu, "cores", (json_int_t)h->cores,
	                 "memory_mib", (json_int_t)h->memory_mib, "sizes", sizes, "medians",
	                 medians, "ratios", ratios, "growth", growth, "runs", runs);
}
