/* director: phases, and what is watched while they last.
 *
 *   start        servers listen, clients have their tables
 *   ramp         clients connect            ends: all tried, or the guard or an interrupt stops it
 *   prove        every connection echoes    the three counts and the bill are taken after it
 *   hold         nothing is sent            ends by time or interrupt
 *   prove again  every connection echoes
 *   close        each end closes its own  ends when the kernel has no socket of the run any more
 *
 * A server alone has no proofs: its ramp is whoever comes, until it is told to end. Clients alone
 * prove where their server echoes. In a namespace each end drops its own without a word to the
 * other, which takes half the time of a RST for each.
 *
 * In every phase the director sleeps until a worker rings, the supervisor says something, or a tick
 * is over; each tick it reaps workers that died, and samples memory. A whole sample is taken before
 * each phase, each second of it, and after the last one. */
#include "run/director.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/text.h"
#include "kernel/cgroup.h"
#include "kernel/probe.h"
#include "run/account.h"
#include "run/census.h"
#include "run/crew.h"
#include "run/ends.h"
#include "run/guard.h"
#include "run/outages.h"
#include "run/reconcile.h"
#include "run/stages.h"
#include "run/start.h"
#include "run/survey.h"
#include "run/verdict.h"
#include "run/via.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define TICK_NS         (100 * NS_PER_MS)
#define LOOK_MOST_NS    NS_PER_S /* between two looks at workers */
#define SAMPLE_NS       NS_PER_S
#define ACCEPT_QUIET_NS (500 * NS_PER_MS)
#define RETURN_NS       (100 * NS_PER_MS)
#define GONE_NS         (60 * NS_PER_S)
#define STILL_NS        NS_PER_S
#define END_MOST_NS     NS_PER_S
#define STAGE_END_NS    (2 * NS_PER_S) /* beyond a time-out */

struct director {
	const struct experiment *x;
	struct shm *shm;
	const struct director_brief *brief;
	struct crew crew;
	uint64_t next_tick_ns, next_sample_ns;
	uint64_t close_start_ns;
	struct sample now;
	uint64_t listen_overflows_before;
	bool is_orphan;                      /* the supervisor is gone: close, and end */
	bool is_hold_over;                   /* by an interrupt that ends no more than it */
	uint64_t stood_open, stood_since_ns; /* a server's connections, and since when so many */
	bool is_billed;
	struct guard guard;
};

/* --- watching ----------------------------------------------------------------------------- */

static void stop_ramp(struct director *d, enum stop why)
{
	if (shm_get(d->shm->stop) != STOP_INTERRUPTED)
		shm_set(d->shm->stop, why);
	crew_ring(&d->crew);
}

static bool is_interrupted(const struct director *d)
{
	return shm_get(d->shm->stop) == STOP_INTERRUPTED;
}

static uint64_t memory_left_bytes(struct director *d)
{
	uint64_t left = probe_memory_left_bytes(&d->now.memory);
	uint64_t cgroup = cgroup_memory_left_bytes();

	return cgroup < left ? cgroup : left;
}

static uint64_t open_now(const struct director *d)
{
	return shm_open(d->shm, d->x->kind == RUN_SERVE ? ROLE_SERVER : ROLE_CLIENT);
}

/* Slabs of connections that are closed go later than these: what each takes is told until then. */
static void watch_memory(struct director *d)
{
	bool is_closing = shm_get(d->shm->phase) >= PHASE_CLOSE_CLIENTS;
	uint64_t open = open_now(d);

	if (probe_read_meminfo(&d->now.memory) != 0)
		return;
	shm_set(d->shm->live.memory_left_bytes, memory_left_bytes(d));
	if (open > 0 && !is_closing) {
		int64_t slabs =
			(int64_t)(d->now.memory.slab_bytes - d->brief->baseline->memory.slab_bytes);

		shm_set(d->shm->live.kernel_bytes_per_connection,
		        slabs > 0 ? (uint64_t)slabs / open : 0);
	}
}

/* --- what it costs ------------------------------------------------------------------------ */

/* Workers answer after a turn of their own: by then the kernel has what they had queued, such as
 * the last closes of a proof, and its count is theirs. */
