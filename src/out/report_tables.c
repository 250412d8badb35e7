/* report_tables: rows of what story, bill, track and the JSON files say. */
#include "out/report_tables.h"

#include "base/text.h"
#include "out/chart.h"
#include "out/markup.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WALLS_SHOWN 8
#define LABELS_MOST 64 /* of a family that are listed one by one */

static void cell(FILE *to, const char *text)
{
	fprintf(to, "<td>");
	markup_text(to, text);
	fprintf(to, "</td>");
}

/* A number; `title` says on a narrow screen which. */
static void number_cell(FILE *to, const char *title, const char *text)
{
	fprintf(to, "<td class=\"n\" title=\"%s\">", title);
	markup_text(to, text);
	fprintf(to, "</td>");
}

static struct axis_text count_text(uint64_t count)
{
	struct axis_text out;
	struct text t;

	text_init(&t, out.text, sizeof(out.text));
	text_count(&t, count);
	return out;
}

/* --- the run ------------------------------------------------------------------------------ */

void report_table_run(FILE *to, const struct story *story)
{
	if (story->row_count == 0)
		return;
	fprintf(to, "<h2>The run</h2>\n<table class=\"facts\"><tbody>\n");
	for (uint32_t i = 0; i < story->row_count; i++) {
		fprintf(to, "<tr><th scope=\"row\">");
		markup_text(to, story->rows[i].name);
		fprintf(to, "</th>");
		cell(to, story->rows[i].value);
		fprintf(to, "</tr>\n");
	}
	fprintf(to, "</tbody></table>\n");
}

void report_table_causes(FILE *to, const struct story *story)
{
	char advice[512];

	if (story->cause_count == 0 && !story->has_counts)
		return;
	fprintf(to, "<h2 id=\"failures\">Failures by cause</h2>\n");
	if (story->cause_count == 0) {
		fprintf(to, "<p class=\"soft\">None: no connection failed, was retried or was "
		            "lost.</p>\n");
		return;
	}
	fprintf(to, "<table class=\"stack\"><thead><tr><th>what</th><th>cause</th>"
	            "<th class=\"n\">connections</th><th>what it means, what to do</th></tr>"
	            "</thead><tbody>\n");
	for (uint32_t i = 0; i < story->cause_count; i++) {
		const struct story_cause *c = &story->causes[i];

		cause_explain(c->cause, advice, sizeof(advice));
		fprintf(to, "<tr><td>%s</td><th scope=\"row\">%s</th>", c->what,
		        cause_name(c->cause));
		number_cell(to, "connections", count_text(c->count).text);
		cell(to, advice);
		fprintf(to, "</tr>\n");
	}
	fprintf(to, "</tbody></table>\n");
}

void report_table_quantiles(FILE *to, const struct story *story)
{
	static const char *const names[TRACK_QUANTILES] = {"p50", "p90", "p99", "p99.9", "longest"};

	fprintf(to, "<table class=\"facts\"><thead><tr>");
	for (int i = 0; i < TRACK_QUANTILES; i++)
		fprintf(to, "<th class=\"n\">%s</th>", names[i]);
	fprintf(to, "</tr></thead><tbody><tr>");
	for (int i = 0; i < TRACK_QUANTILES; i++)
		number_cell(to, names[i], axis_text(AXIS_NS, (double)story->connect_ns[i]).text);
	fprintf(to, "</tr></tbody></table>\n");
}

/* --- the bill ----------------------------------------------------------------------------- */

/* One decimal, with a sign where it is less than nothing. */
static struct axis_text share_text(int64_t bytes, uint64_t connections)
{
	struct axis_text out;
	double share = bill_each(bytes, connections);

	snprintf(out.text, sizeof(out.text), "%.1f", share);
	if (fabs(share) >= 1000) {
		struct text t;

		text_init(&t, out.text, sizeof(out.text));
		text_add(&t, "%s", share < 0 ? "-" : "");
		text_count(&t, (uint64_t)llround(fabs(share)));
	}
	return out;
}

static struct axis_text bytes_text(int64_t bytes)
{
	struct axis_text out;
	struct text t;

	text_init(&t, out.text, sizeof(out.text));
	text_add(&t, "%s", bytes < 0 ? "-" : "");
	text_bytes(&t, (uint64_t)(bytes < 0 ? -bytes : bytes));
	return out;
}

struct bill_rows {
	FILE *to;
	uint64_t connections;
	int64_t most; /* of bytes: its bar is as long as can be */
};

