/* stages: two copies of everything that workers count, one when a stage begins, one when it is
 * over, in the director's own memory; the difference is the stage's. What has to be seen while it
 * lasts (the least and the most of something, the kernel's counters when a storm is over) is kept
 * beside them. Counters have one writer each, so that a copy is no older than the stage's edge by
 * more than one turn of a worker. */
#include "run/stages.h"

#include "base/clock.h"
#include "base/text.h"
#include "kernel/probe.h"
#include "kernel/vitals.h"
#include "run/census.h"
#include "run/limited.h"
#include "run/rounds.h"

#include <string.h>
#include <time.h>

/* All that clients have counted, added up. */
struct counted {
	struct shm_traffic traffic;
	struct shm_churn churn;
	struct shm_storm storm;
	struct hist connect;
};

/* CPU time so far; PROBE_UNKNOWN. */
struct spent {
	uint64_t at_ns, clients_ns, servers_ns, softirq_ns, busy_ns;
	uint32_t cpus;
};

/* Of the stage that is on. */
struct stages {
	bool is_on;
	uint32_t number;
	struct counted before, after;
	uint64_t answered; /* good or late, until it was over: not while it drained */
	struct spent spent_before, spent_after;
	struct rounds rounds;
	bool is_storm_over; /* as of the last look */
	struct probe_tcp tcp_before, tcp_after;
};

static struct stages stages; /* too large for a stack; a director has one */

/* --- looking ------------------------------------------------------------------------------ */

static void add_counts(uint64_t *sums, const uint64_t *counts, int n)
{
	for (int i = 0; i < n; i++)
		sums[i] += shm_get(counts[i]);
}

static void add_traffic(struct shm_traffic *sum, const struct shm_traffic *t)
{
	sum->said += shm_get(t->said);
	sum->said_bytes += shm_get(t->said_bytes);
	sum->heard_bytes += shm_get(t->heard_bytes);
	sum->busy += shm_get(t->busy);
	add_counts(sum->answers, t->answers, ANSWER_COUNT);
	hist_merge(&sum->corrected, &t->corrected);
	hist_merge(&sum->uncorrected, &t->uncorrected);
	hist_merge(&sum->slip, &t->slip);
}

static void count_all(struct counted *sum, const struct shm *shm)
{
	memset(sum, 0, sizeof(*sum));
	for (uint32_t i = 0; i < shm->worker_count; i++) {
		const struct shm_worker *w = &shm->workers[i];

		if (w->role == ROLE_SERVER)
			sum->traffic.busy += shm_get(w->traffic.busy);
		if (w->role != ROLE_CLIENT)
			continue;
		add_traffic(&sum->traffic, &w->traffic);
		sum->churn.closed += shm_get(w->churn.closed);
		sum->churn.opened += shm_get(w->churn.opened);
		sum->churn.rested += shm_get(w->churn.rested);
		add_counts(sum->churn.failed, w->churn.failed, CAUSE_COUNT);
		sum->storm.cut += shm_get(w->storm.cut);
		sum->storm.back += shm_get(w->storm.back);
		add_counts(sum->storm.failed, w->storm.failed, CAUSE_COUNT);
		hist_merge(&sum->storm.back_after, &w->storm.back_after);
		hist_merge(&sum->connect, &w->connect);
	}
}

/* User and system time of another process, without asking it. */
static uint64_t cpu_ns_of(const struct shm_worker *w)
{
	struct timespec used;
	clockid_t clock;

	if (w->died || w->pid <= 0 || clock_getcpuclockid(w->pid, &clock) != 0 ||
	    clock_gettime(clock, &used) != 0)
		return PROBE_UNKNOWN;
	return (uint64_t)used.tv_sec * NS_PER_S + (uint64_t)used.tv_nsec;
}

static uint64_t sum_cpu_ns(const struct shm *shm, enum role role)
{
	uint64_t sum_ns = 0;

	for (uint32_t i = 0; i < shm->worker_count; i++) {
		uint64_t one_ns;

		if (shm->workers[i].role != role)
			continue;
		one_ns = cpu_ns_of(&shm->workers[i]);
		if (one_ns == PROBE_UNKNOWN)
			return PROBE_UNKNOWN;
		sum_ns += one_ns;
	}
	return sum_ns;
}

