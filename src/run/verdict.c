/* verdict: a run passes when every connection was established on both sides and in the kernel's
 * count, echoed after the ramp and after the hold, and both sides agree by index. Anything less is
 * named, the gravest first. */
#include "run/verdict.h"

#include "base/clock.h"
#include "base/text.h"
#include "run/reconcile.h"
#include "run/threshold.h"

#include <string.h>

static const char *const solution_names[] = {
	[SOLUTION_IPS] = "ips",
	[SOLUTION_PORTS] = "ports",
	[SOLUTION_MIXED] = "mixed",
};

static const char *const role_names[] = {
	[RUN_LAB] = "lab",
	[RUN_SERVE] = "serve",
	[RUN_CONNECT] = "connect",
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

/* What a client that died had still to open in the ramp. */
static uint64_t died_untried(const struct experiment *x, const struct shm_worker *w)
{
	uint64_t done = w->opened + failed_of(w) + w->not_tried;
	uint64_t share = x->n > 0 ? w->count * experiment_ramped(x) / x->n : 0;

	return share > done ? share - done : 0;
}

/* A server's losses are its peers' resets; a run with clients counts theirs. */
static void fill_causes(struct result *r, const struct experiment *x, const struct shm *shm)
{
	enum role role = x->kind == RUN_SERVE ? ROLE_SERVER : ROLE_CLIENT;
	uint64_t left = r->listen_overflows;
	const struct ip *gone = shm_source_gone(shm);

	if (gone)
		ip_format(gone, r->source_gone);
	for (int i = 0; i < CAUSE_COUNT; i++) {
		enum cause cause = (enum cause)i;

		r->failed_by_cause[i] = shm_sum_cause(shm, role, SHM_FIELD(failed), cause);
		r->retried_by_cause[i] = shm_sum_cause(shm, role, SHM_FIELD(retried), cause);
		r->lost_by_cause[i] = shm_sum_cause(shm, role, SHM_FIELD(lost), cause);
	}
	for (int i = 0; i < CAUSE_COUNT; i++)
		r->accept_errors_by_cause[i] =
			shm_sum_cause(shm, ROLE_SERVER, SHM_FIELD(accept_errors), (enum cause)i);
	if (x->kind == RUN_LAB) { /* else the queues are another machine's, or others' too */
		name_overflows(r, r->failed_by_cause, &left);
		name_overflows(r, r->retried_by_cause, &left);
		name_overflows(r, r->lost_by_cause, &left);
	}
	for (uint32_t i = 0; i < shm->worker_count; i++) {
		const struct shm_worker *w = &shm->workers[i];

		r->workers_died += w->died ? 1 : 0;
		if (w->died && w->role == role) {
			r->lost_by_cause[CAUSE_WORKER_DIED] += w->open;
			if (role == ROLE_CLIENT)
				r->not_tried += died_untried(x, w);
		}
	}
	for (int i = 0; i < CAUSE_COUNT; i++) {
		r->failed += r->failed_by_cause[i];
		r->retried += r->retried_by_cause[i];
		r->lost += r->lost_by_cause[i];
		r->accept_errors += r->accept_errors_by_cause[i];
	}
	r->not_tried += shm_sum(shm, ROLE_CLIENT, SHM_FIELD(not_tried));
	if (x->kind == RUN_CONNECT)
		r->not_tried += x->asked - x->n;
}

/* Only a lab's servers and clients know each other's bits, or those of a server that was asked. */
static void fill_proof(struct result_proof *p, const struct experiment *x, const struct shm *shm,
                       unsigned int round)
{
	p->sent = shm_sum(shm, ROLE_CLIENT, SHM_FIELD(proof[round].sent));
	p->mismatched = shm_sum(shm, ROLE_CLIENT, SHM_FIELD(proof[round].mismatched));
	p->repeated = shm_sum(shm, ROLE_CLIENT, SHM_FIELD(proof[round].repeated));
	p->echoed = shm_proved(shm, ROLE_CLIENT, round);
	p->server_echoed = p->differing = RESULT_UNKNOWN;
	if (x->kind != RUN_LAB && !shm->result.server.has_look[round])
		return;
	p->server_echoed = shm_proved(shm, ROLE_SERVER, round);
	p->differing = shm_proof_difference(shm, round);
}

void verdict_note_connects(struct result *r, const struct shm *shm)
{
	static struct hist all;

	memset(&all, 0, sizeof(all));
	for (uint32_t i = 0; i < shm->worker_count; i++)
		hist_merge(&all, &shm->workers[i].connect);
	if (all.count == 0)
		return;
	r->timing.connect_p50_ns = hist_quantile(&all, 0.5);
	r->timing.connect_p90_ns = hist_quantile(&all, 0.9);
	r->timing.connect_p99_ns = hist_quantile(&all, 0.99);
	r->timing.connect_p999_ns = hist_quantile(&all, 0.999);
	r->timing.connect_max_ns = all.max_ns;
}

/* The ramp is over with the last that it opened; what servers take in the hold is no part of it. */
static void fill_timing(struct result *r, const struct experiment *x, const struct shm *shm)
{
	enum role role = x->client_workers > 0 ? ROLE_CLIENT : ROLE_SERVER;
	uint64_t last_ns = shm->ramp_start_ns;
	uint64_t opened = shm_sum(shm, ROLE_CLIENT, SHM_FIELD(opened));
	uint64_t cpu_ns = 0;

	for (uint32_t i = 0; i < shm->worker_count; i++) {
		const struct shm_worker *w = &shm->workers[i];

		if (w->role == role && w->last_open_ns > last_ns)
			last_ns = w->last_open_ns;
		cpu_ns += w->cpu_ns;
	}
	r->timing.ramp_cpu_ns = cpu_ns;
	if (opened == 0)
		return;
	r->timing.ramp_ns = last_ns - shm->ramp_start_ns;
	if (r->timing.ramp_ns > 0)
		r->timing.rate_per_s =
			(uint64_t)((double)opened * NS_PER_S / (double)r->timing.ramp_ns);
	if (r->timing.connect_max_ns == RESULT_UNKNOWN)
		verdict_note_connects(r, shm);
}

static void fill_packets(struct result *r, const struct experiment *x, const struct shm *shm)
{
	r->has_packets = engine_is_utcp(x->clients);
	for (uint32_t i = 0; i < shm->worker_count; i++)
		packets_add(&r->packets, &shm->workers[i].packets);
}

static void set_word(char *to, size_t size, const char *word)
{
	struct text t;

	text_init(&t, to, size);
	text_add(&t, "%s", word);
}

static bool is_ipv6(const struct experiment *x)
{
	return (x->kind == RUN_SERVE ? x->listens[0].address : x->tuples.target).family == AF_INET6;
}

static void set_server(struct result *r, const struct tuple_plan *plan)
{
	char address[IP_TEXT_BYTES];
	struct text t;

	ip_format(&plan->target, address);
	text_init(&t, r->to, sizeof(r->to));
	text_add(&t, plan->target.family == AF_INET6 ? "[%s]:%u" : "%s:%u", address,
	         plan->target_port_low);
	if (plan->target_port_count > 1)
		text_add(&t, "-%u", plan->target_port_low + plan->target_port_count - 1);
}

void verdict_topology(struct result *r, const struct experiment *x)
{
	r->target = x->asked;
	if (x->shard.of > 0) {
		r->shard.number = x->shard.number;
		r->shard.of = x->shard.of;
		r->shard.connections = x->whole;
		r->shard.first = x->index_first;
		r->shard.count = x->asked;
	}
	set_word(r->role, sizeof(r->role), role_names[x->kind]);
	if (x->kind == RUN_CONNECT)
		set_server(r, &x->tuples);
	if (x->client_workers > 0)
		set_word(r->solution, sizeof(r->solution), solution_names[x->solution]);
	if (x->server_workers > 0)
		set_word(r->server_engine, sizeof(r->server_engine), engine_kind_name(x->engine));
	if (x->client_workers > 0)
		set_word(r->client_engine, sizeof(r->client_engine), engine_kind_name(x->clients));
	r->ipv6 = is_ipv6(x);
	r->source_ips = x->tuples.source_count;
	r->server_ports = x->kind == RUN_SERVE ? x->listeners : x->tuples.target_port_count;
	r->server_workers = x->server_workers;
	r->client_workers = x->client_workers;
	r->has_proof = x->proof;
}

void verdict_set(struct result *r, enum verdict verdict, int exit_code, const char *reason)
{
	struct text t;

	r->verdict = verdict;
	r->exit_code = exit_code;
	text_init(&t, r->reason, sizeof(r->reason));
	text_add(&t, "%s", reason);
}

/* By the last stage: the time of all has what was drained between them in it. */
static bool was_held(const struct result *r, const struct experiment *x)
{
	uint32_t last = x->stage_count - 1;

	if (x->stage_count == 0)
		return r->timing.hold_ns >= x->hold_ns;
	return r->stage_count > last && r->stages[last].duration_ns >= x->stages[last].duration_ns;
}

/* An interrupt while it closes comes too late to matter. */
static bool is_interrupted(const struct result *r, const struct experiment *x,
                           const struct shm *shm)
{
	bool is_told = !r->server.has || r->server.has_look[1]; /* the server's last word */
	bool was_done = is_told && (r->has_proof ? r->proved.done : was_held(r, x));

	return shm->stop == STOP_INTERRUPTED && !was_done;
}

static void fail(struct result *r, int exit_code, const struct text *why)
{
	verdict_set(r, VERDICT_FAIL, exit_code, why->at);
}

/* Our own TCP knows what a socket cannot tell: whether anything came back at all. */
static void add_silence(struct text *t, const struct result *r)
{
	if (r->has_packets && r->packets.received == 0)
		text_add(t, "; not one packet came back: this host drops what comes from outside "
		            "(firewall rules, net.ipv4.conf.*.rp_filter), or routes the answers "
		            "elsewhere (ip rule)");
}

static void judge_incomplete(struct result *r, const struct experiment *x, const struct shm *shm,
                             struct text *t)
{
	if (r->workers_died > 0) {
		text_add(t, "%s", shm->error.text);
		fail(r, EXIT_FAILED, t);
	} else if (is_interrupted(r, x, shm)) {
		text_add(t, "interrupted with ");
		text_count(t, r->open_at_end);
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
		cause_list(t, r->failed_by_cause, "", "");
		text_add(t, ")");
		if (r->not_tried > 0) {
			text_add(t, "; ");
			text_count(t, r->not_tried);
			text_add(t, " were not tried");
		}
		add_silence(t, r);
		fail(r, EXIT_FAILED, t);
	}
}

/* What was opened again is not missing. */
static uint64_t missing(const struct result *r, const struct experiment *x)
{
	if (!x->reconnect)
		return r->lost;
	uint64_t wanted = experiment_ramped(x) + r->staged - r->unstaged;

	return r->open_at_end < wanted ? wanted - r->open_at_end : 0;
}

/* Clients on a LAN are no sockets of this host's kernel, nor is the server: there is no count that
 * it could be asked for, and the echo is the proof; the server's may be had from its API. */
static bool is_kernel_elsewhere(const struct result *r, const struct experiment *x)
{
	return x->is_on_lan && r->established.kernel == RESULT_UNKNOWN;
}

static bool do_counts_agree(const struct result *r, const struct experiment *x)
{
	uint64_t wanted = experiment_ramped(x);

	return r->established.client == wanted &&
	       (r->established.kernel == wanted || is_kernel_elsewhere(r, x)) &&
	       (x->kind != RUN_LAB || r->established.server == wanted);
}

static const char *disagreement(const struct result *r)
{
	return r->established.kernel == RESULT_UNKNOWN
	               ? "the kernel's count cannot be had (sock_diag): not proved"
	               : "the counts do not agree";
}

static bool is_proved(const struct result_proof *p, uint64_t open)
{
	return p->done && p->echoed == open && p->mismatched == 0 &&
	       (p->differing == RESULT_UNKNOWN || p->differing == 0);
}

/* Where what is lost is opened again, only the second proof is of all: in the first some may be
 * missing, or be lost as soon as they were proved. */
static bool are_both_proved(const struct result *r, const struct experiment *x)
{
	uint64_t first = x->reconnect ? r->proved_ramp.echoed : r->established.client;

	return is_proved(&r->proved_ramp, first) && is_proved(&r->proved, r->open_at_end);
}

/* The first stage that had not as many open at its end as it wanted, where nothing else would make
 * that so; NULL: there is none. */
static const struct result_stage *find_short(const struct result *r, const struct experiment *x,
                                             uint64_t *wanted)
{
	for (uint32_t i = 0; i < r->stage_count; i++) {
		const struct stage *stage = &x->stages[i];

		*wanted = stage->connections < x->n ? stage->connections : x->n;
		if (stage->connections > 0 && stage->churn_per_s == 0 && stage->storm_parts == 0 &&
		    r->stages[i].open_after != *wanted)
			return &r->stages[i];
	}
	return NULL;
}

static void judge_short(struct result *r, const struct result_stage *stage, uint64_t wanted,
                        struct text *t)
{
	text_add(t, "stage %s ended with ", stage->name);
	text_count(t, stage->open_after);
	text_add(t, " open, not ");
	text_count(t, wanted);
	text_add(t, ": it takes more time (for)");
	fail(r, EXIT_FAILED, t);
}

/* "; 198.18.0.3 is no longer this host's address". */
static void add_source_gone(struct text *t, const struct result *r, const struct experiment *x)
{
	if (r->source_gone[0] != '\0')
		text_add(t,
		         x->is_on_lan ? "; another host of the LAN has taken %s"
		                      : "; %s is no longer this host's address",
		         r->source_gone);
}

static void judge_lost(struct result *r, const struct experiment *x, struct text *t)
{
	text_count(t, r->lost);
	text_add(t, " connections were lost (");
	cause_list(t, r->lost_by_cause, "", "");
	text_add(t, ")");
	if (x->reconnect) {
		text_add(t, ", and ");
		text_count(t, missing(r, x));
		text_add(t, " are not open again");
	}
	add_source_gone(t, r, x);
	fail(r, r->has_proof ? EXIT_UNPROVED : EXIT_FAILED, t);
}

/* What was said in all stages: "; 1,512,034 messages answered, 12 of them late". */
static void add_messages(struct text *t, const struct result *r)
{
	static struct result_sum sum;

	result_sum(r, &sum);
	const struct result_traffic *traffic = &sum.all.traffic;

	if (!sum.all.has_traffic)
		return;
	text_add(t, "; ");
	text_count(t, result_answered(traffic));
	text_add(t, " message%s %s", result_answered(traffic) == 1 ? "" : "s",
	         traffic->kind == TRAFFIC_PUSH ? "heard" : "answered");
	if (traffic->answers[ANSWER_LATE] > 0) {
		text_add(t, ", ");
		text_count(t, traffic->answers[ANSWER_LATE]);
		text_add(t, " of them late");
	}
}

/* All that fit are there; where that is less than was asked for, the wall is the reason. */
static void judge_whole(struct result *r, const struct experiment *x, struct text *t)
{
	text_count(t, r->established.client);
	text_add(t, " connection%s ", r->established.client == 1 ? "" : "s");
	if (r->has_proof && r->staged + r->unstaged > 0) {
		text_add(t, "established and proved, ");
		text_count(t, r->open_at_end);
		text_add(t, " open at the end proved again");
	} else {
		text_add(t, r->has_proof ? "established, proved, held and proved again"
		                         : "established and held; not proved, as nobody echoes");
	}
	if (r->reconnected > 0) {
		text_add(t, "; ");
		text_count(t, r->reconnected);
		text_add(t, " time%s one was opened again after it was lost",
		         r->reconnected == 1 ? "" : "s");
	}
	add_messages(t, r);
	if (is_kernel_elsewhere(r, x) && !r->server.has)
		text_add(t, "; the server's kernel was not asked");
	if (x->n < x->asked) {
		text_add(t, "; no more fit: %s", x->wall);
		verdict_set(r, VERDICT_PARTIAL, EXIT_FAILED, t->at);
	} else {
		verdict_set(r, VERDICT_PASS, EXIT_PASS, t->at);
	}
}

/* False with `why`: a server on another host has not said all, or something else than we do. */
static bool does_server_agree(const struct result *r, const struct experiment *x, struct text *why)
{
	if (!r->server.has)
		return true;
	if (reconcile_is_known(r))
		return x->reconnect || reconcile_agrees(r, experiment_ramped(x), why);
	text_add(why, "the server's counts are not known: %s: %s", r->server.api,
	         r->server.unknown[0] != '\0' ? r->server.unknown : "it was not asked in time");
	return false;
}

/* What differs by index stands at the end of the reason. */
static void add_differing(struct result *r)
{
	char reason[sizeof(r->reason)];
	struct text t;

	if (r->verdict != VERDICT_FAIL || r->server.differing_count == 0)
		return;
	text_init(&t, reason, sizeof(reason));
	text_add(&t, "%s", r->reason);
	reconcile_add(r, &t);
	fail(r, r->exit_code, &t);
}

/* To find where a box ends is what it is there for: what got through is proved. A threshold that is
 * missed, or counts that differ, are no end of a box. */
static void allow_for_box(struct result *r, const struct experiment *x)
{
	if (x->via.box.kind == VIA_NONE || r->verdict != VERDICT_FAIL || r->workers_died > 0 ||
	    r->established.client == 0 || r->failed + r->lost == 0 || !are_both_proved(r, x))
		return;
	r->verdict = VERDICT_PARTIAL;
	r->exit_code = EXIT_FAILED;
}

static void judge_clients(struct result *r, const struct experiment *x, const struct shm *shm)
{
	char reason[sizeof(r->reason)];
	const struct result_stage *stage;
	uint64_t wanted;
	struct text t;

	text_init(&t, reason, sizeof(reason));
	if (r->workers_died > 0 || is_interrupted(r, x, shm) || shm->stop == STOP_MEMORY ||
	    r->failed > 0)
		judge_incomplete(r, x, shm, &t);
	else if (missing(r, x) > 0)
		judge_lost(r, x, &t);
	else if (!x->reconnect && (stage = find_short(r, x, &wanted)))
		judge_short(r, stage, wanted, &t);
	else if (!x->reconnect && !do_counts_agree(r, x))
		verdict_set(r, VERDICT_FAIL, EXIT_FAILED, disagreement(r));
	else if (does_server_agree(r, x, &t) && r->has_proof && !are_both_proved(r, x))
		verdict_set(r, VERDICT_FAIL, EXIT_UNPROVED,
		            "server and client do not agree on which connections were proved");
	else if (t.len > 0 || !threshold_is_met(x, r, missing(r, x), &t))
		fail(r, EXIT_UNPROVED, &t);
	else
		judge_whole(r, x, &t);
	add_differing(r);
	allow_for_box(r, x);
}

/* A server does its part when it is there until it is told to end. */
static void judge_server(struct result *r, const struct experiment *x, const struct shm *shm)
{
	char reason[sizeof(r->reason)];
	struct text t;

	text_init(&t, reason, sizeof(reason));
	if (r->workers_died > 0) {
		text_add(&t, "%s", shm->error.text);
		fail(r, EXIT_FAILED, &t);
		return;
	}
	text_add(&t, "served ");
	text_count(&t, r->served.accepted);
	text_add(&t, " connections, up to ");
	text_count(&t, r->served.peak_open);
	text_add(&t, " at once");
	/* To be as full as it was asked to be is no failure. */
	if (!shm->was_short && (!shm->was_full || x->n == x->asked)) {
		verdict_set(r, VERDICT_PASS, EXIT_PASS, t.at);
		return;
	}
	text_add(&t, "; it had to stop accepting: %s", shm->was_short ? "memory" : x->wall);
	verdict_set(r, VERDICT_PARTIAL, EXIT_FAILED, t.at);
}

static void fill_served(struct result *r, const struct shm *shm)
{
	r->served.accepted = shm_sum(shm, ROLE_SERVER, SHM_FIELD(opened));
	r->served.peak_open = shm->peak_open;
	r->served.closed = shm_sum(shm, ROLE_SERVER, SHM_FIELD(closed));
	r->served.received_bytes = shm_sum(shm, ROLE_SERVER, SHM_FIELD(received_bytes));
	for (int round = 0; round < TOKEN_ROUNDS; round++)
		r->served.tokens += shm_sum(shm, ROLE_SERVER, SHM_FIELD(proof[round].echoed));
}

void verdict_fill(const struct experiment *x, struct shm *shm)
{
	struct result *r = &shm->result;

	verdict_topology(r, x);
	fill_causes(r, x, shm);
	fill_proof(&r->proved_ramp, x, shm, 0);
	fill_proof(&r->proved, x, shm, 1);
	if (r->server.has)
		reconcile_fill(x, shm, r);
	fill_timing(r, x, shm);
	fill_served(r, shm);
	fill_packets(r, x, shm);
	r->reconnected = shm_sum(shm, ROLE_CLIENT, SHM_FIELD(reconnected));
	r->ramped = experiment_ramped(x);
	r->staged = shm_sum(shm, ROLE_CLIENT, SHM_FIELD(staged));
	r->unstaged = shm_sum(shm, ROLE_CLIENT, SHM_FIELD(unstaged));
	r->received_bytes = shm_sum(shm, ROLE_CLIENT, SHM_FIELD(received_bytes));
	if (x->kind == RUN_SERVE)
		judge_server(r, x, shm);
	else
		judge_clients(r, x, shm);
}