static void bill_row(const struct bill_rows *rows, const char *title, const char *of,
                     const struct bill_line *line, const char *kind)
{
	double length = 100 * fabs((double)line->bytes) / (double)rows->most;

	fprintf(rows->to, "<tr class=\"%s\"><th scope=\"row\">", kind);
	markup_text(rows->to, title);
	fprintf(rows->to, "</th>");
	number_cell(rows->to, "bytes a connection",
	            share_text(line->bytes, rows->connections).text);
	number_cell(rows->to, "bytes", bytes_text(line->bytes).text);
	number_cell(rows->to, "objects",
	            line->objects == BILL_UNKNOWN || line->objects < 0
	                    ? ""
	                    : count_text((uint64_t)line->objects).text);
	fprintf(rows->to, "<td class=\"bar\">");
	if (strcmp(kind, "sum") != 0)
		fprintf(rows->to, "<i%s style=\"width:%.1f%%\"></i>",
		        line->bytes < 0 ? " class=\"minus\"" : "", fmin(length, 100));
	fprintf(rows->to, "</td><td class=\"soft\">");
	markup_text(rows->to, of);
	fprintf(rows->to, "%s</td></tr>\n",
	        line->is_shared ? " (shared with others: its growth)" : "");
}

#define OURS   " id=\"bill\">The bill: where each byte went"
#define THEIRS " id=\"server-bill\">The bill of the server's host"

static void bill_head(FILE *to, const char *title, uint64_t connections)
{
	fprintf(to,
	        "<h2%s</h2>\n<p class=\"note\">Of %s "
	        "connections. Caches count by whole pages.</p>\n"
	        "<table class=\"tight bill\"><thead><tr><th>line</th>"
	        "<th class=\"n\">bytes a connection</th><th class=\"n\">together</th>"
	        "<th class=\"n\">objects</th><th class=\"bar\"></th><th>made of</th></tr></thead>"
	        "<tbody>\n",
	        title, count_text(connections).text);
}

static void sum_row(const struct bill_rows *rows, const char *title, int64_t bytes)
{
	const struct bill_line line = {.bytes = bytes, .objects = BILL_UNKNOWN};

	if (bytes != BILL_UNKNOWN)
		bill_row(rows, title, "", &line, "sum");
}

static void write_bill(FILE *to, const char *title, const struct bill *bill)
{
	struct bill_rows rows = {to, bill->connections, 1};

	for (int i = 0; i < BILL_LINE_COUNT; i++) {
		if (bill->lines[i].bytes != BILL_UNKNOWN && bill->lines[i].bytes > rows.most)
			rows.most = bill->lines[i].bytes;
	}
	bill_head(to, title, bill->connections);
	for (int i = 0; i < BILL_LINE_COUNT; i++) {
		const struct bill_line *line = &bill->lines[i];

		if (i == BILL_RESIDUAL)
			sum_row(&rows, "accounted for", bill_sum(bill, 0, BILL_CLIENT_USER));
		if (line->bytes != BILL_UNKNOWN && (line->bytes != 0 || i == BILL_RESIDUAL))
			bill_row(&rows, bill_line_title(bill, (enum bill_line_id)i), line->of, line,
			         i >= BILL_RESIDUAL ? "apart" : "");
	}
	sum_row(&rows, "what memory lost", bill_sum(bill, 0, BILL_OTHERS));
	fprintf(to, "</tbody></table>\n");
	if (!bill->has_slabs)
		fprintf(to, "<p class=\"note\">Slab caches one by one are root's to see "
		            "(/proc/slabinfo): they are one line here.</p>\n");
}

/* Of a result that has no bill. */
static void write_sums(FILE *to, const struct result_memory *m)
{
	const struct {
		const char *title;
		int64_t bytes;
	} sums[] = {
		{"kernel", m->kernel_bytes},
		{"servers' user memory", m->server_user_bytes},
		{"clients' user memory", m->client_user_bytes},
		{"residual", m->residual_bytes},
	};
	struct bill_rows rows = {to, m->connections, 1};

	if (m->kernel_bytes != RESULT_UNKNOWN_BYTES && m->kernel_bytes > 1)
		rows.most = m->kernel_bytes;
	bill_head(to, OURS, m->connections);
	for (size_t i = 0; i < sizeof(sums) / sizeof(sums[0]); i++) {
		const struct bill_line line = {.bytes = sums[i].bytes, .objects = BILL_UNKNOWN};

		if (sums[i].bytes != RESULT_UNKNOWN_BYTES)
			bill_row(&rows, sums[i].title, "", &line, "");
	}
	for (uint32_t i = 0; i < m->slab_count; i++) {
		const struct bill_line line = {.bytes = m->slabs[i].bytes,
		                               .objects = m->slabs[i].objects};

		bill_row(&rows, m->slabs[i].name, "of the kernel's: slab cache", &line, "apart");
	}
	fprintf(to, "</tbody></table>\n");
}

