/* merge_sum: see the header. Numbers may come from anybody's file: no sum overflows. */
#include "out/merge_sum.h"

#include "base/text.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

uint64_t merge_add(uint64_t a, uint64_t b)
{
	uint64_t sum;

	if (a == RESULT_UNKNOWN || b == RESULT_UNKNOWN)
		return RESULT_UNKNOWN;
	return __builtin_add_overflow(a, b, &sum) || sum == RESULT_UNKNOWN ? RESULT_UNKNOWN - 1
	                                                                   : sum;
}

static uint64_t most_of(uint64_t a, uint64_t b)
{
	if (a == RESULT_UNKNOWN || b == RESULT_UNKNOWN)
		return RESULT_UNKNOWN;
	return a > b ? a : b;
}

static uint64_t least_of(uint64_t a, uint64_t b)
{
	return a < b ? a : b; /* what is not known is not less */
}

static uint32_t add_32(uint32_t a, uint32_t b)
{
	return a < UINT32_MAX - b ? a + b : UINT32_MAX;
}

static void add_each(uint64_t *all, const uint64_t *from, size_t count)
{
	for (size_t i = 0; i < count; i++)
		all[i] = merge_add(all[i], from[i]);
}

static int64_t add_bytes(int64_t a, int64_t b)
{
	return a == BILL_UNKNOWN || b == BILL_UNKNOWN ? BILL_UNKNOWN : bill_add(a, b);
}

/* What is not the same of all is "mixed", as far as there is room. */
static void merge_word(char *all, size_t size, const char *from)
{
	struct text t;

	if (strncmp(all, from, size) == 0)
		return;
	text_init(&t, all, size);
	text_add(&t, "mixed");
}

/* --- plain numbers ------------------------------------------------------------------------ */

#define AT(field) offsetof(struct result, field)
static const size_t sums[] = {
	AT(target),
	AT(established.client),
	AT(established.server),
	AT(established.kernel),
	AT(established.server_kernel),
	AT(failed),
	AT(retried),
	AT(lost),
	AT(accept_errors),
	AT(not_tried),
	AT(reconnected),
	AT(ramped),
	AT(staged),
	AT(unstaged),
	AT(open_at_end),
	AT(received_bytes),
	AT(listen_overflows),
	AT(timing.ramp_cpu_ns),
	AT(host.memory_bytes),
};

static void add_numbers(struct result *all, const struct result *from)
{
	for (size_t i = 0; i < sizeof(sums) / sizeof(sums[0]); i++) {
		uint64_t a, b;

		memcpy(&a, (char *)all + sums[i], sizeof(a));
		memcpy(&b, (const char *)from + sums[i], sizeof(b));
		if (sums[i] == AT(ramped))
			b = result_ramped(from);
		a = merge_add(a, b);
		memcpy((char *)all + sums[i], &a, sizeof(a));
	}
	add_each(all->failed_by_cause, from->failed_by_cause, CAUSE_COUNT);
	add_each(all->retried_by_cause, from->retried_by_cause, CAUSE_COUNT);
	add_each(all->lost_by_cause, from->lost_by_cause, CAUSE_COUNT);
	add_each(all->accept_errors_by_cause, from->accept_errors_by_cause, CAUSE_COUNT);
	all->source_ips = add_32(all->source_ips, from->source_ips);
	all->client_workers = add_32(all->client_workers, from->client_workers);
	all->workers_died = add_32(all->workers_died, from->workers_died);
	all->host.cpus = add_32(all->host.cpus, from->host.cpus);
	all->host.nofile_hard = least_of(all->host.nofile_hard, from->host.nofile_hard);
}

static void merge_words(struct result *all, const struct result *from)
{
	merge_word(all->solution, sizeof(all->solution), from->solution);
	merge_word(all->network, sizeof(all->network), from->network);
	merge_word(all->client_engine, sizeof(all->client_engine), from->client_engine);
	merge_word(all->host.kernel, sizeof(all->host.kernel), from->host.kernel);
}

