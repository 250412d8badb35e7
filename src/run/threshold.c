/* threshold: see the header. */
#include "run/threshold.h"

static double share(uint64_t part, uint64_t whole)
{
	return whole > 0 ? (double)part / (double)whole : 0;
}

static uint64_t not_back(const struct result_storm *storm)
{
	return storm->cut > storm->back ? storm->cut - storm->back : 0;
}

double threshold_failed_parts(const struct result *r, uint64_t n, uint64_t lost)
{
	static struct result_sum sum;
	const struct result_stage *all = &sum.all;

	result_sum(r, &sum);
	uint64_t said = all->traffic.said - all->traffic.answers[ANSWER_CUT];
	double messages = share(result_bad(&all->traffic, true), said);
	double connections = share(r->failed + lost + all->churn.failed + not_back(&all->storm),
	                           n + all->churn.opened + all->churn.failed + all->storm.cut);

	return messages > connections ? messages : connections;
}

uint64_t threshold_p99_ns(const struct result *r)
{
	uint64_t most_ns = RESULT_UNKNOWN;

	for (uint32_t i = 0; i < r->stage_count; i++) {
		const struct quantiles *q = &r->stages[i].traffic.corrected;

		if (q->count > 0 && (most_ns == RESULT_UNKNOWN || q->p99_ns > most_ns))
			most_ns = q->p99_ns;
	}
	return most_ns;
}

static void add_stage(struct text *why, const struct result *r, uint32_t i)
{
	if (r->stage_count > 1)
		text_add(why, " in stage %s", r->stages[i].name);
}

static bool is_p99_met(const struct experiment *x, const struct result *r, struct text *why)
{
	for (uint32_t i = 0; x->p99_most_ns > 0 && i < r->stage_count; i++) {
		uint64_t p99_ns = r->stages[i].traffic.corrected.p99_ns;

		if (p99_ns <= x->p99_most_ns)
			continue;
		text_add(why, "p99 ");
		text_duration(why, p99_ns);
		text_add(why, " is above ");
		text_duration(why, x->p99_most_ns);
		text_add(why, " (--p99)");
		add_stage(why, r, i);
		return false;
	}
	return true;
}

static bool is_share_met(const struct experiment *x, const struct result *r, uint64_t lost,
                         struct text *why)
{
	double parts = threshold_failed_parts(r, x->n, lost);
	double most = (double)x->failed_most_parts / STAGE_PARTS;

	if (parts <= most)
		return true;
	text_add(why, "%.6g %% failed, above %.6g %% (--fail)", 100 * parts, 100 * most);
	return false;
}

/* "1,234 not answered, 2 answered in part" */
static void add_bad(struct text *why, const struct result_traffic *t)
{
	const char *before = "";

	for (int i = ANSWER_MISMATCHED; i < ANSWER_END_COUNT; i++) {
		if (t->answers[i] == 0 || i == ANSWER_CUT)
			continue;
		text_add(why, "%s", before);
		text_count(why, t->answers[i]);
		text_add(why, " %s", answer_title((enum answer)i));
		before = ", ";
	}
}

/* Without --fail nothing may fail. An answer that is late is one. */
static bool is_stage_good(const struct result_stage *s, struct text *why)
{
	uint64_t bad = result_bad(&s->traffic, false);

	if (s->has_traffic && bad > 0) {
		text_count(why, bad);
		text_add(why, " of ");
		text_count(why, s->traffic.said);
		text_add(why, " messages were not answered as they should be: ");
		add_bad(why, &s->traffic);
		return false;
	}
	if (s->has_storm && not_back(&s->storm) > 0) {
		text_count(why, not_back(&s->storm));
		text_add(why, " of ");
		text_count(why, s->storm.cut);
		text_add(why, " connections that were cut did not come back");
		cause_list(why, s->storm.failed_by_cause, " (", ")");
		return false;
	}
	if (s->has_churn && s->churn.failed > 0) {
		text_count(why, s->churn.failed);
		text_add(why, " connections could not be opened again after they were closed");
		cause_list(why, s->churn.failed_by_cause, " (", ")");
		return false;
	}
	return true;
}

/* A server that pushes nothing answers nothing wrong. */
static bool is_anything_pushed(const struct result *r, struct text *why)
{
	for (uint32_t i = 0; i < r->stage_count; i++) {
		const struct result_traffic *t = &r->stages[i].traffic;

		if (!r->stages[i].has_traffic || t->kind != TRAFFIC_PUSH || t->said > 0)
			continue;
		text_add(why, "nothing was pushed");
		add_stage(why, r, i);
		text_add(why, ": the server is to be megaconn serve --mode push, and its rounds "
		              "(--every) no longer apart than that time");
		return false;
	}
	return true;
}

bool threshold_is_met(const struct experiment *x, const struct result *r, uint64_t lost,
                      struct text *why)
{
	for (uint32_t i = 0; !x->has_failed_most && i < r->stage_count; i++) {
		if (is_stage_good(&r->stages[i], why))
			continue;
		add_stage(why, r, i);
		return false;
	}
	if (x->has_failed_most && !is_share_met(x, r, lost, why))
		return false;
	return is_anything_pushed(r, why) && is_p99_met(x, r, why);
}