void report_table_bill(FILE *to, const struct result *result)
{
	if (result->memory.bill.connections > 0)
		write_bill(to, OURS, &result->memory.bill);
	else if (result->memory.connections > 0)
		write_sums(to, &result->memory);
	if (result->server.memory.bill.connections > 0)
		write_bill(to, THEIRS, &result->server.memory.bill);
}

/* --- trouble ------------------------------------------------------------------------------ */

static const char trouble_head[] =
	"<table class=\"stack\"><thead><tr><th>counter</th><th class=\"n\">times</th>"
	"<th class=\"n\">most a second</th><th>mostly in</th><th>over time</th>"
	"<th>what it counts</th></tr></thead><tbody>\n";

static void trouble_row(FILE *to, const struct track *track, enum figure_id id,
                        const struct track_range *range)
{
	double *rates = calloc(track->count, sizeof(*rates));
	double most = 0;

	for (uint32_t p = 0; rates && p < track->count; p++) {
		double rate = track_rate_per_s(track, id, p);

		rates[p] = rate < 0 ? NAN : rate;
		most = fmax(most, rate);
	}
	fprintf(to, "<tr><th scope=\"row\">%s</th>", figure_at(id)->title);
	number_cell(to, "times", count_text(range->last - range->first).text);
	number_cell(to, "most a second", axis_text(AXIS_COUNT, most).text);
	cell(to, story_phase(track, id));
	fprintf(to, "<td>");
	if (rates)
		chart_spark(to, rates, track->count);
	fprintf(to, "</td>");
	cell(to, figure_at(id)->help);
	fprintf(to, "</tr>\n");
	free(rates);
}

void report_table_trouble(FILE *to, const struct report *report)
{
	const struct track *track = &report->track;
	bool is_open = false;

	if (track->count < 2)
		return;
	fprintf(to, "<h2 id=\"trouble\">Counters of trouble that moved</h2>\n");
	for (int i = 0; i < FIGURE_COUNT; i++) {
		struct track_range range = track_range(track, (enum figure_id)i);

		if (figure_at((enum figure_id)i)->group != FIGURE_TROUBLE ||
		    range.first == PROBE_UNKNOWN || range.last <= range.first)
			continue;
		if (!is_open)
			fprintf(to, "%s", trouble_head);
		is_open = true;
		trouble_row(to, track, (enum figure_id)i, &range);
	}
	fprintf(to, "%s",
	        is_open ? "</tbody></table>\n"
	                : "<p class=\"soft\">None: no drop, reset, retransmission or "
	                  "overflow was counted.</p>\n");
}

/* --- walls -------------------------------------------------------------------------------- */

static void wall_row(FILE *to, const json_t *row)
{
	const char *state = json_string_value(json_object_get(row, "state"));
	const json_t *allows = json_object_get(row, "allows");
	const char *fix = json_string_value(json_object_get(row, "fix"));
	bool is_wall = state && strcmp(state, "wall") == 0;

	fprintf(to, "<tr><th scope=\"row\">");
	markup_text(to, json_string_value(json_object_get(row, "id")));
	fprintf(to, "</th>");
	number_cell(to, "allows", axis_text(AXIS_COUNT, json_number_value(allows)).text);
	fprintf(to, "<td class=\"mark %s\">%s</td>", is_wall ? "wrong" : "right",
	        is_wall ? "too few" : "fits");
	fprintf(to, "<td>");
	markup_text(to, json_string_value(json_object_get(row, "shown")));
	if (fix) {
		fprintf(to, "<br/><span class=\"soft\">→ ");
		markup_text(to, fix);
		fprintf(to, "</span>");
	}
	fprintf(to, "</td></tr>\n");
}

void report_table_walls(FILE *to, const struct report *report)
{
	const json_t *rows = json_object_get(report->walls, "rows");
	uint32_t shown = 0;

	if (!report->walls)
		return;
	fprintf(to, "<h2 id=\"walls\">The walls, the nearest first</h2>\n<p class=\"note\">");
	markup_text(to, json_string_value(json_object_get(report->walls, "words")));
	fprintf(to, "</p>\n<table class=\"stack\"><thead><tr><th>limit</th>"
	            "<th class=\"n\">allows</th><th></th><th>what it was, and what raises it</th>"
	            "</tr></thead><tbody>\n");
	for (size_t i = 0; i < json_array_size(rows) && shown < WALLS_SHOWN; i++) {
		const json_t *row = json_array_get(rows, i);

		if (!json_is_number(json_object_get(row, "allows")))
			continue;
		wall_row(to, row);
		shown++;
	}
	fprintf(to, "</tbody></table>\n");
}

/* --- the environment ---------------------------------------------------------------------- */

static void json_text(const json_t *value, char *out, size_t size)
{
	char *dumped = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);

	snprintf(out, size, "%s",
	         json_is_string(value) ? json_string_value(value)
	         : json_is_null(value) ? "unknown"
	         : dumped              ? dumped
	                               : "");
	free(dumped);
}