static void measure(struct director *d)
{
	struct result *r = &d->shm->result;

	shm_count(d->shm->measure);
	crew_ring(&d->crew);
	int64_t server_bytes = crew_user_bytes(&d->crew, ROLE_SERVER);
	int64_t client_bytes = crew_user_bytes(&d->crew, ROLE_CLIENT);

	if (d->x->client_workers > 0)
		r->established.client = shm_open(d->shm, ROLE_CLIENT);
	if (d->x->server_workers > 0)
		r->established.server = shm_open(d->shm, ROLE_SERVER);
	r->established.kernel = census_count(d->x, CENSUS_ESTABLISHED);
	sampler_take(&d->now);
	const struct account_users users = {
		.connections = open_now(d),
		.server_bytes = server_bytes,
		.client_bytes = client_bytes,
	};

	shm_write_bill(d->shm, true);
	account_memory(d->brief->baseline, &d->now, d->brief->host, &users, &r->memory);
	shm_write_bill(d->shm, false);
}

/* A server's bill is of the most it held, once that has stood for a second. */
static void note_peak(struct director *d, uint64_t open)
{
	uint64_t now_ns = clock_now_ns();

	if (open > d->shm->peak_open) {
		shm_set(d->shm->peak_open, open);
		d->is_billed = false;
	}
	if (open != d->stood_open) {
		d->stood_open = open;
		d->stood_since_ns = now_ns;
	}
	if (d->is_billed || open == 0 || open < d->shm->peak_open ||
	    now_ns - d->stood_since_ns < STILL_NS)
		return;
	d->is_billed = true;
	measure(d);
}

/* Memory and room: see run/guard. */
static void guard(struct director *d)
{
	bool has_changed = false;

	if (guard_ends_ramp(d->x, d->shm))
		stop_ramp(d, STOP_MEMORY);
	if (d->x->kind == RUN_SERVE) {
		note_peak(d, shm_open(d->shm, ROLE_SERVER));
		has_changed = guard_accepting(&d->guard, d->x, d->shm);
	}
	if (has_changed)
		crew_ring(&d->crew);
}

/* What the run's network namespace says, and the host, for who watches the run: nobody watches a
 * measurement, and who is gone. The next one is a second later. */
static void take_sample(struct director *d, enum phase phase)
{
	uint32_t next = d->shm->samples + 1;
	struct sample *sample = &d->shm->sample[next % SHM_SAMPLES];
	const struct sample *before = &d->shm->sample[d->shm->samples % SHM_SAMPLES];
	uint64_t now_ns = clock_now_ns(), due_ns = d->next_sample_ns;
	bool is_due = due_ns <= now_ns && now_ns - due_ns < SAMPLE_NS;

	d->next_sample_ns = (is_due ? due_ns : now_ns) + SAMPLE_NS;
	if (d->x->is_measurement || d->is_orphan)
		return;
	sampler_take(sample);
	survey_sample(d->x, d->shm, phase, before, sample);
	survey_note_answers(d->shm, before, sample);
	stages_sample(d->x, d->shm, sample);
	__atomic_store_n(&d->shm->samples, next, __ATOMIC_RELEASE);
}

static void tick(struct director *d)
{
	watch_memory(d);
	guard(d);
	stages_look(d->x, d->shm);
	ends_tick(d->x, d->shm);
	outages_look(d->x, d->shm);
}

static void hear_supervisor(struct director *d)
{
	char said[16];
	ssize_t count = read(d->brief->lifeline, said, sizeof(said));

	if (count == 0)
		d->is_orphan = true; /* it is gone: nobody will read a result */
	if (count > 0 && d->x->interrupt_ends_hold && shm_get(d->shm->phase) == PHASE_HOLD)
		d->is_hold_over = true;
	else if (count >= 0)
		stop_ramp(d, STOP_INTERRUPTED);
}

/* Sleeps until something happens, at most to the next tick or sample or `end_ns`. */
static void watch(struct director *d, uint64_t end_ns)
{
	struct pollfd fds[2] = {{.fd = d->is_orphan ? -1 : d->brief->lifeline, .events = POLLIN},
	                        {.fd = d->crew.bells.director, .events = POLLIN}};
	uint64_t now = clock_now_ns();
	uint64_t until = d->next_tick_ns < end_ns ? d->next_tick_ns : end_ns;
	uint64_t rung;

	until = d->next_sample_ns < until ? d->next_sample_ns : until;
	if (until > now)
		poll(fds, 2, (int)((until - now) / NS_PER_MS) + 1);
	else
		poll(fds, 2, 0);
	if (fds[0].revents)
		hear_supervisor(d);
	if (fds[1].revents)
		(void)!read(d->crew.bells.director, &rung, sizeof(rung));
	crew_reap(&d->crew);
	if (clock_now_ns() >= d->next_sample_ns)
		take_sample(d, shm_get(d->shm->phase));
	if (clock_now_ns() >= d->next_tick_ns) {
		tick(d);
		d->next_tick_ns = clock_now_ns() + TICK_NS;
	}
}

