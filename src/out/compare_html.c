/* compare_html: the same order as a report: what came of it, over time, figure by figure. */
#include "out/compare_html.h"

#include "out/markup.h"
#include "out/plot.h"
#include "out/report_html.h"
#include "out/story.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void write_header(FILE *to, const struct compare *c)
{
	char line[256];

	compare_headline(c, line, sizeof(line));
	fprintf(to,
	        "<header>\n<p class=\"where\">megaconn: two runs</p>\n<h1 class=\"%s\">"
	        "<em>%s</em>",
	        c->marked > 0 ? "partial" : "pass", c->marked > 0 ? "DIFFERENT" : "ALIKE");
	markup_text(to, line);
	fprintf(to, "</h1>\n<table class=\"facts\"><tbody>\n");
	for (int i = 0; i < 2; i++) {
		fprintf(to, "<tr><th scope=\"row\"><i class=\"key c%d%s\"></i>%s</th><td>", i + 1,
		        i == 1 ? " dashed" : "", i == 0 ? "A" : "B");
		markup_text(to, c->runs[i]->name);
		if (c->runs[i]->command[0] != '\0') {
			fprintf(to, "<br/><code>");
			markup_text(to, c->runs[i]->command);
			fprintf(to, "</code>");
		}
		fprintf(to, "</td></tr>\n");
	}
	fprintf(to, "</tbody></table>\n</header>\n");
}

static void write_verdicts(FILE *to, const struct compare *c)
{
	struct story *story = malloc(sizeof(*story));

	if (!story)
		return;
	fprintf(to, "<h2>Verdicts</h2>\n<table class=\"facts\"><tbody>\n");
	for (int i = 0; i < 2; i++) {
		story_tell(c->runs[i], story);
		fprintf(to, "<tr><th scope=\"row\">%s</th><td class=\"mark %s\">%s</td><td>",
		        i == 0 ? "A" : "B", strcmp(story->kind, "pass") == 0 ? "right" : "wrong",
		        story->mark);
		markup_text(to, story->headline);
		fprintf(to, "</td></tr>\n");
	}
	fprintf(to, "</tbody></table>\n");
	free(story);
}

static void write_settings(FILE *to, const struct compare *c)
{
	fprintf(to, "<h2 id=\"settings\">Settings that differ</h2>\n");
	if (c->setting_count == 0) {
		fprintf(to, "<p class=\"soft\">No difference is known.</p>\n");
		return;
	}
	fprintf(to, "<table class=\"stack\"><thead><tr><th>setting</th><th>A</th><th>B</th></tr>"
	            "</thead><tbody>\n");
	for (uint32_t i = 0; i < c->setting_count; i++) {
		fprintf(to, "<tr><th scope=\"row\">");
		markup_text(to, c->settings[i].name);
		for (int run = 0; run < 2; run++) {
			fprintf(to, "%s<td class=\"long\" title=\"%s\">",
			        run == 0 ? "</th>" : "</td>", run == 0 ? "A" : "B");
			markup_text(to, c->settings[i].values[run]);
		}
		fprintf(to, "</td></tr>\n");
	}
	fprintf(to, "</tbody></table>\n");
	if (c->setting_more > 0)
		fprintf(to, "<p class=\"note\">And %u more.</p>\n", c->setting_more);
}

static void figure_row(FILE *to, const struct compare_row *r)
{
	static const char *const kinds[] = {
		[COMPARE_SAME] = "soft",
		[COMPARE_WORSE] = "wrong",
		[COMPARE_BETTER] = "right",
		[COMPARE_OTHER] = "",
	};

	fprintf(to, "<tr><th scope=\"row\"%s>", r->name[0] == ' ' ? " class=\"part\"" : "");
	markup_text(to, r->name);
	fprintf(to, "</th><td class=\"n\" title=\"A\">%s</td><td class=\"n\" title=\"B\">%s</td>",
	        compare_value_text(r, 0).text, compare_value_text(r, 1).text);
	fprintf(to,
	        "<td class=\"n\" title=\"B to A\">%s</td><td class=\"n soft\" title=\"noise\">"
	        "%s</td><td class=\"mark %s\">%s</td></tr>\n",
	        compare_ratio_text(r).text, compare_noise_text(r).text, kinds[r->mark],
	        compare_mark_text(r->mark));
}

static void write_figures(FILE *to, const struct compare *c)
{
	fprintf(to, "<h2 id=\"figures\">Figures</h2>\n<table class=\"tight\"><thead><tr>"
	            "<th>figure</th><th class=\"n\">A</th><th class=\"n\">B</th>"
	            "<th class=\"n\">B to A</th><th class=\"n\">noise</th><th>exceeds it</th></tr>"
	            "</thead><tbody>\n");
	for (uint32_t i = 0; i < c->row_count; i++)
		figure_row(to, &c->rows[i]);
	fprintf(to, "</tbody></table>\n<p class=\"note\">Noise: how far B may be from A by chance, "
	            "95 times of 100, as each run by itself lets it be seen. Where there is no "
	            "estimate, only more than 5 %% is marked. What differs from run to run (the "
	            "machine's temperature, what else it does) no single run can show: repeat "
	            "both.</p>\n");
}

/* --- charts ------------------------------------------------------------------------------- */

/* The first series of B joins that of A in A's chart. */
static void overlay(FILE *to, struct plot *a, struct plot *b)
{
	struct plot *plots[2] = {a, b};

	for (int i = 0; i < 2; i++) {
		const struct chart_series *s = &plots[i]->chart.series[0];

		a->chart.series[i] = *s;
		a->chart.series[i].name = i == 0 ? "A" : "B";
		a->chart.series[i].is_dashed = i == 1;
	}
	a->chart.is_plain = true;
	a->chart.series_count = 2;
	a->chart.band_count = 0;
	if (b->chart.span_ns > a->chart.span_ns)
		a->chart.span_ns = b->chart.span_ns;
	chart_write(to, &a->chart);
}

static void write_plot(FILE *to, const struct compare *c, enum plot_kind kind, const char *what)
{
	struct plot *a = malloc(sizeof(*a)), *b = malloc(sizeof(*b));

	if (a && b && plot_make(c->runs[0], kind, a)) {
		if (plot_make(c->runs[1], kind, b)) {
			a->chart.what = what;
			overlay(to, a, b);
			plot_free(b);
		}
		plot_free(a);
	}
	free(a);
	free(b);
}

static void write_quantiles(FILE *to, const struct compare *c)
{
	struct story *story = malloc(sizeof(*story));
	struct chart_quantiles lines[2] = {{.name = "A"}, {.name = "B"}};
	bool is_known = story != NULL;

	for (int i = 0; i < 2 && is_known; i++) {
		story_tell(c->runs[i], story);
		is_known = story->has_connect;
		memcpy(lines[i].ns, story->connect_ns, sizeof(lines[i].ns));
	}
	if (is_known)
		chart_quantiles(to, lines, 2);
	free(story);
}

void compare_html(FILE *to, const struct compare *c)
{
	report_html_begin(to, "megaconn: two runs");
	write_header(to, c);
	fprintf(to, "<main>\n");
	write_verdicts(to, c);
	write_settings(to, c);
	write_figures(to, c);
	fprintf(to, "<h2 id=\"time\">Over time</h2>\n");
	write_plot(to, c, PLOT_OPEN, "as clients see it, or a server alone");
	write_plot(to, c, PLOT_RATE, "connections a second, means of the time between two samples");
	write_quantiles(to, c);
	write_plot(to, c, PLOT_CPU, "all CPUs of the machine");
	fprintf(to, "</main>\n");
	report_html_end(to);
}
