/* plot: columns of a track become series of a chart. */
#include "out/plot.h"

#include "base/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CACHES_MOST  (CHART_SERIES_MOST - 1)
#define CPU_LEAST_NS UINT64_C(200000000)

uint32_t plot_phases(const struct track *track, struct chart_band *bands)
{
	uint32_t count = 0, phase = TRACK_NO_PHASE;

	for (uint32_t p = 0; p < track->count; p++) {
		const struct track_point *point = &track->points[p];

		if (count > 0)
			bands[count - 1].to_ns = point->at_ns;
		if (point->phase == phase || point->phase == TRACK_NO_PHASE ||
		    point->phase >= LIVE_PHASE_COUNT || count == CHART_BANDS_MOST)
			continue;
		phase = point->phase;
		bands[count++] = (struct chart_band){
			.name = live_phase_name((enum live_phase)phase),
			.from_ns = point->at_ns,
			.to_ns = point->at_ns,
		};
	}
	return count;
}

/* The stages of a hold of which `bands` has the place at *count - 1. */
static void split_hold(const struct result *r, struct chart_band *bands, uint32_t *count)
{
	const struct chart_band hold = bands[*count - 1];

	--*count;
	for (uint32_t i = 0; i < r->stage_count && *count < CHART_BANDS_MOST; i++) {
		uint64_t from_ns = hold.from_ns + r->stages[i].start_ns;
		uint64_t to_ns = i + 1 < r->stage_count ? hold.from_ns + r->stages[i + 1].start_ns
		                                        : hold.to_ns;

		bands[(*count)++] = (struct chart_band){
			.name = r->stages[i].name,
			.from_ns = from_ns < hold.to_ns ? from_ns : hold.to_ns,
			.to_ns = to_ns < hold.to_ns ? to_ns : hold.to_ns,
		};
	}
}

uint32_t plot_bands(const struct report *report, struct chart_band *bands)
{
	struct chart_band phases[CHART_BANDS_MOST];
	uint32_t all = plot_phases(&report->track, phases), count = 0;
	const char *hold = live_phase_name(LIVE_HOLD);

	for (uint32_t i = 0; i < all && count < CHART_BANDS_MOST; i++) {
		bands[count++] = phases[i];
		if (report->has_result && report->result.stage_count > 1 && phases[i].name == hold)
			split_hold(&report->result, bands, &count);
	}
	return count;
}

static double *series_values(struct plot *plot, uint32_t i)
{
	return plot->values + (size_t)i * plot->chart.series[i].count;
}

/* The next series, of which nothing is known yet. */
static struct chart_series *add_series(struct plot *plot, const struct track *track,
                                       const char *name)
{
	uint32_t i = plot->chart.series_count++;
	struct chart_series *s = &plot->chart.series[i];

	snprintf(plot->names[i], sizeof(plot->names[i]), "%s", name);
	*s = (struct chart_series){
		.name = plot->names[i], .count = track->count, .at_ns = plot->at_ns};
	s->values = series_values(plot, i);
	for (uint32_t p = 0; p < s->count; p++)
		s->values[p] = NAN;
	return s;
}

static double most_of(const struct chart_series *s)
{
	double most = 0;

	for (uint32_t p = 0; p < s->count; p++)
		most = fmax(most, isnan(s->values[p]) ? 0 : s->values[p]);
	return most;
}

/* Says the most beside its name; one that is 0 all the time is taken out. */
static bool keep(struct plot *plot, const char *words)
{
	struct chart_series *s = &plot->chart.series[plot->chart.series_count - 1];
	double most = most_of(s);

	if (most <= 0) {
		plot->chart.series_count--;
		return false;
	}
	snprintf(s->value, sizeof(s->value), "%s%s", words, axis_text(plot->chart.unit, most).text);
	return true;
}

/* --- connections -------------------------------------------------------------------------- */

static void add_gauge(struct plot *plot, const struct track *track, enum figure_id id,
                      const char *name, bool is_dashed)
{
	struct chart_series *s = add_series(plot, track, name);

	s->is_dashed = is_dashed;
	for (uint32_t p = 0; p < track->count; p++) {
		uint64_t value = track_sum(track, id, p);

		s->values[p] = value == PROBE_UNKNOWN ? NAN : (double)value;
	}
	keep(plot, "most ");
}