static struct spent spend(const struct shm *shm)
{
	static struct probe_cpus cpus;
	struct spent s = {.at_ns = clock_now_ns(),
	                  .clients_ns = sum_cpu_ns(shm, ROLE_CLIENT),
	                  .servers_ns = sum_cpu_ns(shm, ROLE_SERVER)};

	cpus.count = 0;
	if (vitals_read_cpus(&cpus) != 0 || cpus.count == 0) {
		s.softirq_ns = s.busy_ns = PROBE_UNKNOWN;
		return s;
	}
	s.cpus = cpus.count;
	for (uint32_t i = 0; i < cpus.count; i++) {
		s.softirq_ns += cpus.cpus[i].softirq_ns;
		s.busy_ns += cpus.cpus[i].busy_ns;
	}
	return s;
}

/* Parts of one CPU; < 0: not known. */
static double cpus_between(uint64_t before_ns, uint64_t after_ns, uint64_t took_ns)
{
	if (before_ns == PROBE_UNKNOWN || after_ns == PROBE_UNKNOWN || after_ns < before_ns ||
	    took_ns == 0)
		return -1;
	return (double)(after_ns - before_ns) / (double)took_ns;
}

static struct probe_tcp read_tcp(void)
{
	struct probe_tcp tcp;

	memset(&tcp, 0xff, sizeof(tcp));
	(void)probe_read_tcp(&tcp);
	return tcp;
}

/* --- a stage begins ----------------------------------------------------------------------- */

static bool has_traffic(const struct stage *stage)
{
	return stage->traffic != TRAFFIC_HOLD;
}

void stages_begin(const struct experiment *x, struct shm *shm, uint32_t i, uint64_t start_ns)
{
	const struct stage *stage = &x->stages[i];
	struct result_stage *r = &shm->result.stages[i];
	struct text t;

	text_init(&t, r->name, sizeof(r->name));
	text_add(&t, "%s", stage->name);
	r->start_ns = start_ns - shm->hold_start_ns;
	r->open_before = r->open_after = shm_open(shm, ROLE_CLIENT);
	r->has_traffic = has_traffic(stage);
	r->has_churn = stage->churn_per_s > 0;
	r->has_storm = stage->storm_parts > 0;
	r->churn.open_least = r->churn.open_most = r->open_before;
	r->churn.time_wait_most = r->storm.accept_queue_most = RESULT_UNKNOWN;
	r->storm.back_50_ns = r->storm.back_99_ns = r->storm.back_100_ns = RESULT_UNKNOWN;
	shm->result.stage_count = i + 1;
	count_all(&stages.before, shm);
	rounds_begin(&stages.rounds, shm);
	stages.spent_before = stages.spent_after = spend(shm);
	stages.tcp_before = stages.tcp_after = read_tcp();
	stages.is_storm_over = false;
	stages.number = i;
	stages.is_on = true;
}

/* --- while it lasts ----------------------------------------------------------------------- */

static void raise_known(uint64_t *most, uint64_t value)
{
	if (value != PROBE_UNKNOWN && (*most == RESULT_UNKNOWN || value > *most))
		*most = value;
}

static uint64_t sum_storm(const struct shm *shm, size_t field, uint64_t before)
{
	return shm_sum(shm, ROLE_CLIENT, field) - before;
}

/* The kernel's counters are those from the cut until all are back. Workers do not cut in the same
 * moment, so that all may be back more than once. */
static void look_at_storm(const struct experiment *x, const struct shm *shm, struct result_storm *r)
{
	uint64_t cut = sum_storm(shm, SHM_FIELD(storm.cut), stages.before.storm.cut);
	uint64_t back = sum_storm(shm, SHM_FIELD(storm.back), stages.before.storm.back);
	bool is_over = cut > 0 && back >= cut;

	if (cut == 0)
		stages.tcp_before = stages.tcp_after = read_tcp();
	else if (!is_over || !stages.is_storm_over)
		stages.tcp_after = read_tcp();
	if (cut > 0 && !stages.is_storm_over)
		raise_known(&r->accept_queue_most, census_queued(x));
	stages.is_storm_over = is_over;
}

void stages_look(const struct experiment *x, struct shm *shm)
{
	if (!stages.is_on)
		return;
	struct result_stage *r = &shm->result.stages[stages.number];
	uint64_t open = shm_open(shm, ROLE_CLIENT);

	if (open < r->churn.open_least)
		r->churn.open_least = open;
	if (open > r->churn.open_most)
		r->churn.open_most = open;
	if (x->stages[stages.number].traffic == TRAFFIC_PUSH)
		rounds_count(&stages.rounds, shm, false);
	if (r->has_storm)
		look_at_storm(x, shm, &r->storm);
}

