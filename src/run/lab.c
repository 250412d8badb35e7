/* lab: the supervisor. It stays outside the namespaces, so that it can see the host and be seen by
 * its user: it decides, forks the director, shows what shared memory says, passes interrupts on,
 * and draws the result when the director has ended. It holds no connection and no state that its
 * death could leave behind: a pipe that ends with it tells the others to close and end
 * (kernel/netns.h). */
#include "run/lab.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/text.h"
#include "engine/uring.h"
#include "kernel/limits.h"
#include "kernel/netns.h"
#include "run/director.h"
#include "run/prepare.h"
#include "run/sample.h"
#include "run/verdict.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIVE_EVERY_NS (200 * NS_PER_MS)
#define QUIET_NS      (20 * NS_PER_S)
#define HASH_LEAST    16384

struct lab {
	const struct lab_options *options;
	const struct lab_view *view;
	struct experiment *experiment; /* mapped: its port tables are large */
	struct sample *baseline;
	struct shm *shm;
	enum netns_kind kind;
	int lifeline[2];
	int interrupts;
	uint64_t rate_at_ns, rate_from; /* of the live line: when, and from which count */
	uint64_t rate_per_s;
	enum phase rate_phase;
};

static const char *const kind_names[] = {
	[NETNS_HOST] = "host",
	[NETNS_ROOT] = "netns",
	[NETNS_USER] = "user+netns",
};

static void say(const struct lab *lab, const char *line)
{
	if (lab->view && lab->view->say)
		lab->view->say(lab->view->context, line);
}

/* --- the live line ------------------------------------------------------------------------ */

static const char *phase_name(enum phase phase)
{
	switch (phase) {
	case PHASE_RAMP:
		return "ramp";
	case PHASE_PROVE:
	case PHASE_PROVE_AGAIN:
		return "proof";
	case PHASE_HOLD:
		return "hold";
	case PHASE_CLOSE:
	case PHASE_END:
		return "close";
	default:
		return "start";
	}
}

static uint64_t progress_of(const struct shm *shm, enum phase phase)
{
	switch (phase) {
	case PHASE_PROVE:
		return shm_sum(shm, ROLE_CLIENT, SHM_FIELD(proof[0].echoed));
	case PHASE_PROVE_AGAIN:
		return shm_sum(shm, ROLE_CLIENT, SHM_FIELD(proof[1].echoed));
	default:
		return shm_open(shm, ROLE_CLIENT);
	}
}

/* A rate over the last half second, so that it is steady and still true. */
static void update_rate(struct lab *lab, enum phase phase, uint64_t count, uint64_t now_ns)
{
	if (phase != lab->rate_phase) {
		lab->rate_phase = phase;
		lab->rate_at_ns = now_ns;
		lab->rate_from = phase == PHASE_RAMP ? 0 : count;
		lab->rate_per_s = 0;
	} else if (now_ns - lab->rate_at_ns >= NS_PER_S / 2) {
		uint64_t done = count > lab->rate_from ? count - lab->rate_from : 0;

		lab->rate_per_s = done * NS_PER_S / (now_ns - lab->rate_at_ns);
		lab->rate_at_ns = now_ns;
		lab->rate_from = count;
	}
}

static uint64_t eta_ns(const struct lab *lab, const struct live *live, enum phase phase,
                       uint64_t now_ns)
{
	uint64_t end_ns = shm_get(lab->shm->hold_start_ns) + lab->options->hold_ns;

	if (phase == PHASE_HOLD)
		return end_ns > now_ns ? end_ns - now_ns : 0;
	if (lab->rate_per_s == 0 || live->opened >= live->target)
		return UINT64_MAX;
	return (live->target - live->opened) * NS_PER_S / lab->rate_per_s;
}

