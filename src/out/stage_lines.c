/* stage_lines: see the header. */
#include "out/stage_lines.h"

#include "base/text.h"

#include <math.h>
#include <string.h>

struct lines {
	struct stage_line *at;
	uint32_t count;
	struct text t;
};

static struct text *begin(struct lines *l, const char *name)
{
	struct stage_line *line = &l->at[l->count++];

	line->name = name;
	text_init(&l->t, line->text, sizeof(line->text));
	return &l->t;
}

static void add_rate(struct text *t, double per_s)
{
	if (per_s >= 100)
		text_count(t, (uint64_t)llround(per_s));
	else
		text_add(t, "%.3g", per_s);
	text_add(t, "/s");
}

static void add_known(struct text *t, uint64_t value)
{
	if (value == RESULT_UNKNOWN)
		text_add(t, "unknown");
	else
		text_count(t, value);
}

static void add_failed(struct text *t, uint64_t failed, const uint64_t *by_cause)
{
	if (failed == 0)
		return;
	text_add(t, "; failed ");
	text_count(t, failed);
	cause_list(t, by_cause, " (", ")");
}

static void add_quantiles(struct text *t, const struct quantiles *q)
{
	for (int i = 0; i < QUANTILES_EACH; i++) {
		text_add(t, "%s%s ", i > 0 ? "  " : "", quantiles_words[i]);
		text_duration(t, quantiles_at(q, i));
	}
}

/* --- traffic ------------------------------------------------------------------------------ */

/* "echo 64 B"; of several sizes their mean. */
static void add_kind(struct text *t, const struct result_traffic *r)
{
	if (r->kind < TRAFFIC_KIND_COUNT)
		text_add(t, "%s", traffic_name(r->kind));
	if (r->said == 0 || r->said_bytes == 0)
		return;
	text_add(t, r->said_bytes % r->said == 0 ? " " : " of about ");
	text_bytes(t, (r->said_bytes + r->said / 2) / r->said);
}

/* A script may say only, and expect nothing. Of several hosts the times may not be known. */
static bool expects(const struct result_traffic *r)
{
	return r->corrected.count > 0 || r->heard_bytes > 0 || r->answers[ANSWER_GOOD] == 0;
}

static void add_answers(struct text *t, const struct result_traffic *r)
{
	const char *before = ": ";

	bool is_push = r->kind == TRAFFIC_PUSH;

	if (r->said > 0)
		text_count(t, r->said);
	else
		text_add(t, "nothing");
	text_add(t, is_push ? " pushed" : " said");
	if (r->said > 0 && r->answers[ANSWER_GOOD] == r->said) {
		text_add(t, is_push      ? ", all heard"
		            : expects(r) ? ", all answered"
		                         : ", no answers expected");
		before = "; ";
	}
	for (int i = 0; i < ANSWER_COUNT; i++) {
		if (r->answers[i] == 0 || (i == ANSWER_GOOD && before[0] == ';'))
			continue;
		text_add(t, "%s%s ", before, answer_name((enum answer)i));
		text_count(t, r->answers[i]);
		before = ", ";
	}
}

static void add_traffic(struct lines *l, const struct result_traffic *r)
{
	struct text *t = begin(l, "traffic");

	add_kind(t, r);
	if (r->asked_per_s > 0) {
		text_add(t, ", ");
		add_rate(t, r->asked_per_s);
		text_add(t, " asked: ");
	} else {
		text_add(t, r->kind == TRAFFIC_PUSH ? ": " : ", closed loop: ");
	}
	add_rate(t, r->rate_per_s);
	text_add(t, r->kind == TRAFFIC_PUSH ? " heard; " : expects(r) ? " answered; " : " said; ");
	add_answers(t, r);
	if (r->kind == TRAFFIC_PUSH && r->busy > 0) {
		text_add(t, "; ");
		text_count(t, r->busy);
		text_add(t, " left out, as the one before was still being sent");
	}
	if (r->corrected.count == 0)
		return;
	t = begin(l, "latency");
	add_quantiles(t, &r->corrected);
	if (r->uncorrected.count > 0 && r->asked_per_s > 0 && r->kind != TRAFFIC_PUSH) {
		text_add(t, "; from when it was said p99 ");
		text_duration(t, r->uncorrected.p99_ns);
		text_add(t, ", max ");
		text_duration(t, r->uncorrected.max_ns);
	}
}

/* Of a round: until the first connection had it, until half of them had, until all had. */
static void add_push(struct lines *l, const struct result_traffic *r)
{
	struct text *t;

	if (r->kind != TRAFFIC_PUSH || r->last.count == 0)
		return;
	t = begin(l, "to all");
	text_add(t, "first after ");
	text_duration(t, r->first.p50_ns);
	text_add(t, ", half after ");
	text_duration(t, r->corrected.p50_ns);
	text_add(t, ", last after ");
	text_duration(t, r->last.p50_ns);
	if (r->last.count == 1)
		return;
	text_add(t, " (median of ");
	text_count(t, r->last.count);
	text_add(t, " rounds; the slowest took ");
	text_duration(t, r->last.max_ns);
	text_add(t, ")");
}

