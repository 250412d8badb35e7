/* report_text: the same words and numbers as the page, in lines. */
#include "out/report_text.h"

#include "base/text.h"
#include "out/markup.h"
#include "out/plot.h"
#include "out/report_server.h"
#include "out/stage_lines.h"
#include "out/story.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS    80
#define INDENT     18
#define SPARK      44
#define WALLS_MOST 6

bool report_text_is_utf8(void)
{
	static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *value = getenv(names[i]);

		if (value && value[0] != '\0')
			return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
	}
	return false;
}

/* Columns that the bytes take: those of UTF-8 sequences once. */
static int columns_of(const char *bytes, size_t len)
{
	int columns = 0;

	for (size_t i = 0; i < len; i++)
		columns += ((unsigned char)bytes[i] & 0xc0) != 0x80;
	return columns;
}

/* A word, in which nothing drives a terminal: controls, those of C1 as well, and bytes that are no
 * UTF-8 (a text may have been cut) are '?'. */
static void put_word(FILE *to, const char *word, size_t len)
{
	for (size_t i = 0; i < len;) {
		unsigned char c = (unsigned char)word[i];
		size_t length = markup_sequence(word + i);

		if (length == 0 || c < ' ' || c == 0x7f)
			fputc('?', to);
		else
			fwrite(word + i, 1, length, to);
		i += length > 0 ? length : 1;
	}
}

void report_text_wrap(FILE *to, int at, int indent, const char *words)
{
	bool is_first = true;

	while (*words) {
		size_t len = strcspn(words, " ");
		int width = columns_of(words, len);

		if (!is_first && at + 1 + width > COLUMNS) {
			fprintf(to, "\n%*s", indent, "");
			at = indent;
		} else if (!is_first) {
			fputc(' ', to);
			at++;
		}
		put_word(to, words, len);
		at += width;
		is_first = false;
		words += len + (words[len] == ' ');
	}
	fputc('\n', to);
}

void report_text_spark(FILE *to, const double *values, uint32_t count, int width, bool is_utf8)
{
	static const char *const blocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
	static const char *const letters[] = {"_", ".", ":", "-", "=", "+", "*", "#"};
	double most = 0;

	for (uint32_t p = 0; p < count; p++)
		most = fmax(most, isnan(values[p]) ? 0 : values[p]);
	for (int i = 0; i < width; i++) {
		uint32_t from = (uint32_t)((uint64_t)i * count / (uint32_t)width);
		uint32_t to_point = (uint32_t)((uint64_t)(i + 1) * count / (uint32_t)width);
		double value = NAN;

		for (uint32_t p = from; p < count && (p < to_point || p == from); p++)
			value = fmax(value, values[p]);
		if (isnan(value)) {
			fputc(' ', to);
			continue;
		}
		int level = most > 0 ? (int)lround(value / most * 7) : 0;

		fputs((is_utf8 ? blocks : letters)[level], to);
	}
}

static void heading(FILE *to, const char *text)
{
	fprintf(to, "\n%s\n", text);
	for (int i = columns_of(text, strlen(text)); i > 0; i--)
		fputc('-', to);
	fputc('\n', to);
}

static void row(FILE *to, const char *name, const char *words)
{
	fprintf(to, "  %-*s", INDENT - 2, name);
	report_text_wrap(to, INDENT, INDENT, words);
}

/* --- parts -------------------------------------------------------------------------------- */

/* Between words of `where` stand dots that not every terminal has. */
static void put_where(FILE *to, const char *where, bool is_utf8)
{
	char plain[512];
	struct text t;

	text_init(&t, plain, sizeof(plain));
	text_add(&t, "megaconn ");
	for (const char *at = where; *at; at++) {
		if (!is_utf8 && strncmp(at, "·", strlen("·")) == 0) {
			text_add(&t, "-");
			at += strlen("·") - 1;
		} else {
			text_add(&t, "%c", *at);
		}
	}
	report_text_wrap(to, 0, 0, plain);
}

static void put_head(FILE *to, const struct report *report, const struct story *story, bool is_utf8)
{
	char line[1280];

	put_where(to, story->where, is_utf8);
	if (report->command[0] != '\0') {
		snprintf(line, sizeof(line), "$ %s", report->command);
		report_text_wrap(to, 0, 2, line);
	}
	snprintf(line, sizeof(line), "%s: %s", story->mark, story->headline);
	fprintf(to, "\n");
	report_text_wrap(to, 0, 0, line);
	for (uint32_t i = 0; i < report->note_count; i++)
		report_text_wrap(to, 0, 0, report->notes[i]);
}

