/* director: phases, and what is watched while they last.
 *
 *   start        servers listen, clients have their tables
 *   ramp         clients connect            ends: all tried, or the guard or an interrupt stops it
 *   prove        every connection echoes    the three counts and the bill are taken after it
 *   hold         nothing is sent            ends by time or interrupt
 *   prove again  every connection echoes
 *   close        in a namespace each end drops its own without a word to the other, which takes
 * half the time of a RST for each; on the host's network, whose other users may look on, both reset
 *
 * In every phase the director sleeps until a worker rings, the supervisor says something, or a tick
 * is over; each tick it reaps workers that died, and samples memory. */
#include "run/director.h"

#include "base/clock.h"
#include "kernel/diag.h"
#include "kernel/limits.h"
#include "run/verdict.h"
#include "run/worker.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define TICK_NS         (100 * NS_PER_MS)
#define ACCEPT_QUIET_NS (500 * NS_PER_MS)
#define GONE_NS         (60 * NS_PER_S)
#define STILL_NS        NS_PER_S

struct director {
	const struct experiment *x;
	struct shm *shm;
	const struct director_brief *brief;
	struct worker_bells bells;
	uint64_t next_tick_ns;
	uint64_t close_start_ns;
	struct sample now;
	uint64_t listen_overflows_before;
	bool is_orphan; /* the supervisor is gone: close, and end */
};

/* --- watching ----------------------------------------------------------------------------- */

static void note_death(struct director *d, struct shm_worker *w, int status)
{
	if (w->done == PHASE_END || (WIFEXITED(status) && WEXITSTATUS(status) == 0))
		return;
	shm_set(w->died, true);
	if (w->error.text[0] == '\0')
		err_set(&w->error, 0, "%s worker %u (%llu connections) ended by signal %d%s",
		        w->role == ROLE_SERVER ? "server" : "client", w->number,
		        (unsigned long long)w->open, WIFSIGNALED(status) ? WTERMSIG(status) : 0,
		        WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL
		                ? " (killed: by somebody, or by the OOM killer)"
		                : "");
	if (d->shm->error.text[0] == '\0')
		d->shm->error = w->error;
}

static void reap(struct director *d)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (uint32_t i = 0; i < d->shm->worker_count; i++) {
			if (d->shm->workers[i].pid == pid)
				note_death(d, &d->shm->workers[i], status);
		}
	}
}

static void stop_ramp(struct director *d, enum stop why)
{
	if (shm_get(d->shm->stop) != STOP_INTERRUPTED)
		shm_set(d->shm->stop, why);
	for (uint32_t i = 0; i < d->shm->worker_count; i++)
		worker_ring(d->bells.worker[i]);
}

static uint64_t memory_left_bytes(struct director *d)
{
	uint64_t left = probe_memory_left_bytes(&d->now.memory);
	uint64_t cgroup = limits_cgroup_left_bytes();

	return cgroup < left ? cgroup : left;
}

/* The guard: ends the ramp before memory does. */
static void watch_memory(struct director *d)
{
	uint64_t opened = shm_sum(d->shm, ROLE_CLIENT, SHM_FIELD(opened));

	if (probe_read_meminfo(&d->now.memory) != 0)
		return;
	uint64_t left = memory_left_bytes(d);

	shm_set(d->shm->live.memory_left_bytes, left);
	if (opened > 0) {
		int64_t slabs =
			(int64_t)(d->now.memory.slab_bytes - d->brief->baseline->memory.slab_bytes);

		shm_set(d->shm->live.kernel_bytes_per_connection,
		        slabs > 0 ? (uint64_t)slabs / opened : 0);
	}
	if (shm_get(d->shm->phase) == PHASE_RAMP && left < d->x->reserve_bytes &&
	    shm_get(d->shm->stop) == STOP_NONE)
		stop_ramp(d, STOP_MEMORY);
}