static void add_limit(struct lines *l, const struct result_traffic *r)
{
	static const char *const words[LIMITED_COUNT] = {
		[LIMITED_NOT] = "none",
		[LIMITED_TOOL] = "tool-limited",
		[LIMITED_TARGET] = "target-limited",
	};

	if (r->limited < LIMITED_COUNT && r->why[0] != '\0')
		text_add(begin(l, "limit"), "%s: %s", words[r->limited], r->why);
}

/* --- churn and storm ---------------------------------------------------------------------- */

static void add_churn(struct lines *l, const struct result_churn *r)
{
	struct text *t = begin(l, "churn");

	add_rate(t, r->rate_per_s);
	if (r->asked_per_s > 0) {
		text_add(t, " (");
		add_rate(t, r->asked_per_s);
		text_add(t, " asked)");
	}
	text_add(t, r->by_reset ? " by RST: " : " by FIN: ");
	text_count(t, r->closed);
	text_add(t, " closed, ");
	text_count(t, r->opened);
	text_add(t, " opened again");
	add_failed(t, r->failed, r->failed_by_cause);
	text_add(t, "; open ");
	text_count(t, r->open_least);
	if (r->open_most != r->open_least) {
		text_add(t, " to ");
		text_count(t, r->open_most);
	}
	text_add(t, "; TIME_WAIT up to ");
	add_known(t, r->time_wait_most);
	if (r->rested > 0) {
		text_add(t, "; ");
		text_count(t, r->rested);
		text_add(t, " left out, as no tuple was free or too many connects were under way");
	}
	if (r->connect.count > 0)
		add_quantiles(begin(l, "reconnects"), &r->connect);
}

static void add_back(struct text *t, const char *before, uint64_t back_ns)
{
	text_add(t, "%s ", before);
	if (back_ns == RESULT_UNKNOWN)
		text_add(t, "never");
	else
		text_duration(t, back_ns);
}

/* Of several hosts only when all were back is known: those of each do not tell of a half of all. */
static void add_all_back(struct text *t, const struct result_storm *r)
{
	bool is_of_hosts = r->back_50_ns == RESULT_UNKNOWN && r->back_100_ns != RESULT_UNKNOWN;

	if (is_of_hosts) {
		add_back(t, ": all after", r->back_100_ns);
		return;
	}
	add_back(t, r->back_50_ns == RESULT_UNKNOWN ? ": 50 %" : ": 50 % after", r->back_50_ns);
	add_back(t, ", 99 %", r->back_99_ns);
	add_back(t, ", all", r->back_100_ns);
}

static void add_storm(struct lines *l, const struct result_storm *r)
{
	struct text *t = begin(l, "storm");

	text_count(t, r->cut);
	text_add(t, " cut, ");
	text_count(t, r->back);
	text_add(t, " back");
	if (r->cut == 0)
		return; /* the stage has ended before it */
	add_all_back(t, r);
	add_failed(t, r->failed, r->failed_by_cause);
	t = begin(l, "meanwhile");
	text_add(t, "listen overflows ");
	add_known(t, r->listen_overflows);
	text_add(t, ", SYN retransmits ");
	add_known(t, r->syn_retransmits);
	text_add(t, ", SYN queue drops ");
	add_known(t, r->syn_queue_drops);
	text_add(t, ", SYN cookies ");
	add_known(t, r->cookies_sent);
	if (r->accept_queue_most != RESULT_UNKNOWN) {
		text_add(t, "; listen queues up to ");
		text_count(t, r->accept_queue_most);
	}
}

/* --- all of it ---------------------------------------------------------------------------- */

static void add_heading(struct lines *l, const struct result *r, uint32_t i)
{
	const struct result_stage *s = &r->stages[i];
	struct text *t;

	if (r->stage_count < 2)
		return;
	t = begin(l, "stage");
	text_add(t, "%u of %u, %s: ", i + 1, r->stage_count, s->name);
	text_duration(t, s->duration_ns);
	text_add(t, ", ");
	text_count(t, s->open_before);
	if (s->open_after != s->open_before) {
		text_add(t, " to ");
		text_count(t, s->open_after);
	}
	text_add(t, " open");
}

uint32_t stage_lines(const struct result *r, uint32_t i, struct stage_line lines[STAGE_LINES_MOST])
{
	const struct result_stage *s = &r->stages[i];
	struct lines l = {.at = lines};

	add_heading(&l, r, i);
	if (s->has_traffic) {
		add_traffic(&l, &s->traffic);
		add_push(&l, &s->traffic);
		add_limit(&l, &s->traffic);
	}
	if (s->has_churn)
		add_churn(&l, &s->churn);
	if (s->has_storm)
		add_storm(&l, &s->storm);
	return l.count;
}

uint32_t stage_lines_search(const struct result *r, struct stage_line lines[STAGE_LINES_MOST])
{
	const struct result_search *s = &r->search;
	struct lines l = {.at = lines};
	struct text *t;

	if (!r->has_search)
		return 0;
	t = begin(&l, "found");
	if (s->found > 0)
		text_count(t, s->found);
	else
		text_add(t, "no");
	text_add(t, " %s", strcmp(s->what, "churn") == 0 ? "churned" : s->what);
	text_add(t, "%s", strcmp(s->what, "connections") == 0 ? "" : "/s");
	text_add(t, " in %u trial%s", s->trial_count, s->trial_count == 1 ? "" : "s");
	if (s->bound[0] != '\0')
		text_add(t, s->found > 0 ? "; more did not pass: %s" : ": %s", s->bound);
	return l.count;
}
