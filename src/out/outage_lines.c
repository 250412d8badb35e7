/* outage_lines: see the header. */
#include "out/outage_lines.h"

#include "base/text.h"

static void add_silence(struct text *t, const struct result_outage *o)
{
	text_count(t, o->silent);
	text_add(t, " of ");
	text_count(t, o->open_before);
	text_add(t, " stopped answering");
	if (o->quiet_ns == RESULT_UNKNOWN) {
		text_add(t, ", and none answered again");
		return;
	}
	text_add(t, " for ");
	text_duration(t, o->quiet_ns);
	if (o->answered_ns == RESULT_UNKNOWN) {
		text_add(t, "; not all answered again");
		return;
	}
	text_add(t, "; all %sanswered again ", o->lost > 0 ? "that lived " : "");
	text_duration(t, o->answered_ns - o->quiet_ns);
	text_add(t, " after the first");
}

static void add_back(struct text *t, const struct result_outage *o)
{
	const struct {
		const char *part;
		uint64_t after_ns;
	} parts[] = {{"50 %", o->back_50_ns}, {"99 %", o->back_99_ns}, {"all", o->back_100_ns}};

	text_add(t, "; ");
	text_count(t, o->back);
	text_add(t, " of them opened again");
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (parts[i].after_ns == RESULT_UNKNOWN)
			continue;
		text_add(t, ", %s after ", parts[i].part);
		text_duration(t, parts[i].after_ns);
	}
}

static void add_losses(struct text *t, const struct result_outage *o)
{
	if (o->lost == 0)
		return;
	if (o->silent > 0)
		text_add(t, "; ");
	text_count(t, o->lost);
	if (o->silent == 0) {
		text_add(t, " of ");
		text_count(t, o->open_before);
	}
	text_add(t, " %s lost", o->lost == 1 ? "was" : "were");
	cause_list(t, o->lost_by_cause, " (", ")");
	if (o->back > 0)
		add_back(t, o);
	text_add(t, "; ");
	text_count(t, o->open_least);
	text_add(t, " open at the lowest");
}

uint32_t outage_lines(const struct result *r, struct stage_line lines[OUTAGE_LINES_MOST])
{
	uint32_t shown = r->outage_count <= OUTAGE_LINES_MOST ? r->outage_count
	                                                      : OUTAGE_LINES_MOST - 1;
	struct text t;

	for (uint32_t i = 0; i < shown; i++) {
		const struct result_outage *o = &r->outages[i];

		lines[i].name = "outage";
		text_init(&t, lines[i].text, sizeof(lines[i].text));
		text_duration(&t, o->start_ns);
		text_add(&t, " into the hold ");
		if (o->silent > 0)
			add_silence(&t, o);
		add_losses(&t, o);
	}
	if (shown == r->outage_count)
		return shown;
	lines[shown].name = "outage";
	text_init(&t, lines[shown].text, sizeof(lines[shown].text));
	text_count(&t, r->outage_count - shown);
	text_add(&t, " more of them");
	return shown + 1;
}
