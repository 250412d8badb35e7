/* verdict: a run passes when every connection was established on both sides and in the kernel's
 * count, echoed after the ramp and after the hold, and both sides agree by index. Anything less is
 * named, the gravest first. */
#include "run/verdict.h"

#include "base/clock.h"
#include "base/text.h"

#include <string.h>

static const char *const solution_names[] = {
	[SOLUTION_IPS] = "ips",
	[SOLUTION_PORTS] = "ports",
	[SOLUTION_MIXED] = "mixed",
};

/* A connect that timed out while listen queues overflowed was dropped there. */
static void name_overflows(struct result *r, uint64_t *by_cause, uint64_t *left)
{
	uint64_t timeouts = by_cause[CAUSE_TIMEOUT];
	uint64_t moved = timeouts < *left ? timeouts : *left;

	if (r->listen_overflows == RESULT_UNKNOWN)
		return;
	by_cause[CAUSE_TIMEOUT] -= moved;
	by_cause[CAUSE_LISTEN_OVERFLOW] += moved;
	*left -= moved;
}

static uint64_t failed_of(const struct shm_worker *w)
{
	uint64_t sum = 0;

	for (int i = 0; i < CAUSE_COUNT; i++)
		sum += w->failed[i];
	return sum;
}

static void fill_causes(struct result *r, const struct shm *shm)
{
	uint64_t left = r->listen_overflows;

	for (int i = 0; i < CAUSE_COUNT; i++) {
		enum cause cause = (enum cause)i;

		r->failed_by_cause[i] = shm_sum_cause(shm, ROLE_CLIENT, SHM_FIELD(failed), cause);
		r->retried_by_cause[i] = shm_sum_cause(shm, ROLE_CLIENT, SHM_FIELD(retried), cause);
		r->lost_by_cause[i] = shm_sum_cause(shm, ROLE_CLIENT, SHM_FIELD(lost), cause);
	}
	for (int i = 0; i < CAUSE_COUNT; i++)
		r->accept_errors_by_cause[i] =
			shm_sum_cause(shm, ROLE_SERVER, SHM_FIELD(accept_errors), (enum cause)i);
	name_overflows(r, r->failed_by_cause, &left);
	name_overflows(r, r->retried_by_cause, &left);
	name_overflows(r, r->lost_by_cause, &left);
	for (uint32_t i = 0; i < shm->worker_count; i++) {
		const struct shm_worker *w = &shm->workers[i];

		r->workers_died += w->died ? 1 : 0;
		if (w->died && w->role == ROLE_CLIENT) {
			r->lost_by_cause[CAUSE_WORKER_DIED] += w->open;
			r->not_tried += w->count - w->opened - failed_of(w) - w->not_tried;
		}
	}
	for (int i = 0; i < CAUSE_COUNT; i++) {
		r->failed += r->failed_by_cause[i];
		r->retried += r->retried_by_cause[i];
		r->lost += r->lost_by_cause[i];
		r->accept_errors += r->accept_errors_by_cause[i];
	}
	r->not_tried += shm_sum(shm, ROLE_CLIENT, SHM_FIELD(not_tried));
}

static void fill_proof(struct result_proof *p, const struct shm *shm, unsigned int round)
{
	p->sent = shm_sum(shm, ROLE_CLIENT, SHM_FIELD(proof[round].sent));
	p->mismatched = shm_sum(shm, ROLE_CLIENT, SHM_FIELD(proof[round].mismatched));
	p->echoed = shm_proved(shm, ROLE_CLIENT, round);
	p->server_echoed = shm_proved(shm, ROLE_SERVER, round);
	p->differing = shm_proof_difference(shm, round);
}

static void fill_timing(struct result *r, const struct shm *shm)
{
	static struct hist all;
	uint64_t last_ns = shm->ramp_start_ns;
	uint64_t cpu_ns = 0;

	for (uint32_t i = 0; i < shm->worker_count; i++) {
		const struct shm_worker *w = &shm->workers[i];

		if (w->last_open_ns > last_ns)
			last_ns = w->last_open_ns;
		hist_merge(&all, &w->connect);
		cpu_ns += w->cpu_ns;
	}
	r->timing.ramp_cpu_ns = cpu_ns;
	if (all.count == 0)
		return;
	r->timing.ramp_ns = last_ns - shm->ramp_start_ns;
	if (r->timing.ramp_ns > 0)
		r->timing.rate_per_s =
			(uint64_t)((double)all.count * NS_PER_S / (double)r->timing.ramp_ns);
	r->timing.connect_p50_ns = hist_quantile(&all, 0.5);
	r->timing.connect_p90_ns = hist_quantile(&all, 0.9);
	r->timing.connect_p99_ns = hist_quantile(&all, 0.99);
	r->timing.connect_p999_ns = hist_quantile(&all, 0.999);
	r->timing.connect_max_ns = all.max_ns;
}