/* All prove at the same time: it is done when the last one is. */
static void add_proof(struct result_proof *all, const struct result_proof *from)
{
	all->sent = merge_add(all->sent, from->sent);
	all->echoed = merge_add(all->echoed, from->echoed);
	all->mismatched = merge_add(all->mismatched, from->mismatched);
	all->repeated = merge_add(all->repeated, from->repeated);
	all->server_echoed = merge_add(all->server_echoed, from->server_echoed);
	all->differing = merge_add(all->differing, from->differing);
	all->duration_ns = most_of(all->duration_ns, from->duration_ns);
	all->done = all->done && from->done;
}

static void add_packets(struct result *all, const struct result *from)
{
	static_assert(sizeof(struct packets) % sizeof(uint64_t) == 0, "all of them are uint64_t");
	uint64_t a[sizeof(struct packets) / sizeof(uint64_t)], b[sizeof(a) / sizeof(a[0])];

	all->has_packets = all->has_packets && from->has_packets;
	memcpy(a, &all->packets, sizeof(a));
	memcpy(b, &from->packets, sizeof(b));
	add_each(a, b, sizeof(a) / sizeof(a[0]));
	memcpy(&all->packets, a, sizeof(a));
}

static void add_timing(struct result *all, const struct result *from)
{
	all->timing.ramp_ns = most_of(all->timing.ramp_ns, from->timing.ramp_ns);
	all->timing.rate_per_s = RESULT_UNKNOWN;
	all->timing.hold_ns = least_of(all->timing.hold_ns, from->timing.hold_ns);
	all->timing.teardown_ns = most_of(all->timing.teardown_ns, from->timing.teardown_ns);
	all->timing.connect_p50_ns = all->timing.connect_p90_ns = RESULT_UNKNOWN;
	all->timing.connect_p99_ns = all->timing.connect_p999_ns = RESULT_UNKNOWN;
	all->timing.connect_max_ns = most_of(all->timing.connect_max_ns,
	                                     from->timing.connect_max_ns);
}

/* --- stages ------------------------------------------------------------------------------- */

static void add_quantiles(struct quantiles *all, const struct quantiles *from)
{
	*all = (struct quantiles){
		.max_ns = all->max_ns > from->max_ns ? all->max_ns : from->max_ns,
		.count = merge_add(all->count, from->count),
	};
}

/* < 0: not known, or without a bound. */
static double add_real(double a, double b)
{
	return a < 0 || b < 0 ? -1 : a + b;
}

/* What a shard said of itself is told of it. */
static void tell_limit(struct result_traffic *all, uint32_t number, const char *why)
{
	char copy[sizeof(all->why)];
	struct text t;

	memcpy(copy, why, sizeof(copy));
	copy[sizeof(copy) - 1] = '\0';
	text_init(&t, all->why, sizeof(all->why));
	text_add(&t, "shard %u: %s", number, copy);
}

/* Whose tool was too slow has not tried the target. */
static void merge_limit(struct result_traffic *all, const struct result_traffic *from,
                        uint32_t number)
{
	bool is_worse = all->limited == LIMITED_NOT ||
	                (all->limited == LIMITED_TARGET && from->limited == LIMITED_TOOL);
	struct text t;

	if (all->limited == LIMITED_NOT && from->limited == LIMITED_NOT) {
		text_init(&t, all->why, sizeof(all->why));
		text_add(&t, "each shard held its rate");
	} else if (is_worse && from->limited != LIMITED_NOT) {
		all->limited = from->limited;
		tell_limit(all, number, from->why);
	}
}

