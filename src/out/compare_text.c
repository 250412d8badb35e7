/* compare_text: settings that differ, then the figures. */
#include "out/compare_text.h"

#include "out/report_text.h"
#include "out/story.h"

#include <stdlib.h>
#include <string.h>

/* Name, both values, one to the other, noise, and its mark: 80 columns. */
#define ROW "%-29.29s %11s %11s %9s %7s%s%s"

static void put_settings(FILE *to, const struct compare *c)
{
	char line[256];

	if (c->setting_count == 0) {
		fprintf(to, "\nSettings: no difference is known.\n");
		return;
	}
	fprintf(to, "\nSettings that differ\n");
	for (uint32_t i = 0; i < c->setting_count; i++) {
		const struct compare_setting *s = &c->settings[i];

		fprintf(to, "  %s\n", s->name);
		for (int run = 0; run < 2; run++) {
			fprintf(to, "    %s  ", run == 0 ? "A" : "B");
			snprintf(line, sizeof(line), "%s", s->values[run]);
			report_text_wrap(to, 7, 7, line);
		}
	}
	if (c->setting_more > 0)
		fprintf(to, "  and %u more\n", c->setting_more);
}

/* Which runs they are, and what came of each. */
static void put_runs(FILE *to, const struct compare *c)
{
	struct story *story = malloc(sizeof(*story));
	char line[1088];

	for (int run = 0; run < 2; run++) {
		fprintf(to, "%s  ", run == 0 ? "A" : "B");
		report_text_wrap(to, 3, 3, c->runs[run]->name);
		if (!story)
			continue;
		story_tell(c->runs[run], story);
		snprintf(line, sizeof(line), "%s: %s", story->mark, story->headline);
		fprintf(to, "   ");
		report_text_wrap(to, 3, 3, line);
	}
	free(story);
}

void compare_text(FILE *to, const struct compare *c)
{
	char line[256];

	compare_headline(c, line, sizeof(line));
	put_runs(to, c);
	fprintf(to, "\n");
	report_text_wrap(to, 0, 0, line);
	put_settings(to, c);
	fprintf(to, "\n" ROW "\n", "", "A", "B", "B to A", "noise", "", "");
	for (uint32_t i = 0; i < c->row_count; i++) {
		const struct compare_row *r = &c->rows[i];
		const char *mark = compare_mark_text(r->mark);

		fprintf(to, ROW "\n", r->name, compare_value_text(r, 0).text,
		        compare_value_text(r, 1).text, compare_ratio_text(r).text,
		        compare_has_noise(r) ? compare_noise_text(r).text : "?",
		        mark[0] != '\0' ? " " : "", mark);
	}
	fprintf(to, "\nNoise: how far B may be from A by chance, 95 times of 100, as each run by "
	            "itself\nlets it be seen. ?: no estimate, so only more than 5 %% is marked.\n");
}
