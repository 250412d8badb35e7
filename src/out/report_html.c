/* report_html: the order of the page: what came of it, what it looked like over time, what it cost,
 * what was in the way, where it was. */
#include "out/report_html.h"

#include "base/text.h"
#include "base/version.h"
#include "out/markup.h"
#include "out/plot.h"
#include "out/report_server.h"
#include "out/report_stages.h"
#include "out/report_style.h"
#include "out/report_tables.h"
#include "out/story.h"

#include <stdlib.h>
#include <string.h>

void report_html_begin(FILE *to, const char *title)
{
	fprintf(to, "<!DOCTYPE html>\n<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\">"
	            "<head>\n<meta charset=\"utf-8\"/>\n<meta name=\"viewport\" "
	            "content=\"width=device-width, initial-scale=1\"/>\n<meta name=\"generator\" "
	            "content=\"megaconn " MEGACONN_VERSION "\"/>\n<title>");
	markup_text(to, title);
	fprintf(to, "</title>\n<style>\n");
	for (int i = 0; report_style[i]; i++)
		fputs(report_style[i], to);
	fprintf(to, "</style>\n</head>\n<body>\n");
}

void report_html_end(FILE *to)
{
	fprintf(to, "<footer>megaconn " MEGACONN_VERSION "</footer>\n</body>\n</html>\n");
}

/* --- the head of the page ----------------------------------------------------------------- */

static void write_header(FILE *to, const struct report *report, const struct story *story)
{
	fprintf(to, "<header>\n<p class=\"where\">megaconn ");
	markup_text(to, story->where);
	fprintf(to, "</p>\n<h1 class=\"%s\"><em>%s</em>", story->kind, story->mark);
	markup_text(to, story->headline);
	fprintf(to, "</h1>\n");
	if (report->command[0] != '\0') {
		fprintf(to, "<pre class=\"command\">");
		markup_text(to, report->command);
		fprintf(to, "</pre>\n");
	}
	for (uint32_t i = 0; i < report->note_count; i++) {
		fprintf(to, "<p class=\"note\">");
		markup_text(to, report->notes[i]);
		fprintf(to, "</p>\n");
	}
	fprintf(to, "</header>\n");
}

/* Whether it is what was asked for; a side that nobody could count is neither. */
static const char *judged(const struct story *story, const struct story_count *count,
                          const char **kind)
{
	*kind = "soft";
	if (count->value == RESULT_UNKNOWN)
		return "not counted here";
	*kind = count->is_right ? "right" : "wrong";
	if (story->target == 0)
		return count->is_right ? "as the others" : "not as the others";
	return count->is_right ? "all of them" : "not what was asked for";
}

static void write_counts(FILE *to, const struct report *report, const struct story *story)
{
	char line[96];
	struct text t;

	if (!story->has_counts)
		return;
	fprintf(to, "<ul class=\"counts\">\n");
	for (int i = 0; i < STORY_COUNTS; i++) {
		const struct story_count *count = &story->counts[i];
		const char *kind, *words = judged(story, count, &kind);

		text_init(&t, line, sizeof(line));
		if (count->value == RESULT_UNKNOWN)
			text_add(&t, "–");
		else
			text_count(&t, count->value);
		fprintf(to, "<li><b>%s</b><span>%s", line, count->name);
		if (report->has_result)
			fprintf(to, " <i class=\"%s\">%s</i>", kind, words);
		fprintf(to, "</span></li>\n");
	}
	text_init(&t, line, sizeof(line));
	if (story->target > 0) {
		text_add(&t, ", of ");
		text_count(&t, story->target);
	}
	fprintf(to, "</ul>\n<p class=\"note\">Connections established%s, %s.</p>\n", line,
	        story->counted);
}

/* --- charts ------------------------------------------------------------------------------- */

static void write_plot(FILE *to, const struct report *report, enum plot_kind kind)
{
	struct plot *plot = malloc(sizeof(*plot));

	if (plot && plot_make(report, kind, plot)) {
		chart_write(to, &plot->chart);
		plot_free(plot);
	}
	free(plot);
}

static void write_phases(FILE *to, const struct report *report)
{
	struct chart_band bands[CHART_BANDS_MOST];
	uint32_t count = plot_bands(report, bands);
	char line[64];
	struct text t;

	if (count == 0 || report->track.count < 2)
		return;
	fprintf(to, "<p class=\"note\">Phases: ");
	for (uint32_t i = 0; i < count; i++) {
		text_init(&t, line, sizeof(line));
		text_duration(&t, bands[i].to_ns - bands[i].from_ns);
		fprintf(to, "%s", i > 0 ? " · " : "");
		markup_text(to, bands[i].name);
		fprintf(to, " %s", line);
	}
	fprintf(to, "</p>\n");
}

static void write_over_time(FILE *to, const struct report *report)
{
	fprintf(to, "<h2 id=\"time\">Over time</h2>\n");
	if (report->track.count < 2) {
		fprintf(to, "<p class=\"soft\">%s</p>\n",
		        report->track.count == 0
		                ? "There is no series: charts need a record (--out DIR)."
		                : "The run was over before the second sample.");
		return;
	}
	write_phases(to, report);
	write_plot(to, report, PLOT_OPEN);
	write_plot(to, report, PLOT_RATE);
	write_plot(to, report, PLOT_ANSWERS);
	write_plot(to, report, PLOT_LATENCY);
	write_plot(to, report, PLOT_MEMORY);
	write_plot(to, report, PLOT_CPU);
}

static void write_latency(FILE *to, const struct story *story)
{
	struct chart_quantiles line = {.name = "connect"};

	if (!story->has_connect)
		return;
	memcpy(line.ns, story->connect_ns, sizeof(line.ns));
	fprintf(to, "<h2 id=\"latency\">Latency of connecting</h2>\n");
	report_table_quantiles(to, story);
	chart_quantiles(to, &line, 1);
}

void report_html(FILE *to, const struct report *report)
{
	struct story *story = malloc(sizeof(*story));
	char title[320];

	if (!story)
		return;
	story_tell(report, story);
	snprintf(title, sizeof(title), "%s: megaconn %s", story->mark, report->name);
	report_html_begin(to, title);
	write_header(to, report, story);
	fprintf(to, "<main>\n");
	write_counts(to, report, story);
	report_server_html(to, &report->result);
	report_table_run(to, story);
	report_stages_html(to, &report->result);
	report_table_causes(to, story);
	write_over_time(to, report);
	write_latency(to, story);
	report_table_bill(to, &report->result);
	report_table_trouble(to, report);
	report_table_walls(to, report);
	fprintf(to, "<h2>More</h2>\n");
	report_table_environment(to, report);
	report_table_figures(to, report);
	fprintf(to, "</main>\n");
	report_html_end(to);
	free(story);
}