static void make_open(const struct track *track, struct plot *plot)
{
	plot->chart.id = "open";
	plot->chart.title = "Open connections";
	plot->chart.what = "from the beginning of the run to its end";
	plot->chart.unit = AXIS_COUNT;
	add_gauge(plot, track, FIGURE_RUN_CLIENTS, "seen by clients", false);
	add_gauge(plot, track, FIGURE_RUN_SERVERS, "seen by servers", plot->chart.series_count > 0);
	if (plot->chart.series_count == 0)
		add_gauge(plot, track, FIGURE_TCP_ESTABLISHED, "established, by the kernel", false);
}

/* --- rates -------------------------------------------------------------------------------- */

static void add_rate(struct plot *plot, const struct track *track, enum figure_id id,
                     const char *name, bool is_dashed)
{
	struct chart_series *s = add_series(plot, track, name);

	s->is_dashed = is_dashed;
	for (uint32_t p = 0; p < track->count; p++) {
		double rate = track_rate_per_s(track, id, p);

		s->values[p] = rate < 0 ? NAN : rate;
	}
	keep(plot, "most ");
}

static void make_rate(const struct track *track, struct plot *plot)
{
	plot->chart.id = "rate";
	plot->chart.title = "Connects and accepts a second";
	plot->chart.what = "means of the time between two samples";
	plot->chart.unit = AXIS_COUNT;
	plot->chart.is_stepped = true;
	add_rate(plot, track, FIGURE_RUN_CONNECTED, "connects/s", false);
	add_rate(plot, track, FIGURE_RUN_ACCEPTED, "accepts/s", plot->chart.series_count > 0);
}

/* --- answers ------------------------------------------------------------------------------ */

/* How much of one answer, or of several, came in a second. */
static void add_answers(struct plot *plot, const struct track *track, enum answer from,
                        enum answer to, const char *name, bool is_dashed)
{
	struct chart_series *s = add_series(plot, track, name);

	s->is_dashed = is_dashed;
	for (int a = (int)from; a <= (int)to; a++) {
		const uint64_t *values = track_column(track, FIGURE_RUN_ANSWERS,
		                                      answer_name((enum answer)a));

		for (uint32_t p = 1; values && p < track->count; p++) {
			uint64_t before = values[p - 1] == PROBE_UNKNOWN ? 0 : values[p - 1];
			uint64_t took_ns = plot->at_ns[p] - plot->at_ns[p - 1];

			if (values[p] == PROBE_UNKNOWN || values[p] < before || took_ns == 0)
				continue;
			s->values[p] = (isnan(s->values[p]) ? 0 : s->values[p]) +
			               (double)(values[p] - before) * 1e9 / (double)took_ns;
		}
	}
	keep(plot, "most ");
}

static void make_answers(const struct track *track, struct plot *plot)
{
	plot->chart.id = "answers";
	plot->chart.title = "Messages and answers a second";
	plot->chart.what = "means of the time between two samples";
	plot->chart.unit = AXIS_COUNT;
	plot->chart.is_stepped = true;
	add_rate(plot, track, FIGURE_RUN_SAID, "said/s", true);
	add_answers(plot, track, ANSWER_GOOD, ANSWER_GOOD, "answered in time", false);
	add_answers(plot, track, ANSWER_LATE, ANSWER_LATE, "late", false);
	add_answers(plot, track, ANSWER_MISMATCHED, ANSWER_MISSING, "wrong or missing", false);
	if (plot->chart.series_count == 1)
		plot->chart.series[0].is_dashed = false;
}

static void add_latency(struct plot *plot, const struct track *track, int quantile,
                        const char *name, bool is_dashed)
{
	struct chart_series *s = add_series(plot, track, name);

	s->is_dashed = is_dashed;
	for (uint32_t p = 0; p < track->count; p++) {
		const struct quantiles *q = &track->points[p].latency;

		if (q->count > 0)
			s->values[p] = (double)quantiles_at(q, quantile);
	}
	keep(plot, "most ");
}

static void make_latency(const struct track *track, struct plot *plot)
{
	plot->chart.id = "latency-time";
	plot->chart.title = "Latency of answers";
	plot->chart.what = "of those of each second, from when their messages were due";
	plot->chart.unit = AXIS_NS;
	add_latency(plot, track, 0, "p50", false);
	add_latency(plot, track, 2, "p99", false);
	add_latency(plot, track, 5, "longest", true);
}

/* --- memory ------------------------------------------------------------------------------- */