static void hear_supervisor(struct director *d)
{
	char said[16];
	ssize_t count = read(d->brief->lifeline, said, sizeof(said));

	if (count == 0)
		d->is_orphan = true; /* it is gone: nobody will read a result */
	if (count >= 0)
		stop_ramp(d, STOP_INTERRUPTED);
}

/* Sleeps until something happens, at most to the next tick or `end_ns`. */
static void watch(struct director *d, uint64_t end_ns)
{
	struct pollfd fds[2] = {{.fd = d->is_orphan ? -1 : d->brief->lifeline, .events = POLLIN},
	                        {.fd = d->bells.director, .events = POLLIN}};
	uint64_t now = clock_now_ns();
	uint64_t until = d->next_tick_ns < end_ns ? d->next_tick_ns : end_ns;
	uint64_t rung;

	if (until > now)
		poll(fds, 2, (int)((until - now) / NS_PER_MS) + 1);
	else
		poll(fds, 2, 0);
	if (fds[0].revents)
		hear_supervisor(d);
	if (fds[1].revents)
		(void)!read(d->bells.director, &rung, sizeof(rung));
	reap(d);
	if (clock_now_ns() >= d->next_tick_ns) {
		watch_memory(d);
		d->next_tick_ns = clock_now_ns() + TICK_NS;
	}
}

static bool is_done(const struct director *d, enum role role, enum phase phase)
{
	for (uint32_t i = 0; i < d->shm->worker_count; i++) {
		const struct shm_worker *w = &d->shm->workers[i];

		if (w->role == role && !w->died &&
		    __atomic_load_n(&w->done, __ATOMIC_ACQUIRE) < phase)
			return false;
	}
	return true;
}

/* A number that changes whenever any worker gets on with anything. */
static uint64_t progress_mark(const struct director *d)
{
	uint64_t mark = 0;

	for (uint32_t i = 0; i < d->shm->worker_count; i++) {
		const struct shm_worker *w = &d->shm->workers[i];

		mark += (uint64_t)w->done + shm_get(w->opened) - shm_get(w->open);
		for (int round = 0; round < TOKEN_ROUNDS; round++)
			mark += shm_get(w->proof[round].sent) + shm_get(w->proof[round].echoed);
		for (int cause = 0; cause < CAUSE_COUNT; cause++)
			mark += shm_get(w->failed[cause]) + shm_get(w->retried[cause]) +
			        shm_get(w->lost[cause]);
	}
	return mark;
}

/* How long nothing may happen before a worker counts as stuck: time-outs, and what closing takes.
 */
static uint64_t patience_ns(const struct director *d)
{
	return 60 * NS_PER_S + 2 * d->x->timeout_ns + d->x->n * 50000;
}

/* A worker that is stopped, or hangs in the kernel, must not hold up the run for ever. */
static void kill_stuck(struct director *d, enum role role, enum phase phase)
{
	for (uint32_t i = 0; i < d->shm->worker_count; i++) {
		struct shm_worker *w = &d->shm->workers[i];

		if (w->role == role && !w->died && w->done < phase)
			kill(w->pid, SIGKILL);
	}
}

static void wait_done(struct director *d, enum role role, enum phase phase)
{
	uint64_t mark = progress_mark(d), since_ns = clock_now_ns();

	while (!is_done(d, role, phase)) {
		watch(d, UINT64_MAX);
		uint64_t now_mark = progress_mark(d), now_ns = clock_now_ns();

		if (now_mark != mark)
			since_ns = now_ns;
		else if (now_ns - since_ns > patience_ns(d))
			kill_stuck(d, role, phase);
		mark = now_mark;
	}
}

static void enter(struct director *d, enum phase phase)
{
	__atomic_store_n(&d->shm->phase, phase, __ATOMIC_RELEASE);
	for (uint32_t i = 0; i < d->shm->worker_count; i++)
		worker_ring(d->bells.worker[i]);
}

