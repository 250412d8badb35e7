/* compare_text: settings that differ, then the figures. */
#include "out/compare_text.h"

#include "out/report_text.h"

#include <string.h>

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

void compare_text(FILE *to, const struct compare *c)
{
	char line[256];

	compare_headline(c, line, sizeof(line));
	fprintf(to, "A  ");
	report_text_wrap(to, 3, 3, c->runs[0]->name);
	fprintf(to, "B  ");
	report_text_wrap(to, 3, 3, c->runs[1]->name);
	fprintf(to, "\n");
	report_text_wrap(to, 0, 0, line);
	put_settings(to, c);
	fprintf(to, "\n%-27s %13s %13s %9s %12s\n", "", "A", "B", "B to A", "noise");
	for (uint32_t i = 0; i < c->row_count; i++) {
		const struct compare_row *r = &c->rows[i];
		const char *mark = compare_mark_text(r->mark);

		fprintf(to, "%-27.27s %13s %13s %9s %12s%s%s\n", r->name,
		        compare_value_text(r, 0).text, compare_value_text(r, 1).text,
		        compare_ratio_text(r).text, compare_noise_text(r).text,
		        mark[0] != '\0' ? " " : "", mark);
	}
	fprintf(to, "\nNoise: how far B may be from A by chance, 95 times of 100, as each run by "
	            "itself\nlets it be seen. Without an estimate only more than 5 %% is "
	            "marked.\n");
}