/* How long nothing may happen before a worker counts as stuck: time-outs, and what closing takes.
 */
static uint64_t patience_ns(const struct director *d)
{
	return 60 * NS_PER_S + 2 * d->x->timeout_ns + d->x->n * 50000;
}

/* Since when nothing has happened. Time in which the director had no turn itself is none: then the
 * run was stopped (Ctrl-Z), or the machine had no time for its workers either. */
struct patience {
	uint64_t mark, looked_ns, still_ns;
};

static struct patience be_patient(const struct director *d)
{
	return (struct patience){.mark = crew_progress(&d->crew), .looked_ns = clock_now_ns()};
}

static bool is_stuck(const struct director *d, struct patience *p)
{
	uint64_t mark = crew_progress(&d->crew), now_ns = clock_now_ns();
	uint64_t passed_ns = now_ns - p->looked_ns;

	p->looked_ns = now_ns;
	p->still_ns += passed_ns < LOOK_MOST_NS ? passed_ns : LOOK_MOST_NS;
	if (mark != p->mark)
		p->still_ns = 0;
	p->mark = mark;
	return p->still_ns > patience_ns(d);
}

/* Who has done a phase lets the next one in. */
static void give_turns(struct director *d, enum phase phase)
{
	uint32_t turns = d->x->clients_at_once + crew_count_done(&d->crew, phase);

	if (turns == d->shm->turns)
		return;
	shm_set(d->shm->turns, turns);
	crew_ring(&d->crew);
}

static void wait_done(struct director *d, enum role role, enum phase phase)
{
	struct patience patience = be_patient(d);

	while (!crew_is_done(&d->crew, role, phase)) {
		give_turns(d, phase);
		watch(d, UINT64_MAX);
		if (is_stuck(d, &patience))
			crew_kill_stuck(&d->crew, role, phase);
	}
}

static void enter(struct director *d, enum phase phase)
{
	shm_set(d->shm->turns, d->x->clients_at_once);
	__atomic_store_n(&d->shm->phase, phase, __ATOMIC_RELEASE);
	crew_ring(&d->crew);
}

/* --- the phases --------------------------------------------------------------------------- */

/* Forks the workers of a role and waits until all are ready. */
static int start_workers(struct director *d, enum role role)
{
	int failed = crew_start(&d->crew, role);
	struct patience patience = be_patient(d);

	while (failed == 0 && !crew_is_done(&d->crew, role, PHASE_START) &&
	       !crew_has_dead(&d->crew)) {
		watch(d, UINT64_MAX);
		if (is_stuck(d, &patience))
			crew_kill_stuck(&d->crew, role, PHASE_START);
	}
	return failed == 0 && crew_has_dead(&d->crew) ? -ECHILD : failed;
}

/* Servers lag behind clients by their listen queues. */
static void wait_accepted(struct director *d)
{
	uint64_t quiet_since_ns = clock_now_ns();
	uint64_t last = 0;

	while (clock_now_ns() - quiet_since_ns < ACCEPT_QUIET_NS) {
		uint64_t accepted = shm_sum(d->shm, ROLE_SERVER, SHM_FIELD(opened));

		if (accepted >= shm_sum(d->shm, ROLE_CLIENT, SHM_FIELD(opened)))
			return;
		if (accepted != last)
			quiet_since_ns = clock_now_ns();
		last = accepted;
		watch(d, clock_now_ns() + NS_PER_MS);
	}
}

static uint64_t listen_overflows(void)
{
	struct probe_tcp tcp;

	memset(&tcp, 0xff, sizeof(tcp));
	return probe_read_tcp(&tcp) == 0 ? tcp.listen_overflows : PROBE_UNKNOWN;
}

/* Until so long before it. Each tick looks at the clock anew. */
static void wait_start(struct director *d, uint64_t before_ns)
{
	for (uint64_t left_ns; (left_ns = start_left_ns(d->x)) > before_ns && !is_interrupted(d);)
		watch(d, clock_now_ns() + left_ns - before_ns);
}