static void put_counts(FILE *to, const struct report *report, const struct story *story)
{
	char line[128];
	struct text t;

	if (!story->has_counts)
		return;
	text_init(&t, line, sizeof(line));
	text_add(&t, "Established");
	if (story->target > 0) {
		text_add(&t, " of ");
		text_count(&t, story->target);
	}
	text_add(&t, ", %s", story->counted);
	heading(to, line);
	for (int i = 0; i < STORY_COUNTS; i++) {
		const struct story_count *count = &story->counts[i];

		text_init(&t, line, sizeof(line));
		if (count->value == RESULT_UNKNOWN)
			text_add(&t, "not counted here");
		else
			text_count(&t, count->value);
		if (report->has_result && count->value != RESULT_UNKNOWN)
			text_add(&t, count->is_right ? "" : "  (!)");
		row(to, count->name, line);
	}
}

static void put_rows(FILE *to, const struct story *story)
{
	if (story->row_count == 0)
		return;
	heading(to, "The run");
	for (uint32_t i = 0; i < story->row_count; i++)
		row(to, story->rows[i].name, story->rows[i].value);
}

static void put_stages(FILE *to, const struct result *r)
{
	static struct stage_line lines[STAGE_LINES_MOST];

	if (r->stage_count < 2)
		return;
	heading(to, "Stages");
	for (uint32_t i = 0; i < r->stage_count; i++) {
		uint32_t count = stage_lines(r, i, lines);

		for (uint32_t l = 0; l < count; l++)
			row(to, lines[l].name, lines[l].text);
	}
}

static void put_causes(FILE *to, const struct story *story)
{
	char advice[512], line[640];
	struct text t;

	if (story->cause_count == 0 && !story->has_counts)
		return;
	heading(to, "Failures by cause");
	if (story->cause_count == 0)
		row(to, "none", "no connection failed, was retried or was lost");
	for (uint32_t i = 0; i < story->cause_count; i++) {
		const struct story_cause *c = &story->causes[i];

		cause_explain(c->cause, advice, sizeof(advice));
		text_init(&t, line, sizeof(line));
		text_add(&t, "%s ", c->what);
		text_count(&t, c->count);
		text_add(&t, ": %s", advice);
		row(to, cause_name(c->cause), line);
	}
}

static void put_plot(FILE *to, const struct report *report, enum plot_kind kind, bool is_utf8)
{
	struct plot *plot = malloc(sizeof(*plot));

	if (plot && plot_make(report, kind, plot)) {
		fprintf(to, "  %s\n", plot->chart.title);
		for (uint32_t i = 0; i < plot->chart.series_count; i++) {
			const struct chart_series *s = &plot->chart.series[i];

			fprintf(to, "    %-17.17s ", s->name);
			report_text_spark(to, s->values, s->count, SPARK, is_utf8);
			fprintf(to, " %.13s\n",
			        strncmp(s->value, "most ", 5) == 0 ? s->value + 5 : s->value);
		}
		plot_free(plot);
	}
	free(plot);
}

static void put_over_time(FILE *to, const struct report *report, bool is_utf8)
{
	struct chart_band bands[CHART_BANDS_MOST];
	uint32_t count = plot_bands(report, bands);
	char line[1024];
	struct text t;

	if (report->track.count < 2)
		return;
	text_init(&t, line, sizeof(line));
	text_add(&t, "Over time, ");
	text_duration(&t, story_span_ns(report));
	text_add(&t, " (on the right the most)");
	heading(to, line);
	for (int kind = 0; kind < PLOT_KIND_COUNT; kind++)
		put_plot(to, report, (enum plot_kind)kind, is_utf8);
	text_init(&t, line, sizeof(line));
	for (uint32_t i = 0; i < count; i++) {
		text_add(&t, "%s%s ", i > 0 ? ", " : "", bands[i].name);
		text_duration(&t, bands[i].to_ns - bands[i].from_ns);
	}
	if (count > 0)
		row(to, "phases", line);
}

static void put_latency(FILE *to, const struct story *story)
{
	static const char *const names[TRACK_QUANTILES] = {"p50", "p90", "p99", "p99.9", "longest"};

	if (!story->has_connect)
		return;
	heading(to, "Time to connect");
	for (int i = 0; i < TRACK_QUANTILES; i++)
		row(to, names[i], axis_text(AXIS_NS, (double)story->connect_ns[i]).text);
}