void stages_sample(const struct experiment *x, struct shm *shm, const struct sample *sample)
{
	(void)x;
	if (stages.is_on)
		raise_known(&shm->result.stages[stages.number].churn.time_wait_most,
		            sample->sockets.tcp_tw);
}

static uint64_t sum_answered(const struct shm *shm)
{
	return shm_sum(shm, ROLE_CLIENT, SHM_FIELD(traffic.answers[ANSWER_GOOD])) +
	       shm_sum(shm, ROLE_CLIENT, SHM_FIELD(traffic.answers[ANSWER_LATE]));
}

void stages_over(const struct shm *shm)
{
	stages.answered = sum_answered(shm);
	stages.spent_after = spend(shm);
}

/* --- it has ended ------------------------------------------------------------------------- */

static double rate(uint64_t count, uint64_t duration_ns)
{
	return duration_ns > 0 ? (double)count * (double)NS_PER_S / (double)duration_ns : 0;
}

/* What came of it between the two copies. */
static struct quantiles between(const struct hist *after, const struct hist *before)
{
	static struct hist came;

	hist_subtract(&came, after, before);
	return quantiles_of(&came);
}

static void fill_counts(struct result_traffic *r, const struct shm_traffic *after,
                        const struct shm_traffic *before)
{
	r->said = after->said - before->said;
	r->said_bytes = after->said_bytes - before->said_bytes;
	r->heard_bytes = after->heard_bytes - before->heard_bytes;
	r->busy = after->busy - before->busy;
	for (int i = 0; i < ANSWER_COUNT; i++)
		r->answers[i] = after->answers[i] - before->answers[i];
	r->corrected = between(&after->corrected, &before->corrected);
	r->uncorrected = between(&after->uncorrected, &before->uncorrected);
	r->slip = between(&after->slip, &before->slip);
}

/* Workers have one thread each: more than there are of them they cannot use. */
static void fill_cpus(struct result_traffic *r, const struct experiment *x, const struct shm *shm,
                      struct limited_case *c)
{
	const struct spent *before = &stages.spent_before, *after = &stages.spent_after;
	uint64_t took_ns = after->at_ns - before->at_ns;
	uint32_t cpus = after->cpus > 0 ? after->cpus : shm->result.host.cpus;

	r->client_cpus = cpus_between(before->clients_ns, after->clients_ns, took_ns);
	r->server_cpus = x->server_workers > 0
	                         ? cpus_between(before->servers_ns, after->servers_ns, took_ns)
	                         : -1;
	r->softirq_cpus = cpus_between(before->softirq_ns, after->softirq_ns, took_ns);
	r->client_cpus_most = x->client_workers < cpus ? x->client_workers : cpus;
	c->busy_cpus = cpus_between(before->busy_ns, after->busy_ns, took_ns);
	c->cpus = cpus;
}

static uint64_t answered(const uint64_t *answers)
{
	return answers[ANSWER_GOOD] + answers[ANSWER_LATE];
}

/* Of an open loop what was due in the stage's time counts, whenever it is answered. In a closed one
 * what is answered while it drains is as much as was under way at a time, whatever the rate. */
static uint64_t answered_in_time(const struct result_traffic *r, bool is_open_loop)
{
	uint64_t before = answered(stages.before.traffic.answers);

	return is_open_loop ? answered(r->answers) : stages.answered - before;
}

static void fill_traffic(struct result_stage *stage, const struct experiment *x,
                         const struct shm *shm, uint32_t i)
{
	const struct stage *said = &x->stages[i];
	struct result_traffic *r = &stage->traffic;
	struct limited_case c = {
		.kind = x->kind,
		.is_open_loop = stage_is_open_loop(said),
		.every_ns = x->kind == RUN_CONNECT ? 0 : said->every_ns,
		.duration_ns = stage->duration_ns,
		.client_workers = x->client_workers,
	};

	r->kind = said->traffic;
	fill_counts(r, &stages.after.traffic, &stages.before.traffic);
	r->asked_per_s = stage_message_rate(said, said->connections > 0 ? said->connections
	                                                                : stage->churn.open_most);
	if (said->traffic == TRAFFIC_PUSH &&
	    x->kind == RUN_CONNECT) /* its rounds are the server's */
		r->asked_per_s = 0;
	r->rate_per_s = rate(answered_in_time(r, c.is_open_loop), stage->duration_ns);
	rounds_count(&stages.rounds, shm, true);
	r->first = quantiles_of(&stages.rounds.first);
	r->last = quantiles_of(&stages.rounds.last);
	fill_cpus(r, x, shm, &c);
	limited_judge(r, &c);
}