static void add_traffic(struct result_traffic *all, const struct result_traffic *from,
                        uint32_t number)
{
	all->said = merge_add(all->said, from->said);
	all->said_bytes = merge_add(all->said_bytes, from->said_bytes);
	all->heard_bytes = merge_add(all->heard_bytes, from->heard_bytes);
	all->busy = merge_add(all->busy, from->busy);
	add_each(all->answers, from->answers, ANSWER_COUNT);
	all->asked_per_s += from->asked_per_s;
	all->rate_per_s += from->rate_per_s;
	add_quantiles(&all->corrected, &from->corrected);
	add_quantiles(&all->uncorrected, &from->uncorrected);
	add_quantiles(&all->slip, &from->slip);
	add_quantiles(&all->first, &from->first);
	add_quantiles(&all->last, &from->last);
	merge_limit(all, from, number);
	all->client_cpus = add_real(all->client_cpus, from->client_cpus);
	all->server_cpus = add_real(all->server_cpus, from->server_cpus);
	all->softirq_cpus = add_real(all->softirq_cpus, from->softirq_cpus);
	all->client_cpus_most = add_real(all->client_cpus_most, from->client_cpus_most);
}

/* The hosts' extremes need not have been at one time: together they are bounds. */
static void add_churn(struct result_churn *all, const struct result_churn *from)
{
	all->asked_per_s = add_real(all->asked_per_s, from->asked_per_s);
	all->rate_per_s += from->rate_per_s;
	all->closed = merge_add(all->closed, from->closed);
	all->opened = merge_add(all->opened, from->opened);
	all->rested = merge_add(all->rested, from->rested);
	all->failed = merge_add(all->failed, from->failed);
	add_each(all->failed_by_cause, from->failed_by_cause, CAUSE_COUNT);
	all->open_least = merge_add(all->open_least, from->open_least);
	all->open_most = merge_add(all->open_most, from->open_most);
	all->time_wait_most = merge_add(all->time_wait_most, from->time_wait_most);
	add_quantiles(&all->connect, &from->connect);
}

/* All are back when the last host's are; a share of all is not told by shares of each. */
static void add_storm(struct result_storm *all, const struct result_storm *from)
{
	all->cut = merge_add(all->cut, from->cut);
	all->back = merge_add(all->back, from->back);
	all->failed = merge_add(all->failed, from->failed);
	add_each(all->failed_by_cause, from->failed_by_cause, CAUSE_COUNT);
	all->back_50_ns = all->back_99_ns = RESULT_UNKNOWN;
	all->back_100_ns = most_of(all->back_100_ns, from->back_100_ns);
	all->accept_queue_most = merge_add(all->accept_queue_most, from->accept_queue_most);
	all->listen_overflows = merge_add(all->listen_overflows, from->listen_overflows);
	all->listen_drops = merge_add(all->listen_drops, from->listen_drops);
	all->syn_retransmits = merge_add(all->syn_retransmits, from->syn_retransmits);
	all->syn_queue_drops = merge_add(all->syn_queue_drops, from->syn_queue_drops);
	all->cookies_sent = merge_add(all->cookies_sent, from->cookies_sent);
	all->cookies_received = merge_add(all->cookies_received, from->cookies_received);
	all->cookies_failed = merge_add(all->cookies_failed, from->cookies_failed);
}

static void add_stage(struct result_stage *all, const struct result_stage *from, uint32_t number)
{
	all->start_ns = least_of(all->start_ns, from->start_ns);
	all->duration_ns = least_of(all->duration_ns, from->duration_ns);
	all->open_before = merge_add(all->open_before, from->open_before);
	all->open_after = merge_add(all->open_after, from->open_after);
	if (all->has_traffic)
		add_traffic(&all->traffic, &from->traffic, number);
	if (all->has_churn)
		add_churn(&all->churn, &from->churn);
	if (all->has_storm)
		add_storm(&all->storm, &from->storm);
}

static bool is_same_stage(const struct result_stage *a, const struct result_stage *b)
{
	return strncmp(a->name, b->name, sizeof(a->name)) == 0 &&
	       a->has_traffic == b->has_traffic && a->has_churn == b->has_churn &&
	       a->has_storm == b->has_storm &&
	       (!a->has_traffic || a->traffic.kind == b->traffic.kind) &&
	       (!a->has_churn || a->churn.by_reset == b->churn.by_reset);
}

bool merge_sum_fits(const struct result *a, const struct result *b)
{
	for (uint32_t i = 0; i < a->stage_count && i < b->stage_count; i++) {
		if (!is_same_stage(&a->stages[i], &b->stages[i]))
			return false;
	}
	return true;
}