void verdict_topology(struct result *r, const struct experiment *x)
{
	struct text t;

	r->target = x->n;
	text_init(&t, r->solution, sizeof(r->solution));
	text_add(&t, "%s", solution_names[x->solution]);
	text_init(&t, r->server_engine, sizeof(r->server_engine));
	text_add(&t, "uring");
	text_init(&t, r->client_engine, sizeof(r->client_engine));
	text_add(&t, "uring");
	r->ipv6 = x->tuples.target.family == AF_INET6;
	r->source_ips = x->tuples.source_count;
	r->server_ports = x->tuples.target_port_count;
	r->server_workers = x->server_workers;
	r->client_workers = x->client_workers;
}

void verdict_set(struct result *r, enum verdict verdict, int exit_code, const char *reason)
{
	struct text t;

	r->verdict = verdict;
	r->exit_code = exit_code;
	text_init(&t, r->reason, sizeof(r->reason));
	text_add(&t, "%s", reason);
}

/* "refused 12, timeout 3" */
static void add_causes(struct text *t, const uint64_t *by_cause)
{
	const char *before = "";

	for (int i = 0; i < CAUSE_COUNT; i++) {
		if (by_cause[i] == 0)
			continue;
		text_add(t, "%s%s ", before, cause_name((enum cause)i));
		text_count(t, by_cause[i]);
		before = ", ";
	}
}

static bool is_proved(const struct result *r, const struct result_proof *p)
{
	return p->done && p->echoed == r->established.client && p->mismatched == 0 &&
	       p->differing == 0;
}

static bool do_counts_agree(const struct result *r)
{
	return r->established.client == r->target && r->established.server == r->target &&
	       r->established.kernel == r->target;
}

/* An interrupt while it closes comes too late to matter. */
static bool is_interrupted(const struct result *r, const struct shm *shm)
{
	return shm->stop == STOP_INTERRUPTED && !r->proved.done;
}

static void judge_incomplete(struct result *r, const struct shm *shm, struct text *t)
{
	if (r->workers_died > 0) {
		text_add(t, "%s", shm->error.text);
		verdict_set(r, VERDICT_FAIL, EXIT_FAILED, t->at);
	} else if (is_interrupted(r, shm)) {
		text_add(t, "interrupted with ");
		text_count(t, r->established.client);
		text_add(t, " connections open");
		verdict_set(r, VERDICT_PARTIAL, EXIT_INTERRUPTED, t->at);
	} else if (shm->stop == STOP_MEMORY) {
		text_add(t, "memory: the ramp was stopped at ");
		text_count(t, r->established.client);
		text_add(t, " before the reserve was touched");
		verdict_set(r, VERDICT_PARTIAL, EXIT_FAILED, t->at);
	} else {
		text_count(t, r->failed);
		text_add(t, " could not be opened (");
		add_causes(t, r->failed_by_cause);
		text_add(t, ")");
		verdict_set(r, VERDICT_FAIL, EXIT_FAILED, t->at);
	}
}

static void judge(struct result *r, const struct shm *shm)
{
	char reason[sizeof(r->reason)];
	struct text t;

	text_init(&t, reason, sizeof(reason));
	if (r->workers_died > 0 || is_interrupted(r, shm) || shm->stop == STOP_MEMORY ||
	    r->failed > 0) {
		judge_incomplete(r, shm, &t);
	} else if (r->lost > 0) {
		text_count(&t, r->lost);
		text_add(&t, " connections were lost (");
		add_causes(&t, r->lost_by_cause);
		text_add(&t, ")");
		verdict_set(r, VERDICT_FAIL, EXIT_UNPROVED, reason);
	} else if (!do_counts_agree(r)) {
		verdict_set(r, VERDICT_FAIL, EXIT_FAILED,
		            r->established.kernel == RESULT_UNKNOWN
		                    ? "the kernel's count cannot be had (sock_diag): not proved"
		                    : "the three counts do not agree");
	} else if (!is_proved(r, &r->proved_ramp) || !is_proved(r, &r->proved)) {
		verdict_set(r, VERDICT_FAIL, EXIT_UNPROVED,
		            "server and client do not agree on which connections were proved");
	} else {
		text_count(&t, r->target);
		text_add(&t, " connection%s established, proved, held and proved again",
		         r->target == 1 ? "" : "s");
		verdict_set(r, VERDICT_PASS, EXIT_PASS, reason);
	}
}

void verdict_fill(const struct experiment *x, struct shm *shm)
{
	struct result *r = &shm->result;

	verdict_topology(r, x);
	fill_causes(r, shm);
	fill_proof(&r->proved_ramp, shm, 0);
	fill_proof(&r->proved, shm, 1);
	fill_timing(r, shm);
	judge(r, shm);
}