static uint64_t fill_causes(uint64_t *out, const uint64_t *after, const uint64_t *before)
{
	uint64_t sum = 0;

	for (int i = 0; i < CAUSE_COUNT; i++) {
		out[i] = after[i] - before[i];
		sum += out[i];
	}
	return sum;
}

static void fill_churn(struct result_churn *r, const struct stage *said, uint64_t duration_ns)
{
	const struct shm_churn *after = &stages.after.churn, *before = &stages.before.churn;

	r->asked_per_s = said->churn_per_s == STAGE_AS_FAST ? -1 : (double)said->churn_per_s;
	r->by_reset = said->churn_by_reset;
	r->closed = after->closed - before->closed;
	r->opened = after->opened - before->opened;
	r->rested = after->rested - before->rested;
	r->failed = fill_causes(r->failed_by_cause, after->failed, before->failed);
	r->rate_per_s = rate(r->opened, duration_ns);
	r->connect = between(&stages.after.connect, &stages.before.connect);
}

/* Until so many of those that were cut were back, which is less than all that came back later. */
static uint64_t back_after(const struct hist *back, uint64_t cut, double share)
{
	uint64_t wanted = hist_rank(share, cut);

	if (cut == 0 || back->count < wanted)
		return RESULT_UNKNOWN;
	return hist_quantile(back, (double)wanted / (double)back->count);
}

static uint64_t grown(uint64_t before, uint64_t after)
{
	return before == PROBE_UNKNOWN || after == PROBE_UNKNOWN || after < before ? RESULT_UNKNOWN
	                                                                           : after - before;
}

static void fill_kernel(struct result_storm *r)
{
	const struct probe_tcp *before = &stages.tcp_before, *after = &stages.tcp_after;

	r->listen_overflows = grown(before->listen_overflows, after->listen_overflows);
	r->listen_drops = grown(before->listen_drops, after->listen_drops);
	r->syn_retransmits = grown(before->syn_retrans, after->syn_retrans);
	r->syn_queue_drops = grown(before->req_q_full_drop, after->req_q_full_drop);
	r->cookies_sent = grown(before->syncookies_sent, after->syncookies_sent);
	r->cookies_received = grown(before->syncookies_recv, after->syncookies_recv);
	r->cookies_failed = grown(before->syncookies_failed, after->syncookies_failed);
}

static void fill_storm(struct result_storm *r)
{
	static struct hist came;
	const struct shm_storm *after = &stages.after.storm, *before = &stages.before.storm;

	hist_subtract(&came, &after->back_after, &before->back_after);
	r->cut = after->cut - before->cut;
	r->back = after->back - before->back;
	r->failed = fill_causes(r->failed_by_cause, after->failed, before->failed);
	r->back_50_ns = back_after(&came, r->cut, 0.5);
	r->back_99_ns = back_after(&came, r->cut, 0.99);
	r->back_100_ns = back_after(&came, r->cut, 1);
	if (!stages.is_storm_over)
		stages.tcp_after = read_tcp();
	fill_kernel(r);
}

void stages_end(const struct experiment *x, struct shm *shm, uint32_t i, uint64_t duration_ns)
{
	struct result_stage *r = &shm->result.stages[i];

	stages_look(x, shm);
	stages.is_on = false;
	r->duration_ns = duration_ns;
	r->open_after = shm_open(shm, ROLE_CLIENT);
	count_all(&stages.after, shm);
	if (r->has_traffic)
		fill_traffic(r, x, shm, i);
	if (r->has_churn)
		fill_churn(&r->churn, &x->stages[i], duration_ns);
	if (r->has_storm)
		fill_storm(&r->storm);
}

void stages_set_hold(struct experiment *x, uint64_t hold_ns)
{
	struct stage *stage = &x->stages[0];
	struct text t;

	*stage = (struct stage){.duration_ns = hold_ns, .traffic = TRAFFIC_HOLD};
	text_init(&t, stage->name, sizeof(stage->name));
	text_add(&t, "hold");
	x->stage_count = 1;
	x->hold_ns = hold_ns;
}
