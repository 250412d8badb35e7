/* supervisor: it stays outside the namespaces, so that it can see the host and be seen by its user.
 * It holds no connection and no state that its death could leave behind: a pipe that ends with it
 * tells the others to close and end (kernel/netns.h). */
#include "run/supervisor.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/text.h"
#include "run/director.h"
#include "run/ends.h"
#include "run/verdict.h"
#include "run/workers.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHOW_EVERY_NS (200 * NS_PER_MS)
#define HASH_LEAST    16384
#define SAME_NS       (100 * NS_PER_MS)

void supervisor_say(const struct supervisor *s, const char *line)
{
	show_say(s->view, line);
}

void supervisor_tell_walls(const struct supervisor *s, const struct wall_report *walls)
{
	if (s->view && s->view->walls)
		s->view->walls(s->view->context, walls);
}

/* --- inside the namespaces ---------------------------------------------------------------- */

static int inside(void *arg)
{
	struct supervisor *s = arg;
	struct director_brief brief = {
		.experiment = s->experiment,
		.shm = s->shm,
		.baseline = s->baseline,
		.host = s->host,
		.lifeline = s->lifeline[0],
	};

	if (s->envoy && !(brief.envoy = envoy_start(s->envoy, s->experiment, s->shm, s->lifeline[0],
	                                            &s->shm->error)))
		return EXIT_REFUSED;
	if (s->prepare && s->prepare(s->experiment, s->shm, &s->shm->error) != 0)
		return EXIT_REFUSED;
	return director_run(&brief);
}

/* --- the supervisor ----------------------------------------------------------------------- */

static const char *what_interrupt_does(const struct supervisor *s)
{
	if (s->experiment->kind == RUN_SERVE)
		return "ending: closing in order (interrupt again to abort)";
	if (s->experiment->interrupt_ends_hold && shm_get(s->shm->phase) == PHASE_HOLD)
		return "the hold ends: what is open is closed in order (interrupt again to abort)";
	return "interrupted: closing in order (interrupt again to abort)";
}

/* One that comes at once after the first is the same: timeout(1) signals its child and then its
 * group, to which the child belongs. */
static void interrupt(struct supervisor *s, pid_t child)
{
	uint64_t now_ns = clock_now_ns();

	if (s->interrupts > 0 && now_ns - s->interrupted_ns < SAME_NS)
		return;
	s->interrupts++;
	s->interrupted_ns = now_ns;
	if (s->interrupts > 1) {
		kill(child, SIGKILL); /* and with it all that it started */
		return;
	}
	supervisor_say(s, what_interrupt_does(s));
	(void)!write(s->lifeline[1], "i", 1);
}

