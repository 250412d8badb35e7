/* report_stages: see the header. */
#include "out/report_stages.h"

#include "base/text.h"
#include "out/axis.h"
#include "out/markup.h"

#include <stdbool.h>

static void cell(FILE *to, const char *column, const char *words)
{
	fprintf(to, "<td class=\"n%s\" title=\"%s\">", words[0] != '\0' ? "" : " none", column);
	markup_text(to, words[0] != '\0' ? words : "–");
	fprintf(to, "</td>");
}

static void time_cell(FILE *to, const char *column, uint64_t ns, bool is_there)
{
	char words[32] = "";
	struct text t;

	text_init(&t, words, sizeof(words));
	if (is_there && ns == RESULT_UNKNOWN)
		text_add(&t, "never");
	else if (is_there)
		text_duration(&t, ns);
	cell(to, column, words);
}

static void count_cell(FILE *to, const char *column, double count, bool is_there)
{
	cell(to, column, is_there ? axis_text(AXIS_COUNT, count).text : "");
}

static void write_open(FILE *to, const struct result_stage *s)
{
	char words[64];
	struct text t;

	text_init(&t, words, sizeof(words));
	text_count(&t, s->open_before);
	if (s->open_after != s->open_before) {
		text_add(&t, " → ");
		text_count(&t, s->open_after);
	}
	cell(to, "open", words);
}

static bool has_limits(const struct result *result)
{
	for (uint32_t i = 0; i < result->stage_count; i++) {
		if (result->stages[i].has_traffic &&
		    result->stages[i].traffic.limited < LIMITED_COUNT)
			return true;
	}
	return false;
}

/* In words, below the table: it has no room for them. */
static void write_limits(FILE *to, const struct result *result)
{
	fprintf(to, "<table class=\"facts\"><tbody>\n");
	for (uint32_t i = 0; i < result->stage_count; i++) {
		const struct result_stage *s = &result->stages[i];

		if (!s->has_traffic || s->traffic.limited >= LIMITED_COUNT)
			continue;
		fprintf(to, "<tr><th scope=\"row\">limit of ");
		markup_text(to, s->name);
		fprintf(to, "</th><td>%s: ", limited_name(s->traffic.limited));
		markup_text(to, s->traffic.why);
		fprintf(to, "</td></tr>\n");
	}
	fprintf(to, "</tbody></table>\n");
}

static void write_stage(FILE *to, const struct result_stage *s)
{
	const struct result_traffic *t = &s->traffic;
	bool has_times = s->has_traffic && t->corrected.count > 0;

	fprintf(to, "<tr><th scope=\"row\">");
	markup_text(to, s->name);
	fprintf(to, "</th>");
	time_cell(to, "time", s->duration_ns, true);
	write_open(to, s);
	count_cell(to, "answers/s", t->rate_per_s, s->has_traffic);
	time_cell(to, "p50", t->corrected.p50_ns, has_times);
	time_cell(to, "p99", t->corrected.p99_ns, has_times);
	time_cell(to, "longest", t->corrected.max_ns, has_times);
	count_cell(to, "late or bad", (double)result_bad(t, true), s->has_traffic);
	count_cell(to, "churn/s", s->churn.rate_per_s, s->has_churn);
	time_cell(to, "storm, all back", s->storm.back_100_ns, s->has_storm);
	fprintf(to, "</tr>\n");
}

void report_stages_html(FILE *to, const struct result *result)
{
	if (result->stage_count < 2)
		return;
	fprintf(to, "<h2 id=\"stages\">Stages</h2>\n<table class=\"stack\"><thead><tr>"
	            "<th scope=\"col\">stage</th>"
	            "<th scope=\"col\" class=\"n\">time</th>"
	            "<th scope=\"col\" class=\"n\">open</th>"
	            "<th scope=\"col\" class=\"n\">answers/s</th>"
	            "<th scope=\"col\" class=\"n\">p50</th>"
	            "<th scope=\"col\" class=\"n\">p99</th>"
	            "<th scope=\"col\" class=\"n\">longest</th>"
	            "<th scope=\"col\" class=\"n\">late or bad</th>"
	            "<th scope=\"col\" class=\"n\">churn/s</th>"
	            "<th scope=\"col\" class=\"n\">storm, all back</th>"
	            "</tr></thead><tbody>\n");
	for (uint32_t i = 0; i < result->stage_count; i++)
		write_stage(to, &result->stages[i]);
	fprintf(to, "</tbody></table>\n");
	if (has_limits(result))
		write_limits(to, result);
}
