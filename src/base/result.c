/* result: what holds of every result, whoever fills it. */
#include "base/result.h"

#include "base/text.h"

#include <assert.h>
#include <string.h>

void result_init(struct result *result)
{
	memset(result, 0, sizeof(*result));
	memset(&result->established, 0xff, sizeof(result->established));
	memset(&result->timing, 0xff, sizeof(result->timing));
	result->listen_overflows = RESULT_UNKNOWN;
	path_init(&result->path);
}

int64_t result_bytes(const struct result_memory *memory)
{
	if (memory->kernel_bytes == RESULT_UNKNOWN_BYTES ||
	    memory->server_user_bytes == RESULT_UNKNOWN_BYTES ||
	    memory->client_user_bytes == RESULT_UNKNOWN_BYTES)
		return RESULT_UNKNOWN_BYTES;
	return memory->kernel_bytes + memory->server_user_bytes + memory->client_user_bytes;
}

void result_say_differing(const struct result_differing *d, struct text *t)
{
	text_add(t, "index ");
	text_count(t, d->index);
	if (d->source[0] != '\0')
		text_add(t, " (%s to %s)", d->source, d->target);
	text_add(t, d->client ? ": echoed for the client, never seen by the server"
	                      : ": seen by the server, whose echo never reached the client");
	if (d->round > 0)
		text_add(t, " after the hold");
}

static const char *const limited_names[] = {
	[LIMITED_NOT] = "none",
	[LIMITED_TOOL] = "tool",
	[LIMITED_TARGET] = "target",
};
static_assert(sizeof(limited_names) / sizeof(limited_names[0]) == LIMITED_COUNT, "a name each");

const char *limited_name(enum limited limited)
{
	return limited_names[limited];
}

uint64_t result_ramped(const struct result *result)
{
	bool is_all = result->ramped == 0 || result->ramped == RESULT_UNKNOWN;

	return is_all ? result->target : result->ramped;
}

uint64_t result_wanted(const struct result *result)
{
	if (result->staged == RESULT_UNKNOWN || result->unstaged == RESULT_UNKNOWN)
		return result_ramped(result);
	return result_ramped(result) + result->staged - result->unstaged;
}

uint64_t result_answered(const struct result_traffic *traffic)
{
	return traffic->answers[ANSWER_GOOD] + traffic->answers[ANSWER_LATE];
}

uint64_t result_bad(const struct result_traffic *traffic, bool late_too)
{
	uint64_t bad = 0;

	for (int i = 0; i < ANSWER_END_COUNT; i++) {
		bool is_good = i == ANSWER_GOOD || i == ANSWER_CUT ||
		               (i == ANSWER_LATE && !late_too);

		bad += is_good ? 0 : traffic->answers[i];
	}
	return bad;
}

/* --- all stages --------------------------------------------------------------------------- */

static void add_counts(uint64_t *sums, const uint64_t *counts, int n)
{
	for (int i = 0; i < n; i++)
		sums[i] += counts[i];
}

static uint64_t most_of(uint64_t a, uint64_t b)
{
	if (a == RESULT_UNKNOWN || b == RESULT_UNKNOWN)
		return a == RESULT_UNKNOWN ? b : a;
	return a > b ? a : b;
}

static uint64_t add_known(uint64_t a, uint64_t b)
{
	return a == RESULT_UNKNOWN || b == RESULT_UNKNOWN ? RESULT_UNKNOWN : a + b;
}

static void add_traffic(struct result_traffic *all, const struct result_traffic *one)
{
	struct result_traffic sum = {
		.kind = all->kind == one->kind ? all->kind : TRAFFIC_KIND_COUNT,
		.said = all->said + one->said,
		.said_bytes = all->said_bytes + one->said_bytes,
		.heard_bytes = all->heard_bytes + one->heard_bytes,
		.busy = all->busy + one->busy,
		.limited = LIMITED_COUNT,
		.client_cpus = -1,
		.server_cpus = -1,
		.softirq_cpus = -1,
		.client_cpus_most = -1,
	};

	add_counts(sum.answers, all->answers, ANSWER_COUNT);
	add_counts(sum.answers, one->answers, ANSWER_COUNT);
	*all = sum;
}

static void add_churn(struct result_churn *all, const struct result_churn *one)
{
	struct result_churn sum = {
		.closed = all->closed + one->closed,
		.opened = all->opened + one->opened,
		.rested = all->rested + one->rested,
		.failed = all->failed + one->failed,
		.by_reset = all->by_reset && one->by_reset,
		.open_least = all->open_least < one->open_least ? all->open_least : one->open_least,
		.open_most = most_of(all->open_most, one->open_most),
		.time_wait_most = most_of(all->time_wait_most, one->time_wait_most),
	};

	add_counts(sum.failed_by_cause, all->failed_by_cause, CAUSE_COUNT);
	add_counts(sum.failed_by_cause, one->failed_by_cause, CAUSE_COUNT);
	*all = sum;
}

static void add_storm(struct result_storm *all, const struct result_storm *one)
{
	all->cut += one->cut;
	all->back += one->back;
	all->failed += one->failed;
	add_counts(all->failed_by_cause, one->failed_by_cause, CAUSE_COUNT);
	all->back_50_ns = all->back_99_ns = all->back_100_ns = RESULT_UNKNOWN;
	all->accept_queue_most = most_of(all->accept_queue_most, one->accept_queue_most);
	all->listen_overflows = add_known(all->listen_overflows, one->listen_overflows);
	all->listen_drops = add_known(all->listen_drops, one->listen_drops);
	all->syn_retransmits = add_known(all->syn_retransmits, one->syn_retransmits);
	all->syn_queue_drops = add_known(all->syn_queue_drops, one->syn_queue_drops);
	all->cookies_sent = add_known(all->cookies_sent, one->cookies_sent);
	all->cookies_received = add_known(all->cookies_received, one->cookies_received);
	all->cookies_failed = add_known(all->cookies_failed, one->cookies_failed);
}

void result_sum(const struct result *result, struct result_sum *out)
{
	struct result_stage *all = &out->all;

	memset(out, 0, sizeof(*out));
	for (uint32_t i = 0; i < result->stage_count; i++) {
		const struct result_stage *one = &result->stages[i];

		if (one->has_traffic && out->traffics++ == 0)
			all->traffic = one->traffic;
		else if (one->has_traffic)
			add_traffic(&all->traffic, &one->traffic);
		if (one->has_churn && out->churns++ == 0)
			all->churn = one->churn;
		else if (one->has_churn)
			add_churn(&all->churn, &one->churn);
		if (one->has_storm && out->storms++ == 0)
			all->storm = one->storm;
		else if (one->has_storm)
			add_storm(&all->storm, &one->storm);
	}
	all->has_traffic = out->traffics > 0;
	all->has_churn = out->churns > 0;
	all->has_storm = out->storms > 0;
}
