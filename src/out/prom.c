/* prom: loops over the table of figures. Numbers are written by integer arithmetic, so that what is
 * exact in the kernel is exact here. */
#include "out/prom.h"

#include "base/clock.h"
#include "base/text.h"
#include "base/version.h"

#include <inttypes.h>

#define PREFIX "megaconn_"

static const char *const units[FIGURE_UNIT_COUNT] = {
	[FIGURE_NUMBER] = "",
	[FIGURE_BYTES] = "_bytes",
	[FIGURE_NS] = "_seconds",
};

/* Near these; each is raised to a bound of base/hist, where the count is exact. */
static const uint64_t bounds_ns[] = {
	50000,      100000,     250000,      500000,      1000000,     2500000,   5000000,
	10000000,   25000000,   50000000,    100000000,   250000000,   500000000, 1000000000,
	2500000000, 5000000000, 10000000000, 30000000000, 60000000000,
};
#define BOUND_COUNT (sizeof(bounds_ns) / sizeof(bounds_ns[0]))

const char *prom_name(const struct figure *figure, char name[PROM_NAME_BYTES])
{
	struct text t;

	text_init(&t, name, PROM_NAME_BYTES);
	text_add(&t, PREFIX "%s%s%s", figure->name, units[figure->unit],
	         figure->kind == FIGURE_COUNTER ? "_total" : "");
	return name;
}

/* As HELP and label values want it: a backslash and a newline escaped, in a label the quote too. */
static void write_escaped(FILE *out, const char *text, bool is_label)
{
	for (const char *c = text; *c != '\0'; c++) {
		if (*c == '\n')
			fputs("\\n", out);
		else if (*c == '\\' || (is_label && *c == '"'))
			fprintf(out, "\\%c", *c);
		else
			fputc(*c, out);
	}
}

static void write_head(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP %s ", name);
	write_escaped(out, help, false);
	fprintf(out, "\n# TYPE %s %s\n", name, type);
}

static void write_seconds(FILE *out, uint64_t duration_ns)
{
	int digits = 9;
	uint64_t fraction = duration_ns % NS_PER_S;

	fprintf(out, "%llu", duration_ns / NS_PER_S);
	if (fraction == 0)
		return;
	for (; fraction % 10 == 0; fraction /= 10)
		digits--;
	fprintf(out, ".%0*" PRIu64, digits, fraction);
}

static void write_value(FILE *out, enum figure_unit unit, uint64_t value)
{
	if (unit == FIGURE_NS)
		write_seconds(out, value);
	else
		fprintf(out, "%" PRIu64, value);
	fputc('\n', out);
}

static void write_figure(FILE *out, const struct figure *figure, const struct sample *sample)
{
	char name[PROM_NAME_BYTES];
	const char *label = figure_label_name(figure);

	if (figure_sum(figure, sample) == PROBE_UNKNOWN)
		return;
	write_head(out, prom_name(figure, name),
	           figure->kind == FIGURE_COUNTER ? "counter" : "gauge", figure->help);
	for (uint32_t i = 0; i < figure_count(figure, sample); i++) {
		uint64_t value = figure_value(figure, sample, i);

		if (value == PROBE_UNKNOWN)
			continue;
		fputs(name, out);
		if (label) {
			fprintf(out, "{%s=\"", label);
			write_escaped(out, figure_label(figure, sample, i), true);
			fputs("\"}", out);
		}
		fputc(' ', out);
		write_value(out, figure->unit, value);
	}
}

static void write_phase(FILE *out, enum live_phase now)
{
	write_head(out, PREFIX "run_phase", "gauge", "1 for the phase the run is in, else 0.");
	for (int i = 0; i < LIVE_PHASE_COUNT; i++)
		fprintf(out, PREFIX "run_phase{phase=\"%s\"} %d\n",
		        live_phase_name((enum live_phase)i), i == (int)now);
}

/* Values of the last bucket, which has no bound of its own, are taken as the longest. */
static uint64_t middle_of(const struct hist *h, size_t bucket)
{
	uint64_t below = bucket == 0 ? 0 : hist_bound(bucket - 1) + 1;

	return bucket == HIST_BUCKETS - 1 ? h->max_ns : below + (hist_bound(bucket) - below) / 2;
}

static void write_times(FILE *out, const char *name, const char *help, const struct hist *times)
{
	uint64_t count = 0, sum_ns = 0;
	size_t next = 0;

	write_head(out, name, "histogram", help);
	for (size_t i = 0; i < HIST_BUCKETS; i++) {
		count += times->buckets[i];
		sum_ns += times->buckets[i] * middle_of(times, i);
		if (next == BOUND_COUNT || hist_bound(i) < bounds_ns[next])
			continue;
		next++;
		fprintf(out, "%s_bucket{le=\"", name);
		write_seconds(out, hist_bound(i));
		fprintf(out, "\"} %" PRIu64 "\n", count);
	}
	fprintf(out, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n%s_sum ", name, count, name);
	write_value(out, FIGURE_NS, sum_ns);
	fprintf(out, "%s_count %" PRIu64 "\n", name, count);
}

void prom_write(FILE *out, const struct sample *sample)
{
	write_head(out, PREFIX "build_info", "gauge", "1; the program's version is the label.");
	fprintf(out, PREFIX "build_info{version=\"" MEGACONN_VERSION "\"} 1\n");
	write_head(out, PREFIX "sample_timestamp_seconds", "gauge",
	           "When these numbers were taken, in seconds since 1970.");
	fputs(PREFIX "sample_timestamp_seconds ", out);
	write_value(out, FIGURE_NS, sample->unix_ns);
	if (sample->has_run)
		write_phase(out, sample->run.phase);
	for (int i = 0; i < FIGURE_COUNT; i++)
		write_figure(out, figure_at((enum figure_id)i), sample);
	if (sample->has_run && sample->connect.count > 0)
		write_times(out, PREFIX "connect_duration_seconds",
		            "Time from connect to connected, as the clients of the run see it; its "
		            "sum is exact to 0.4 %.",
		            &sample->connect);
	if (sample->has_run && sample->corrected.count > 0)
		write_times(out, PREFIX "latency_seconds",
		            "Time from when a message was due until its answer was whole, as the "
		            "clients of the run see it; its sum is exact to 0.4 %.",
		            &sample->corrected);
}