/* One that was interrupted has begun fewer. */
static void add_stages(struct result *all, const struct result *from)
{
	for (uint32_t i = 0; i < from->stage_count; i++) {
		if (i < all->stage_count)
			add_stage(&all->stages[i], &from->stages[i], from->shard.number);
		else
			all->stages[all->stage_count++] = from->stages[i];
	}
}

/* --- memory ------------------------------------------------------------------------------- */

static void add_line(struct bill_line *all, const struct bill_line *from)
{
	all->bytes = add_bytes(all->bytes, from->bytes);
	all->objects = add_bytes(all->objects, from->objects);
	all->is_shared = all->is_shared || from->is_shared;
	if (all->of[0] == '\0')
		memcpy(all->of, from->of, sizeof(all->of));
}

static void add_bill(struct bill *all, const struct bill *from)
{
	if (from->connections == 0)
		*all = (struct bill){0};
	if (all->connections == 0) /* one has none */
		return;
	all->connections = merge_add(all->connections, from->connections);
	all->has_slabs = all->has_slabs && from->has_slabs;
	all->lost_bytes = add_bytes(all->lost_bytes, from->lost_bytes);
	all->available_lost_bytes = add_bytes(all->available_lost_bytes,
	                                      from->available_lost_bytes);
	all->drift_bytes = add_bytes(all->drift_bytes, from->drift_bytes);
	for (int i = 0; i < BILL_LINE_COUNT; i++)
		add_line(&all->lines[i], &from->lines[i]);
}

static void add_slab(struct result_memory *all, const struct result_slab *from)
{
	for (uint32_t i = 0; i < all->slab_count; i++) {
		struct result_slab *one = &all->slabs[i];

		if (strncmp(one->name, from->name, sizeof(one->name)) != 0)
			continue;
		one->bytes = add_bytes(one->bytes, from->bytes);
		one->objects = add_bytes(one->objects, from->objects);
		return;
	}
	if (all->slab_count < RESULT_SLABS_MAX)
		all->slabs[all->slab_count++] = *from;
}

static void add_slabs(struct result_memory *all, const struct result_memory *from)
{
	all->has_slabs = all->has_slabs && from->has_slabs;
	for (uint32_t i = 0; i < from->slab_count; i++)
		add_slab(all, &from->slabs[i]);
	if (!all->has_slabs)
		all->slab_count = 0;
}

static void add_memory(struct result_memory *all, const struct result_memory *from)
{
	all->connections = merge_add(all->connections, from->connections);
	all->kernel_bytes = add_bytes(all->kernel_bytes, from->kernel_bytes);
	all->server_user_bytes = add_bytes(all->server_user_bytes, from->server_user_bytes);
	all->client_user_bytes = add_bytes(all->client_user_bytes, from->client_user_bytes);
	all->residual_bytes = add_bytes(all->residual_bytes, from->residual_bytes);
	add_slabs(all, from);
	add_bill(&all->bill, &from->bill);
}

/* --- all of it ---------------------------------------------------------------------------- */

void merge_sum_begin(struct result *all, const struct result *from)
{
	*all = *from;
	all->ramped = result_ramped(from);
	for (uint32_t i = 0; i < all->stage_count; i++) {
		struct result_traffic *t = &all->stages[i].traffic;

		if (all->stages[i].has_traffic && t->limited != LIMITED_NOT)
			tell_limit(t, from->shard.number, t->why);
	}
}

void merge_sum(struct result *all, const struct result *from)
{
	add_numbers(all, from);
	merge_words(all, from);
	if (all->source_gone[0] == '\0')
		memcpy(all->source_gone, from->source_gone, sizeof(all->source_gone));
	all->has_proof = all->has_proof && from->has_proof;
	add_proof(&all->proved_ramp, &from->proved_ramp);
	add_proof(&all->proved, &from->proved);
	add_packets(all, from);
	add_timing(all, from);
	add_stages(all, from);
	add_memory(&all->memory, &from->memory);
}