/* Shows the run until its process has ended. Returns its wait status. */
static int supervise(struct supervisor *s, pid_t child, const sigset_t *signals)
{
	const struct timespec pause = {.tv_nsec = SHOW_EVERY_NS};
	int status = 0;

	for (;;) {
		int sig = sigtimedwait(signals, NULL, &pause);

		if (sig == SIGINT || sig == SIGTERM || sig == SIGHUP)
			interrupt(s, child);
		bool has_ended = waitpid(child, &status, WNOHANG) == child;

		show_update(&s->show);
		if (has_ended)
			return status;
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
static int conclude(struct supervisor *s, int status)
{
	struct result *r = s->result;

	if (s->interrupts > 1) {
		verdict_set(r, VERDICT_PARTIAL, EXIT_INTERRUPTED, "aborted by a second interrupt");
	} else if (s->shm->has_result) {
		struct result said = s->shm->result;

		memcpy(&said.host, &r->host, sizeof(said.host));
		memcpy(said.network, r->network, sizeof(said.network));
		*r = said;
		ends_judge(s->experiment, r);
	} else if (s->shm->error.text[0] != '\0' && s->shm->phase >= PHASE_RAMP) {
		verdict_set(r, VERDICT_FAIL, EXIT_FAILED, s->shm->error.text);
	} else if (s->shm->error.text[0] != '\0') {
		verdict_set(r, VERDICT_REFUSED, EXIT_REFUSED, s->shm->error.text);
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

int supervisor_refuse(struct supervisor *s, int failed, const struct err *err)
{
	int code = failed == -EINVAL  ? EXIT_USAGE
	           : failed == -EINTR ? EXIT_INTERRUPTED
	                              : EXIT_REFUSED;

	verdict_set(s->result, VERDICT_REFUSED, code, err->text);
	return code;
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

static int spawn_and_supervise(struct supervisor *s)
{
	struct err err = {""};
	sigset_t signals, before;
	uint64_t sockets = engine_is_utcp(s->experiment->clients) ? 1 : 2; /* a connection */
	uint64_t hash = sockets * s->experiment->n;

	if (pipe2(s->lifeline, O_CLOEXEC) != 0) {
		err_set(&err, -errno, "cannot make a pipe: %s", strerror(errno));
		return supervisor_refuse(s, -errno, &err);
	}
	block_signals(&signals, &before);
	const struct netns_child inner = {
		.kind = s->kind,
		.hash_entries = hash > HASH_LEAST ? hash : HASH_LEAST,
		.lifeline = s->lifeline,
		.inside = inside,
		.arg = s,
		.err = &s->shm->error,
	};
	pid_t child = netns_spawn(&inner);
	int status = 0;

	close(s->lifeline[0]);
	if (child > 0)
		status = supervise(s, child, &signals);
	else
		err_set(&s->shm->error, child, "cannot fork: %s", strerror(-child));
	close(s->lifeline[1]);
	restore_signals(&signals, &before);
	return conclude(s, status);
}

/* Whoever answers over HTTP is told whom to ask. */
static void offer_api(struct supervisor *s)
{
	if (!s->experiment->has_api || !s->view || !s->view->api)
		return;
	s->api_source = serve_api_source(&s->api);
	s->view->api(s->view->context, &s->api_source);
}

int supervisor_run(struct supervisor *s)
{
	struct err err = {""};

	verdict_topology(s->result, s->experiment);
	s->shm = shm_make(s->experiment->n);
	if (!s->shm) {
		err_set(&err, -ENOMEM, "no memory for the shared counters");
		return supervisor_refuse(s, -ENOMEM, &err);
	}
	result_init(&s->shm->result);
	if (getrandom(&s->shm->key, sizeof(s->shm->key), 0) < 0)
		s->shm->key = clock_now_ns();
	workers_describe(s->experiment, s->shm);
	if (s->experiment->has_api && serve_api_make(&s->api, s->experiment, s->shm) != 0) {
		err_set(&err, -ENOMEM, "no memory for the table of other hosts' runs");
		return supervisor_refuse(s, -ENOMEM, &err);
	}
	offer_api(s);
	show_init(&s->show, s->view, s->experiment, s->shm, s->listening);
	return spawn_and_supervise(s);
}

void supervisor_take_baseline(struct supervisor *s, uint64_t quiet_ns)
{
	account_drift(sampler_wait_quiet(quiet_ns), s->host);
	limits_read(&s->limits);
	sampler_take(s->baseline);
}

int supervisor_init(struct supervisor *s, uint64_t quiet_ns, const struct run_view *view,
                    struct result *result, struct err *err)
{
	memset(s, 0, sizeof(*s));
	s->view = view;
	s->result = result;
	s->kind = NETNS_HOST;
	result_init(result);
	s->experiment = map_private(sizeof(*s->experiment));
	s->baseline = map_private(sizeof(*s->baseline));
	s->host = map_private(sizeof(*s->host));
	if (!s->experiment || !s->baseline || !s->host)
		return err_set(err, -ENOMEM, "no memory to plan the run");
	(void)slab_alias_read(&s->host->aliases); /* without: each cache is its own */
	supervisor_take_baseline(s, quiet_ns);
	describe_host(result, &s->limits, &s->baseline->memory);
	return 0;
}

int supervisor_choose_engine(struct supervisor *s, enum engine_kind wanted, struct err *err)
{
	struct err why = {""};
	char line[640];
	struct text t;
	int failed = engine_choose(wanted, &s->experiment->engine, &why);

	if (failed != 0) {
		*err = why;
		return failed;
	}
	s->experiment->clients = s->experiment->engine;
	if (why.text[0] == '\0')
		return 0;
	text_init(&t, line, sizeof(line));
	text_add(&t, "%s: using epoll in its place", why.text);
	supervisor_say(s, line);
	return 0;
}

void supervisor_end(struct supervisor *s)
{
	if (s->api_source.context)
		s->view->api(s->view->context, NULL);
	serve_api_drop(&s->api);
	if (s->shm)
		map_drop(s->shm, s->shm->total_bytes);
	map_drop(s->experiment, sizeof(*s->experiment));
	map_drop(s->baseline, sizeof(*s->baseline));
	map_drop(s->host, sizeof(*s->host));
}