static void ramp(struct director *d)
{
	start_begin(d->x, d->shm);
	wait_start(d, TICK_NS);
	ends_open(d->x, d->shm); /* not what others do in the hours of --start-at */
	take_sample(d, PHASE_RAMP);
	d->listen_overflows_before = listen_overflows();
	wait_start(d, 0);
	d->shm->ramp_start_ns = clock_now_ns();
	d->shm->result.timing.started_unix_ns = clock_unix_ns();
	enter(d, PHASE_RAMP);
	wait_done(d, ROLE_CLIENT, PHASE_RAMP);
	if (d->x->server_workers > 0)
		wait_accepted(d);
}

/* A server's ramp is whoever comes, until it is told to end. */
static void serve(struct director *d)
{
	ends_open(d->x, d->shm);
	take_sample(d, PHASE_RAMP);
	d->listen_overflows_before = listen_overflows();
	d->shm->ramp_start_ns = clock_now_ns();
	d->shm->result.timing.started_unix_ns = clock_unix_ns();
	enter(d, PHASE_RAMP);
	while (!is_interrupted(d) && crew_lives(&d->crew))
		watch(d, UINT64_MAX);
	guard(d); /* for the peak */
}

static void prove(struct director *d, enum phase phase)
{
	struct result_proof *proof = phase == PHASE_PROVE ? &d->shm->result.proved_ramp
	                                                  : &d->shm->result.proved;

	take_sample(d, phase);
	uint64_t start_ns = clock_now_ns();

	enter(d, phase);
	wait_done(d, ROLE_CLIENT, phase);
	proof->done = shm_get(d->shm->stop) != STOP_INTERRUPTED;
	proof->duration_ns = clock_now_ns() - start_ns;
}

/* What the server on another host has to say. The hold waits for it, so that it is of connections
 * that rest; an interrupt does not. */
static void ask_server(struct director *d, unsigned int round)
{
	struct envoy *envoy = d->brief->envoy;

	if (!envoy || is_interrupted(d))
		return;
	uint64_t end_ns = clock_now_ns() + envoy_most_ns(envoy);

	envoy_ask(envoy, round);
	while (!envoy_has_answered(envoy) && clock_now_ns() < end_ns && !is_interrupted(d))
		watch(d, clock_now_ns() + 5 * NS_PER_MS);
	envoy_fill(envoy, &d->shm->result.server);
	reconcile_notice(d->x, d->shm, round);
}

/* Clients alone that have lost all, and open nothing again, would hold nothing. */
static bool has_to_hold(const struct director *d)
{
	return d->x->kind != RUN_CONNECT || d->x->reconnect || shm_holds_any(d->shm);
}

/* Whether the hold goes on. */
static bool may_go_on(const struct director *d, uint64_t end_ns)
{
	return clock_now_ns() < end_ns && !is_interrupted(d) && !d->is_hold_over && has_to_hold(d);
}

/* Clients end what is under way; one that does not is stuck, and the next phase finds it. */
static void end_stage(struct director *d, uint32_t number)
{
	uint64_t end_ns = clock_now_ns() + d->x->timeout_ns + STAGE_END_NS;

	shm_set(d->shm->stage_over, number);
	crew_ring(&d->crew);
	while (!crew_has_ended(&d->crew, number) && clock_now_ns() < end_ns)
		watch(d, clock_now_ns() + NS_PER_MS);
}

static void run_stage(struct director *d, uint32_t i)
{
	uint64_t start_ns = clock_now_ns(), for_ns = d->x->stages[i].duration_ns;
	uint64_t over_ns = for_ns == UINT64_MAX ? UINT64_MAX : start_ns + for_ns;

	if (i > 0) /* so that logs can be cut where stages meet */
		take_sample(d, PHASE_HOLD);
	stages_begin(d->x, d->shm, i, start_ns);
	outages_stage(d->shm);
	shm_set(d->shm->stage_start_ns, start_ns);
	__atomic_store_n(&d->shm->stage, i + 1, __ATOMIC_RELEASE);
	crew_ring(&d->crew);
	while (may_go_on(d, over_ns))
		watch(d, over_ns);
	uint64_t duration_ns = clock_now_ns() - start_ns;

	stages_over(d->shm);
	end_stage(d, i + 1);
	stages_end(d->x, d->shm, i, duration_ns);
}

static void hold(struct director *d)
{
	take_sample(d, PHASE_HOLD);
	uint64_t start_ns = clock_now_ns();

	shm_set(d->shm->hold_start_ns, start_ns);
	outages_begin(d->x, d->shm);
	shm_set(d->shm->live.held, open_now(d));
	verdict_note_connects(&d->shm->result, d->shm);
	enter(d, PHASE_HOLD);
	if (!d->is_orphan && !d->is_billed)
		measure(d);
	ends_ramped(d->x, d->shm);
	ask_server(d, 0);
	ends_heard(d->x, d->shm);
	for (uint32_t i = 0; i < d->x->stage_count && may_go_on(d, UINT64_MAX); i++)
		run_stage(d, i);
	outages_end(d->x, d->shm);
	d->shm->result.timing.hold_ns = clock_now_ns() - start_ns;
}