/* How much more than at the beginning; a cache too small to be told counts as none. */
static double growth(const uint64_t *values, uint32_t p)
{
	uint64_t first = values[0] == PROBE_UNKNOWN ? 0 : values[0];

	return values[p] == PROBE_UNKNOWN || values[p] < first ? 0 : (double)(values[p] - first);
}

static double most_growth(const struct track *track, const uint64_t *values)
{
	double most = 0;

	for (uint32_t p = 0; p < track->count; p++)
		most = fmax(most, growth(values, p));
	return most;
}

struct cache {
	const struct track_column *column;
	double most;
};

static int by_growth(const void *a, const void *b)
{
	double x = ((const struct cache *)a)->most, y = ((const struct cache *)b)->most;

	return (x < y) - (x > y);
}

static void add_growth(struct plot *plot, const struct track *track, const uint64_t *values,
                       const char *name)
{
	struct chart_series *s = add_series(plot, track, name);

	for (uint32_t p = 0; p < track->count; p++)
		s->values[p] = growth(values, p);
	keep(plot, "+");
}

static void add_others(struct plot *plot, const struct track *track, const struct cache *caches,
                       uint32_t count)
{
	struct chart_series *s = add_series(plot, track, "other caches");

	for (uint32_t p = 0; p < track->count; p++) {
		s->values[p] = 0;
		for (uint32_t i = CACHES_MOST; i < count; i++)
			s->values[p] += growth(caches[i].column->values, p);
	}
	keep(plot, "+");
}

static void add_caches(const struct track *track, struct plot *plot)
{
	struct cache *caches = calloc(track->column_count + 1, sizeof(*caches));
	uint32_t count = 0;

	if (!caches)
		return;
	for (uint32_t c = 0; c < track->column_count; c++) {
		const struct track_column *column = &track->columns[c];

		if (column->figure == FIGURE_SLAB)
			caches[count++] = (struct cache){column,
			                                 most_growth(track, column->values)};
	}
	qsort(caches, count, sizeof(*caches), by_growth);
	for (uint32_t i = 0; i < count && i < CACHES_MOST; i++)
		add_growth(plot, track, caches[i].column->values, caches[i].column->label);
	if (count > CACHES_MOST)
		add_others(plot, track, caches, count);
	free(caches);
}

/* Without root there are no caches: meminfo's sums. */
static void add_sums(const struct track *track, struct plot *plot)
{
	static const struct {
		enum figure_id id;
		const char *name;
	} sums[] = {
		{FIGURE_MEMORY_SLAB, "slab, all caches"},
		{FIGURE_MEMORY_VMALLOC, "vmalloc"},
		{FIGURE_MEMORY_PAGE_TABLES, "page tables"},
		{FIGURE_MEMORY_KERNEL_STACKS, "kernel stacks"},
		{FIGURE_MEMORY_PERCPU, "per-CPU"},
	};

	for (size_t i = 0; i < sizeof(sums) / sizeof(sums[0]); i++) {
		const uint64_t *values = track_column(track, sums[i].id, "");

		if (values)
			add_growth(plot, track, values, sums[i].name);
	}
}

static void make_memory(const struct track *track, struct plot *plot)
{
	plot->chart.id = "memory";
	plot->chart.title = "Kernel memory";
	plot->chart.what = "growth since the first sample, by slab cache, whole pages";
	plot->chart.unit = AXIS_BYTES;
	plot->chart.is_stacked = true;
	add_caches(track, plot);
	if (plot->chart.series_count > 0)
		return;
	plot->chart.what =
		"growth since the first sample; slab caches one by one are root's to see";
	add_sums(track, plot);
}

/* --- CPUs --------------------------------------------------------------------------------- */

/* The share that `part` had of busy and idle time between two points, in percent. */
static double share(const uint64_t *part, const uint64_t *busy, const uint64_t *idle, uint32_t from,
                    uint32_t to)
{
	const uint64_t *all[] = {part, busy, idle};
	double took[3];

	for (int i = 0; i < 3; i++) {
		uint64_t before = all[i] ? all[i][from] : PROBE_UNKNOWN;
		uint64_t now = all[i] ? all[i][to] : PROBE_UNKNOWN;

		if (before == PROBE_UNKNOWN || now == PROBE_UNKNOWN || now < before)
			return NAN;
		took[i] = (double)(now - before);
	}
	return took[1] + took[2] > 0 ? 100 * took[0] / (took[1] + took[2]) : NAN;
}