static void show_live(struct lab *lab)
{
	const struct shm *shm = lab->shm;
	enum phase phase = shm_get(shm->phase);
	uint64_t now_ns = clock_now_ns();
	struct live live = {
		.phase = phase_name(phase),
		.target = lab->options->n,
		.opened = progress_of(shm, phase),
		.kernel_bytes_per_connection = shm_get(shm->live.kernel_bytes_per_connection),
		.memory_left_bytes = shm_get(shm->live.memory_left_bytes),
	};

	if (!lab->view || !lab->view->live || phase < PHASE_RAMP)
		return;
	for (int i = 0; i < CAUSE_COUNT; i++) {
		enum cause cause = (enum cause)i;

		live.failed_by_cause[i] = shm_sum_cause(shm, ROLE_CLIENT, SHM_FIELD(failed),
		                                        cause) +
		                          shm_sum_cause(shm, ROLE_CLIENT, SHM_FIELD(lost), cause);
		live.failed += live.failed_by_cause[i];
	}
	update_rate(lab, phase, live.opened, now_ns);
	live.rate_per_s = lab->rate_per_s;
	live.eta_ns = eta_ns(lab, &live, phase, now_ns);
	lab->view->live(lab->view->context, &live);
}

/* --- inside the namespaces ---------------------------------------------------------------- */

static int inside(void *arg)
{
	struct lab *lab = arg;
	const struct director_brief brief = {
		.experiment = lab->experiment,
		.shm = lab->shm,
		.baseline = lab->baseline,
		.lifeline = lab->lifeline[0],
	};

	if (prepare_network(lab->experiment, &lab->shm->error) != 0)
		return EXIT_REFUSED;
	return director_run(&brief);
}

/* --- the supervisor ----------------------------------------------------------------------- */

static void interrupt(struct lab *lab, pid_t child)
{
	lab->interrupts++;
	if (lab->interrupts > 1) {
		kill(child, SIGKILL); /* and with it all that it started */
		return;
	}
	say(lab, "interrupted: closing in order (interrupt again to abort)");
	(void)!write(lab->lifeline[1], "i", 1);
}

/* Shows the run until its process has ended. Returns its wait status. */
static int supervise(struct lab *lab, pid_t child, const sigset_t *signals)
{
	const struct timespec pause = {.tv_nsec = LIVE_EVERY_NS};
	int status = 0;

	for (;;) {
		int sig = sigtimedwait(signals, NULL, &pause);

		if (sig == SIGINT || sig == SIGTERM || sig == SIGHUP)
			interrupt(lab, child);
		if (waitpid(child, &status, WNOHANG) == child)
			return status;
		show_live(lab);
	}
}

static void describe_host(struct result *r, const struct limits *limits,
                          const struct probe_meminfo *memory)
{
	struct utsname names;
	struct text t;

	text_init(&t, r->host.kernel, sizeof(r->host.kernel));
	if (uname(&names) == 0)
		text_add(&t, "%s", names.release);
	r->host.cpus = limits->cpus;
	r->host.memory_bytes = memory->total_bytes;
	r->host.nofile_hard = limits->nofile_hard;
}

/* The run's process is gone: what it left is the result, or why there is none. */
static int conclude(struct lab *lab, int status, struct result *r)
{
	if (lab->interrupts > 1) {
		verdict_set(r, VERDICT_PARTIAL, EXIT_INTERRUPTED, "aborted by a second interrupt");
	} else if (lab->shm->has_result) {
		struct result said = lab->shm->result;

		memcpy(&said.host, &r->host, sizeof(said.host));
		memcpy(said.network, r->network, sizeof(said.network));
		*r = said;
	} else if (lab->shm->error.text[0] != '\0' && lab->shm->phase >= PHASE_RAMP) {
		verdict_set(r, VERDICT_FAIL, EXIT_FAILED, lab->shm->error.text);
	} else if (lab->shm->error.text[0] != '\0') {
		verdict_set(r, VERDICT_REFUSED, EXIT_REFUSED, lab->shm->error.text);
	} else {
		char reason[192];
		struct text t;

		text_init(&t, reason, sizeof(reason));
		text_add(&t,
		         "the process that led the run was ended by signal %d: by somebody, "
		         "or by the OOM killer (see the kernel's log)",
		         WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status) - 128);
		verdict_set(r, VERDICT_FAIL, EXIT_FAILED, reason);
	}
	return r->exit_code;
}

static int refuse(struct result *r, int exit_code, const struct err *err)
{
	verdict_set(r, VERDICT_REFUSED, exit_code, err->text);
	return exit_code;
}

static void block_signals(sigset_t *signals, sigset_t *before)
{
	sigemptyset(signals);
	sigaddset(signals, SIGINT);
	sigaddset(signals, SIGTERM);
	sigaddset(signals, SIGHUP);
	sigaddset(signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, signals, before);
	signal(SIGPIPE, SIG_IGN); /* the other end of the lifeline may be gone */
}