/* Until they are gone, or have not become fewer for a while: then the time it took is unknown. */
static void wait_gone(struct director *d)
{
	uint64_t fewest = UINT64_MAX, fewer_ns = 0, left;

	while ((left = census_left(d->x)) > 0) {
		uint64_t passed_ns = clock_now_ns() - d->close_start_ns;

		if (left < fewest) {
			fewest = left;
			fewer_ns = passed_ns;
		}
		if (passed_ns > GONE_NS || passed_ns - fewer_ns > STILL_NS)
			return;
		watch(d, clock_now_ns() + 10 * NS_PER_MS);
	}
	d->shm->result.timing.teardown_ns = clock_now_ns() - d->close_start_ns;
}

/* What the cgroup gets back when clients alone are gone. Some of it comes late, by RCU. */
static void measure_clients(struct director *d)
{
	uint64_t before = d->now.cgroup_left_bytes, left = before, last, start_ns = clock_now_ns();

	enter(d, PHASE_CLOSE_CLIENTS);
	wait_done(d, ROLE_CLIENT, PHASE_CLOSE_CLIENTS);
	if (before >= LIMITS_UNKNOWN)
		return;
	do {
		last = left;
		watch(d, clock_now_ns() + RETURN_NS);
		left = cgroup_memory_left_bytes();
	} while (left != last && clock_now_ns() - start_ns < GONE_NS);
	d->shm->result.memory.cgroup_client_bytes = (int64_t)(left - before);
}

static void close_all(struct director *d)
{
	take_sample(d, PHASE_CLOSE);
	d->close_start_ns = clock_now_ns();
	if (d->x->is_measurement && !d->is_orphan)
		measure_clients(d);
	enter(d, PHASE_CLOSE);
	wait_done(d, ROLE_CLIENT, PHASE_CLOSE);
	wait_done(d, ROLE_SERVER, PHASE_CLOSE);
	if (!d->is_orphan)
		wait_gone(d);
	if (d->brief->envoy)
		envoy_end(d->brief->envoy);
	enter(d, PHASE_END);
	wait_done(d, ROLE_CLIENT, PHASE_END);
	wait_done(d, ROLE_SERVER, PHASE_END);
	take_sample(d, PHASE_END);
}

static void run_phases(struct director *d)
{
	bool proves = d->x->proof && d->x->client_workers > 0;

	if (d->x->kind == RUN_SERVE)
		serve(d);
	else
		ramp(d);
	if (proves && !is_interrupted(d))
		prove(d, PHASE_PROVE);
	hold(d);
	if (proves && !is_interrupted(d))
		prove(d, PHASE_PROVE_AGAIN);
	ask_server(d, 1);
	d->shm->result.open_at_end = open_now(d);
	uint64_t overflows = listen_overflows();

	d->shm->result.listen_overflows =
		overflows == PROBE_UNKNOWN || d->listen_overflows_before == PROBE_UNKNOWN
			? RESULT_UNKNOWN
			: overflows - d->listen_overflows_before;
	if (d->x->via.box.kind != VIA_NONE)
		via_look(d->x, &d->shm->result.via);
	close_all(d);
}

int director_run(const struct director_brief *brief)
{
	static struct director d;

	d.x = brief->experiment;
	d.shm = brief->shm;
	d.brief = brief;
	d.now = *brief->baseline;
	int failed = crew_init(&d.crew, d.x, d.shm);

	if (failed != 0)
		err_set(&d.shm->error, failed, "no descriptors for the workers' bells");
	for (int role = 0; role < ROLE_COUNT && failed == 0; role++)
		failed = start_workers(&d, (enum role)role);
	if (failed != 0) {
		if (brief->envoy)
			envoy_end(brief->envoy);
		enter(&d, PHASE_END);
		crew_await_ends(END_MOST_NS); /* the server is told that there is no run */
		return EXIT_REFUSED;
	}
	run_phases(&d);
	verdict_fill(d.x, d.shm);
	__atomic_store_n(&d.shm->has_result, true, __ATOMIC_RELEASE);
	via_end(d.x);
	crew_await_ends(END_MOST_NS);
	return d.shm->result.exit_code;
}