/* The kernel counts in ticks of 1 to 10 ms: over less than this, a share would be chance. */
static bool is_long(const struct track *track, uint32_t from, uint32_t to)
{
	return track->points[to].at_ns - track->points[from].at_ns >= CPU_LEAST_NS;
}

/* Adds one CPU to the sums, and to how many there are, of each point. */
static void add_cpu(const struct track *track, const struct track_column *busy,
                    struct chart_series *const s[3], double *cpus)
{
	const uint64_t *idle = track_column(track, FIGURE_CPU_IDLE, busy->label);
	const uint64_t *soft = track_column(track, FIGURE_CPU_SOFTIRQ, busy->label);

	for (uint32_t from = 0, to = 1; to < track->count; to++) {
		if (!is_long(track, from, to))
			continue;
		double one = share(busy->values, busy->values, idle, from, to);
		double of_soft = share(soft, busy->values, idle, from, to);

		for (uint32_t p = from + 1; p <= to && !isnan(one); p++) {
			double so_far[2] = {cpus[p] > 0 ? s[0]->values[p] : 0,
			                    cpus[p] > 0 ? s[1]->values[p] : 0};

			s[0]->values[p] = so_far[0] + one;
			s[1]->values[p] = so_far[1] + (isnan(of_soft) ? 0 : of_soft);
			s[2]->values[p] = fmax(s[2]->values[p], one);
			cpus[p]++;
		}
		from = to;
	}
}

static void add_cpus(const struct track *track, struct chart_series *const s[3], double *cpus)
{
	for (uint32_t c = 0; c < track->column_count; c++) {
		if (track->columns[c].figure == FIGURE_CPU_BUSY)
			add_cpu(track, &track->columns[c], s, cpus);
	}
	for (uint32_t p = 1; p < track->count; p++) {
		s[0]->values[p] /= fmax(cpus[p], 1);
		s[1]->values[p] /= fmax(cpus[p], 1);
	}
}

static void make_cpu(const struct track *track, struct plot *plot)
{
	struct chart_series *s[3];

	plot->chart.id = "cpu";
	plot->chart.title = "CPU load";
	plot->chart.what = "of the whole machine, softirq (the network's work) is a part of it";
	plot->chart.unit = AXIS_PERCENT;
	plot->chart.most = 100;
	plot->chart.is_stepped = true;
	s[0] = add_series(plot, track, "all CPUs");
	s[1] = add_series(plot, track, "softirq");
	s[2] = add_series(plot, track, "the busiest CPU");
	s[2]->is_dashed = true;
	/* The next series' room, which no series takes, counts the CPUs. */
	add_cpus(track, s, plot->values + (size_t)3 * track->count);
	if (most_of(s[0]) <= 0) {
		plot->chart.series_count = 0;
		return;
	}
	for (int i = 0; i < 3; i++)
		snprintf(s[i]->value, sizeof(s[i]->value), "most %s",
		         axis_text(AXIS_PERCENT, most_of(s[i])).text);
}

/* --- all of them -------------------------------------------------------------------------- */

bool plot_make(const struct report *report, enum plot_kind kind, struct plot *plot)
{
	static void (*const makers[PLOT_KIND_COUNT])(const struct track *, struct plot *) = {
		[PLOT_OPEN] = make_open,       [PLOT_RATE] = make_rate,
		[PLOT_ANSWERS] = make_answers, [PLOT_LATENCY] = make_latency,
		[PLOT_MEMORY] = make_memory,   [PLOT_CPU] = make_cpu,
	};
	const struct track *track = &report->track;
	size_t count = track->count;

	memset(plot, 0, sizeof(*plot));
	if (count < 2)
		return false;
	plot->at_ns = calloc(count, sizeof(*plot->at_ns));
	plot->values = calloc(count * CHART_SERIES_MOST, sizeof(*plot->values));
	if (!plot->at_ns || !plot->values) {
		plot_free(plot);
		return false;
	}
	for (size_t p = 0; p < count; p++)
		plot->at_ns[p] = track->points[p].at_ns;
	plot->chart.span_ns = plot->at_ns[count - 1];
	plot->chart.band_count = plot_bands(report, plot->chart.bands);
	makers[kind](track, plot);
	if (plot->chart.series_count == 0 || plot->chart.span_ns == 0) {
		plot_free(plot);
		return false;
	}
	return true;
}

void plot_free(struct plot *plot)
{
	free(plot->at_ns);
	free(plot->values);
	plot->at_ns = NULL;
	plot->values = NULL;
}