/* --- the phases --------------------------------------------------------------------------- */

static bool has_dead(const struct director *d)
{
	for (uint32_t i = 0; i < d->shm->worker_count; i++) {
		if (d->shm->workers[i].died)
			return true;
	}
	return false;
}

/* Forks the workers of a role and waits until all are ready. */
static int start_workers(struct director *d, enum role role)
{
	for (uint32_t i = 0; i < d->shm->worker_count; i++) {
		struct shm_worker *w = &d->shm->workers[i];

		if (w->role != role)
			continue;
		w->pid = worker_start(d->x, d->shm, i, &d->bells);
		if (w->pid < 0)
			return err_set(&d->shm->error, w->pid,
			               "cannot start a worker: %s (see ulimit -u)",
			               strerror(-w->pid));
	}
	for (uint64_t end_ns = clock_now_ns() + patience_ns(d);
	     !is_done(d, role, PHASE_START) && !has_dead(d);) {
		watch(d, end_ns);
		if (clock_now_ns() >= end_ns)
			kill_stuck(d, role, PHASE_START);
	}
	return has_dead(d) ? -ECHILD : 0;
}

static int make_bells(struct director *d)
{
	d->bells.director = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (d->bells.director < 0)
		return -errno;
	for (uint32_t i = 0; i < d->shm->worker_count; i++) {
		d->bells.worker[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		if (d->bells.worker[i] < 0)
			return -errno;
	}
	return 0;
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

static void ramp(struct director *d)
{
	d->listen_overflows_before = listen_overflows();
	d->shm->ramp_start_ns = clock_now_ns();
	enter(d, PHASE_RAMP);
	wait_done(d, ROLE_CLIENT, PHASE_RAMP);
	wait_accepted(d);
}

static void prove(struct director *d, enum phase phase)
{
	uint64_t start_ns = clock_now_ns();
	struct result_proof *proof = phase == PHASE_PROVE ? &d->shm->result.proved_ramp
	                                                  : &d->shm->result.proved;

	enter(d, phase);
	wait_done(d, ROLE_CLIENT, phase);
	proof->done = shm_get(d->shm->stop) != STOP_INTERRUPTED;
	proof->duration_ns = clock_now_ns() - start_ns;
}

/* What the kernel says is established on the server's ports. */
static uint64_t count_established(const struct director *d)
{
	const struct tuple_plan *plan = &d->x->tuples;
	uint16_t high = (uint16_t)(plan->target_port_low + plan->target_port_count - 1);
	struct diag_counts counts;
	int failed = -EINTR;

	for (int tries = 0; failed == -EINTR && tries < 5; tries++)
		failed = diag_count(plan->target.family, plan->target_port_low, high,
		                    1U << TCP_ESTABLISHED, &counts);
	return failed == 0 ? counts.by_state[TCP_ESTABLISHED] : RESULT_UNKNOWN;
}

/* The worker measures when it enters the hold; give it time to. */
static uint64_t user_bytes_of(const struct shm_worker *w)
{
	for (int tries = 0; tries < 1000 && !w->died && shm_get(w->user_bytes) == 0; tries++)
		clock_sleep_ns(NS_PER_MS);
	return shm_get(w->user_bytes);
}

static int64_t sum_user_bytes(const struct director *d, enum role role)
{
	int64_t sum = 0;

	for (uint32_t i = 0; i < d->shm->worker_count; i++) {
		const struct shm_worker *w = &d->shm->workers[i];

		if (w->role != role || w->died)
			continue;
		uint64_t bytes = user_bytes_of(w);

		if (bytes == 0 || bytes == RESULT_UNKNOWN)
			return RESULT_UNKNOWN_BYTES;
		sum += (int64_t)bytes;
	}
	return sum;
}

static void measure(struct director *d)
{
	struct result *r = &d->shm->result;

	r->established.client = shm_open(d->shm, ROLE_CLIENT);
	r->established.server = shm_open(d->shm, ROLE_SERVER);
	r->established.kernel = count_established(d);
	sample_take(&d->now);
	sample_bill(d->brief->baseline, &d->now, r->established.client,
	            sum_user_bytes(d, ROLE_SERVER), sum_user_bytes(d, ROLE_CLIENT), &r->memory);
}

static void hold(struct director *d)
{
	uint64_t start_ns = clock_now_ns();
	uint64_t end_ns = start_ns + d->x->hold_ns;

	shm_set(d->shm->hold_start_ns, start_ns);
	enter(d, PHASE_HOLD);
	if (!d->is_orphan)
		measure(d);
	while (clock_now_ns() < end_ns && shm_get(d->shm->stop) != STOP_INTERRUPTED)
		watch(d, end_ns);
	d->shm->result.timing.hold_ns = clock_now_ns() - start_ns;
}

static uint64_t known(uint64_t value)
{
	return value == PROBE_UNKNOWN ? 0 : value;
}

/* How many sockets of this run the kernel still has. TIME_WAIT is none: it ends with the namespace.
 * The namespace's are counted exactly; the host's only as what there is beyond the baseline, which
 * others may add to. */
static uint64_t sockets_left(const struct director *d)
{
	struct probe_sockstat now;
	uint64_t baseline = known(d->brief->baseline->sockets.tcp_alloc);

	if (probe_read_sockstat(&now) != 0)
		return 0;
	if (d->x->has_netns)
		return known(now.tcp_inuse) + known(now.tcp6_inuse);
	return known(now.tcp_alloc) > baseline ? now.tcp_alloc - baseline : 0;
}

/* Until they are gone, or have not become fewer for a while: then the time it took is unknown. */
static void wait_gone(struct director *d)
{
	uint64_t fewest = UINT64_MAX, fewer_ns = 0, left;

	while ((left = sockets_left(d)) > 0) {
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

static void close_all(struct director *d)
{
	d->close_start_ns = clock_now_ns();
	enter(d, PHASE_CLOSE);
	wait_done(d, ROLE_CLIENT, PHASE_CLOSE);
	wait_done(d, ROLE_SERVER, PHASE_CLOSE);
	if (!d->is_orphan)
		wait_gone(d);
	enter(d, PHASE_END);
	wait_done(d, ROLE_CLIENT, PHASE_END);
	wait_done(d, ROLE_SERVER, PHASE_END);
}

static bool is_interrupted(const struct director *d)
{
	return shm_get(d->shm->stop) == STOP_INTERRUPTED;
}

static void run_phases(struct director *d)
{
	ramp(d);
	if (!is_interrupted(d))
		prove(d, PHASE_PROVE);
	hold(d);
	if (!is_interrupted(d))
		prove(d, PHASE_PROVE_AGAIN);
	uint64_t overflows = listen_overflows();

	d->shm->result.listen_overflows =
		overflows == PROBE_UNKNOWN || d->listen_overflows_before == PROBE_UNKNOWN
			? RESULT_UNKNOWN
			: overflows - d->listen_overflows_before;
	close_all(d);
}

int director_run(const struct director_brief *brief)
{
	static struct director d;

	d.x = brief->experiment;
	d.shm = brief->shm;
	d.brief = brief;
	d.now = *brief->baseline;
	int failed = make_bells(&d);

	if (failed != 0)
		err_set(&d.shm->error, failed, "no descriptors for the workers' bells");
	if (failed == 0)
		failed = start_workers(&d, ROLE_SERVER);
	if (failed == 0)
		failed = start_workers(&d, ROLE_CLIENT);
	if (failed != 0) {
		enter(&d, PHASE_END);
		return EXIT_REFUSED;
	}
	run_phases(&d);
	verdict_fill(d.x, d.shm);
	__atomic_store_n(&d.shm->has_result, true, __ATOMIC_RELEASE);
	return d.shm->result.exit_code;
}