static void environment_row(FILE *to, const char *name, const json_t *value)
{
	char text[512];

	json_text(value, text, sizeof(text));
	fprintf(to, "<tr><th scope=\"row\">");
	markup_text(to, name);
	fprintf(to, "</th><td class=\"long\">");
	markup_text(to, text);
	fprintf(to, "</td></tr>\n");
}

static void environment_group(FILE *to, const char *name, json_t *group)
{
	const char *key;
	json_t *value;

	if (json_object_size(group) == 0)
		return;
	fprintf(to, "<h3>");
	markup_text(to, name);
	fprintf(to, "</h3><table class=\"pairs\"><tbody>\n");
	json_object_foreach (group, key, value)
		environment_row(to, key, value);
	fprintf(to, "</tbody></table>\n");
}

void report_table_environment(FILE *to, const struct report *report)
{
	const char *key;
	json_t *value;

	if (!report->environment)
		return;
	fprintf(to,
	        "<details id=\"environment\"><summary>The environment<span>kernel, CPU, limits, "
	        "sysctls</span></summary>\n<table class=\"pairs\"><tbody>\n");
	json_object_foreach (report->environment, key, value) {
		if (!json_is_object(value) && strcmp(key, "command") != 0)
			environment_row(to, key, value);
	}
	fprintf(to, "</tbody></table>\n");
	json_object_foreach (report->environment, key, value) {
		if (json_is_object(value))
			environment_group(to, key, value);
	}
	fprintf(to, "</details>\n");
}

/* --- all figures -------------------------------------------------------------------------- */

static void figure_row(FILE *to, const struct figure *figure, const char *label,
                       const struct track_range *range)
{
	const uint64_t values[] = {range->first, range->last, range->most};
	static const char *const titles[] = {"first", "last", "most"};

	fprintf(to, "<tr><th scope=\"row\">%s", figure->title);
	if (label[0] != '\0') {
		fprintf(to, " <span class=\"soft\">");
		markup_text(to, label);
		fprintf(to, "</span>");
	}
	fprintf(to, "</th>");
	for (int i = 0; i < 3; i++)
		number_cell(to, titles[i], story_value(figure, values[i]).text);
	fprintf(to, "<td class=\"soft\">");
	markup_text(to, label[0] == '\0' ? figure->help : "");
	fprintf(to, "</td></tr>\n");
}

static struct track_range column_range(const struct track *track, const uint64_t *values)
{
	struct track_range range = {PROBE_UNKNOWN, PROBE_UNKNOWN, PROBE_UNKNOWN};

	for (uint32_t p = 0; p < track->count; p++) {
		if (values[p] == PROBE_UNKNOWN)
			continue;
		if (range.first == PROBE_UNKNOWN)
			range.first = range.most = values[p];
		range.last = values[p];
		range.most = values[p] > range.most ? values[p] : range.most;
	}
	return range;
}

static void label_rows(FILE *to, const struct track *track, enum figure_id id)
{
	uint32_t shown = 0;

	if (figure_at(id)->family == FIGURE_ONE)
		return;
	for (uint32_t c = 0; c < track->column_count && shown < LABELS_MOST; c++) {
		const struct track_column *column = &track->columns[c];

		if (column->figure != id)
			continue;
		struct track_range range = column_range(track, column->values);

		figure_row(to, figure_at(id), column->label, &range);
		shown++;
	}
}

void report_table_figures(FILE *to, const struct report *report)
{
	const struct track *track = &report->track;
	enum figure_group group = FIGURE_GROUP_COUNT;

	if (track->count == 0)
		return;
	fprintf(to,
	        "<details class=\"figures\" id=\"figures\"><summary>All figures<span>first, last "
	        "and most of %" PRIu64 " samples</span></summary>\n<table class=\"tight\"><thead>"
	        "<tr><th>figure</th><th class=\"n\">first</th><th class=\"n\">last</th>"
	        "<th class=\"n\">most</th><th>what it is</th></tr></thead>\n<tbody>\n",
	        report->lines - report->bad_lines);
	for (int i = 0; i < FIGURE_COUNT; i++) {
		const struct figure *figure = figure_at((enum figure_id)i);
		struct track_range range = track_range(track, (enum figure_id)i);

		if (range.first == PROBE_UNKNOWN)
			continue;
		if (figure->group != group)
			fprintf(to, "<tr class=\"sum\"><th colspan=\"5\">%s</th></tr>\n",
			        story_group(figure->group));
		group = figure->group;
		figure_row(to, figure, "", &range);
		label_rows(to, track, (enum figure_id)i);
	}
	fprintf(to, "</tbody></table></details>\n");
}