static void bill_row(FILE *to, const char *title, int64_t bytes, uint64_t connections)
{
	char together[32];
	struct text t;

	text_init(&t, together, sizeof(together));
	text_add(&t, "%s", bytes < 0 ? "-" : "");
	text_bytes(&t, (uint64_t)(bytes < 0 ? -bytes : bytes));
	fprintf(to, "  %-38s %12.1f %16s\n", title, bill_each(bytes, connections), together);
}

static void put_bill(FILE *to, const char *title, const struct result_memory *m)
{
	int64_t sum = bill_sum(&m->bill, 0, BILL_OTHERS);

	if (m->connections == 0)
		return;
	heading(to, title);
	fprintf(to, "  %-38s %12s %16s\n", "", "B/connection", "together");
	if (m->bill.connections == 0) {
		if (m->kernel_bytes != RESULT_UNKNOWN_BYTES)
			bill_row(to, "kernel", m->kernel_bytes, m->connections);
		if (m->server_user_bytes != RESULT_UNKNOWN_BYTES)
			bill_row(to, "servers' user memory", m->server_user_bytes, m->connections);
		if (m->client_user_bytes != RESULT_UNKNOWN_BYTES)
			bill_row(to, "clients' user memory", m->client_user_bytes, m->connections);
		if (m->residual_bytes != RESULT_UNKNOWN_BYTES)
			bill_row(to, "residual", m->residual_bytes, m->connections);
		return;
	}
	for (int i = 0; i < BILL_LINE_COUNT; i++) {
		int64_t bytes = m->bill.lines[i].bytes;

		if (bytes == BILL_UNKNOWN || (bytes == 0 && i != BILL_RESIDUAL))
			continue;
		bill_row(to, bill_line_title(&m->bill, (enum bill_line_id)i), bytes,
		         m->bill.connections);
	}
	if (sum != BILL_UNKNOWN)
		bill_row(to, "= what memory lost", sum, m->bill.connections);
}

static void put_trouble(FILE *to, const struct report *report)
{
	bool is_any = false;
	char line[256];
	struct text t;

	if (report->track.count < 2)
		return;
	heading(to, "Counters of trouble that moved");
	for (int i = 0; i < FIGURE_COUNT; i++) {
		const struct figure *figure = figure_at((enum figure_id)i);
		struct track_range range = track_range(&report->track, (enum figure_id)i);

		if (figure->group != FIGURE_TROUBLE || range.first == PROBE_UNKNOWN ||
		    range.last <= range.first)
			continue;
		text_init(&t, line, sizeof(line));
		text_count(&t, range.last - range.first);
		text_add(&t, ", mostly in %s: %s", story_phase(&report->track, (enum figure_id)i),
		         figure->help);
		fprintf(to, "  %-22s", figure->title);
		report_text_wrap(to, 24, 24, line);
		is_any = true;
	}
	if (!is_any)
		row(to, "none", "no drop, reset, retransmission or overflow was counted");
}

static void put_walls(FILE *to, const struct report *report)
{
	const json_t *rows = json_object_get(report->walls, "rows");
	const char *words = json_string_value(json_object_get(report->walls, "words"));
	uint32_t shown = 0;

	if (!report->walls)
		return;
	heading(to, "The walls, the nearest first");
	if (words)
		report_text_wrap(to, 0, 0, words);
	for (size_t i = 0; i < json_array_size(rows) && shown < WALLS_MOST; i++) {
		const json_t *wall = json_array_get(rows, i);
		const json_t *allows = json_object_get(wall, "allows");
		const char *id = json_string_value(json_object_get(wall, "id"));
		const char *what = json_string_value(json_object_get(wall, "shown"));

		if (!json_is_number(allows) || !id || !what)
			continue;
		fprintf(to, "  %-19.19s %15s  ", id,
		        axis_text(AXIS_COUNT, json_number_value(allows)).text);
		report_text_wrap(to, 39, 39, what);
		shown++;
	}
}

void report_text(FILE *to, const struct report *report)
{
	struct story *story = malloc(sizeof(*story));
	bool is_utf8 = report_text_is_utf8();

	if (!story)
		return;
	story_tell(report, story);
	put_head(to, report, story, is_utf8);
	put_counts(to, report, story);
	report_server_text(to, &report->result);
	put_rows(to, story);
	put_stages(to, &report->result);
	put_causes(to, story);
	put_over_time(to, report, is_utf8);
	put_latency(to, story);
	put_bill(to, "The bill", &report->result.memory);
	put_bill(to, "The bill of the server's host", &report->result.server.memory);
	put_trouble(to, report);
	put_walls(to, report);
	free(story);
}