/* An interrupt that came after the run had ended must not end us before the result is told. */
static void restore_signals(const sigset_t *signals, const sigset_t *before)
{
	const struct timespec at_once = {0};

	while (sigtimedwait(signals, NULL, &at_once) > 0)
		;
	sigprocmask(SIG_SETMASK, before, NULL);
	signal(SIGPIPE, SIG_DFL);
}

static int spawn_and_supervise(struct lab *lab, struct result *r)
{
	struct err err = {""};
	sigset_t signals, before;
	uint64_t hash = 2 * lab->options->n;

	if (pipe2(lab->lifeline, O_CLOEXEC) != 0) {
		err_set(&err, -errno, "cannot make a pipe: %s", strerror(errno));
		return refuse(r, EXIT_REFUSED, &err);
	}
	block_signals(&signals, &before);
	const struct netns_child inner = {
		.kind = lab->kind,
		.hash_entries = hash > HASH_LEAST ? hash : HASH_LEAST,
		.lifeline = lab->lifeline,
		.inside = inside,
		.arg = lab,
		.err = &lab->shm->error,
	};
	pid_t child = netns_spawn(&inner);
	int status = 0;

	if (child > 0) {
		close(lab->lifeline[0]);
		status = supervise(lab, child, &signals);
	} else {
		close(lab->lifeline[0]);
		err_set(&lab->shm->error, child, "cannot fork: %s", strerror(-child));
	}
	close(lab->lifeline[1]);
	restore_signals(&signals, &before);
	return conclude(lab, status, r);
}

static void choose_kind(struct lab *lab)
{
	struct err why = {""};
	char line[640];
	struct text t;

	lab->kind = lab->options->no_netns ? NETNS_HOST : netns_probe(&why);
	if (lab->kind != NETNS_HOST || lab->options->no_netns)
		return;
	text_init(&t, line, sizeof(line));
	text_add(&t, "%s: running on the host's network, %s, with its settings as they are",
	         why.text[0] ? why.text : "private namespaces are not available",
	         lab->options->ipv6 ? "::1" : "127.0.0.0/8");
	say(lab, line);
}

static int set_up(struct lab *lab, struct result *r, struct err *err)
{
	struct limits limits;
	int failed = uring_probe(err);

	if (failed != 0)
		return failed;
	limits_read(&limits);
	sample_wait_quiet(QUIET_NS);
	sample_take(lab->baseline);
	describe_host(r, &limits, &lab->baseline->memory);
	failed = prepare_experiment(lab->options, lab->kind, &limits, &lab->baseline->memory,
	                            lab->experiment, err);
	verdict_topology(r, lab->experiment);
	if (failed != 0)
		return failed;
	lab->shm = shm_make(lab->options->n);
	if (!lab->shm)
		return err_set(err, -ENOMEM, "no memory for the shared counters");
	result_init(&lab->shm->result);
	if (getrandom(&lab->shm->key, sizeof(lab->shm->key), 0) < 0)
		lab->shm->key = clock_now_ns();
	prepare_workers(lab->experiment, lab->shm);
	return 0;
}

int lab_run(const struct lab_options *options, const struct lab_view *view, struct result *result)
{
	struct err err = {""};
	struct lab lab = {
		.options = options,
		.view = view,
		.experiment = map_private(sizeof(*lab.experiment)),
		.baseline = map_private(sizeof(*lab.baseline)),
	};
	struct text t;
	int code;

	result_init(result);
	result->target = options->n;
	if (!lab.experiment || !lab.baseline) {
		err_set(&err, -ENOMEM, "no memory to plan the run");
		return refuse(result, EXIT_REFUSED, &err);
	}
	choose_kind(&lab);
	text_init(&t, result->network, sizeof(result->network));
	text_add(&t, "%s", kind_names[lab.kind]);
	code = set_up(&lab, result, &err);
	if (code == 0)
		code = spawn_and_supervise(&lab, result);
	else
		code = refuse(result, code == -EINVAL ? EXIT_USAGE : EXIT_REFUSED, &err);
	if (lab.shm)
		map_drop(lab.shm, lab.shm->total_bytes);
	map_drop(lab.experiment, sizeof(*lab.experiment));
	map_drop(lab.baseline, sizeof(*lab.baseline));
	return code;
}
