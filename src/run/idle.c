/* idle: what is decided before and after the connections rest. */
#include "run/idle.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/text.h"
#include "kernel/limits.h"
#include "run/hello.h"
#include "run/idle_rest.h"
#include "run/idle_words.h"
#include "run/topology.h"
#include "run/verdict.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define HELLO_MOST_NS (2 * NS_PER_S)
#define FILES_BESIDE  32 /* descriptors that are not connections */
#define LINE_BYTES    400

struct idle {
	const struct connect_options *options;
	struct supervisor *s;
	struct idle_ladder *ladder;
	struct idle_rest rest;
	sigset_t before;
};

/* ---- what it says --------------------------------------------------------------------------- */

/* "16:45:10" */
static void add_clock(struct text *t, uint64_t after_ns)
{
	time_t then = time(NULL) + (time_t)((after_ns + NS_PER_S / 2) / NS_PER_S);
	struct tm tm;

	if (localtime_r(&then, &tm))
		text_add(t, "%02d:%02d:%02d", tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static void add_bound(struct text *t, const struct idle_ladder *l)
{
	struct idle_bound bound = idle_judge(l);

	if (bound.lives_ns > 0) {
		text_add(t, "alive after ");
		text_duration(t, bound.lives_ns);
	}
	if (bound.how != IDLE_LIVES) {
		text_add(t, "%s after ", bound.lives_ns > 0 ? ", dead" : "dead");
		text_duration(t, bound.dead_ns);
	}
}

/* The line that is drawn again and again, of some 75 columns: "idle  195 / 288 rest, 9 asked  next
 * in 1.31 s, last at 16:54:12  alive 28.8 s  dead 30.1 s". */
static void on_tick(void *context, const struct idle_rest *r)
{
	const struct idle *idle = context;
	const struct run_view *view = idle->s->view;
	struct idle_bound bound = idle_judge(idle->ladder);
	uint64_t now_ns = clock_now_ns();
	char line[LINE_BYTES];
	struct text t;

	if (!view || !view->status)
		return;
	text_init(&t, line, sizeof(line));
	text_add(&t, "idle  %u / %u rest", r->resting, r->count);
	if (r->asked > 0)
		text_add(&t, ", %u asked", r->asked);
	if (r->last_ns > now_ns) {
		text_add(&t, "  next in ");
		text_duration(&t, r->next_ns > now_ns ? r->next_ns - now_ns : 0);
		text_add(&t, ", last at ");
		add_clock(&t, r->last_ns - now_ns);
	}
	if (bound.lives_ns > 0) {
		text_add(&t, "  alive ");
		text_duration(&t, bound.lives_ns);
	}
	if (bound.how != IDLE_LIVES) {
		text_add(&t, "  dead ");
		text_duration(&t, bound.dead_ns);
	}
	view->status(view->context, line);
}

/* "alive after 28.8 s, dead after 30.1 s: once more between them; 6 connections rest for 29.5 s to
 * 30.1 s, then each says a token: until 16:45:30 at the latest". */
static void say_pass(const struct idle *idle)
{
	const struct idle_ladder *l = idle->ladder;
	uint64_t least_ns = UINT64_MAX, most_ns = 0;
	char line[LINE_BYTES];
	struct text t;

	for (uint32_t i = 0; i < l->count; i++) {
		if (l->rungs[i].wanted == 0)
			continue;
		least_ns = l->rungs[i].rest_ns < least_ns ? l->rungs[i].rest_ns : least_ns;
		most_ns = l->rungs[i].rest_ns;
	}
	text_init(&t, line, sizeof(line));
	if (l->passes > 1) {
		add_bound(&t, l);
		text_add(&t, ": once more between them; ");
	}
	text_add(&t, "%u connections rest for ", idle_wanted(l));
	text_duration(&t, least_ns);
	text_add(&t, " to ");
	text_duration(&t, most_ns);
	text_add(&t, ", then %s: until ",
	         idle->rest.by_echo ? "each says a token" : "a keepalive segment asks each");
	add_clock(&t, most_ns + idle->rest.timeout_ns);
	text_add(&t, " at the latest");
	supervisor_say(idle->s, line);
}

/* ---- before --------------------------------------------------------------------------------- */

static int choose_tuples(const struct connect_options *options, struct experiment *x,
                         struct err *err)
{
	const struct topology_options where = {
		.target = options->target,
		.source = options->source,
		.family = options->family,
		.port_low = options->port_low,
		.port_high = options->port_high,
		.allow_public = options->allow_public,
	};
	struct topology topology;
	int failed = topology_choose(&where, &x->tuples, &topology, err);

	x->freebind = topology.needs_freebind;
	x->solution = x->tuples.target_port_count == 1 ? SOLUTION_IPS
	              : x->tuples.source_count == 1    ? SOLUTION_PORTS
	                                               : SOLUTION_MIXED;
	return failed;
}

/* How many connections: those that were asked for, as far as tuples and descriptors go. */
static uint32_t fit(const struct connect_options *options, const struct supervisor *s)
{
	uint64_t n = options->n > 0 ? options->n : IDLE_CONNECTIONS;
	uint64_t room = tuple_room(&s->experiment->tuples), files = 0;
	struct rlimit limit;

	limits_raise_nofile();
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		files = limit.rlim_cur;
	files = files > FILES_BESIDE ? files - FILES_BESIDE : 1;
	n = n < IDLE_CONNECTIONS_MOST ? n : IDLE_CONNECTIONS_MOST;
	n = n < room ? n : room;
	n = n < files ? n : files;
	if (options->n > n) {
		char line[LINE_BYTES];
		struct text t;

		text_init(&t, line, sizeof(line));
		text_count(&t, options->n);
		text_add(&t,
		         " connections do not fit (source ports, descriptors, or the %u that "
		         "such a probe takes at most): going on with ",
		         IDLE_CONNECTIONS_MOST);
		text_count(&t, n);
		supervisor_say(s, line);
	}
	return (uint32_t)n;
}

/* Whether it echoes, where that has to be asked. Nobody there is found out by the connections. */
static int find_echo(struct idle *idle, struct err *err)
{
	enum connect_proof proof = idle->options->proof;
	uint64_t patience_ns = idle->options->timeout_ns;

	if (proof == CONNECT_PROOF_NONE)
		return 0;
	enum hello answer = hello_ask(idle->s->experiment, idle->rest.key,
	                              patience_ns < HELLO_MOST_NS ? patience_ns : HELLO_MOST_NS);

	idle->rest.by_echo = answer == HELLO_ECHOES ||
	                     (answer == HELLO_NOBODY && proof == CONNECT_PROOF_ECHO);
	if (answer != HELLO_MUTE)
		return 0;
	if (proof == CONNECT_PROOF_ECHO)
		return err_set(err, -EPROTO,
		               "the server does not echo: without --proof echo its TCP is asked "
		               "in its place, by keepalive segments");
	supervisor_say(idle->s, "the server does not echo: its TCP is asked in its place, by "
	                        "keepalive segments, which the server's program does not see");
	return 0;
}

static int begin(struct idle *idle, struct err *err)
{
	const struct connect_options *options = idle->options;
	struct experiment *x = idle->s->experiment;
	int failed;

	x->kind = RUN_CONNECT;
	x->clients = x->engine = ENGINE_EPOLL; /* kernel sockets, and nothing more of it */
	failed = choose_tuples(options, x, err);
	if (failed != 0)
		return failed;
	idle->ladder = map_private(sizeof(*idle->ladder));
	if (!idle->ladder)
		return err_set(err, -ENOMEM, "no memory to plan the run");
	x->asked = x->n = fit(options, idle->s);
	idle_begin(idle->ladder, options->probe_idle_ns, (uint32_t)x->n);
	idle->rest.tuples = &x->tuples;
	idle->rest.freebind = x->freebind;
	idle->rest.ladder = idle->ladder;
	idle->rest.timeout_ns = options->timeout_ns;
	idle->rest.retries = (uint32_t)options->retries;
	idle->rest.most = (uint32_t)x->n;
	idle->rest.context = idle;
	idle->rest.tick = on_tick;
	if (getrandom(&idle->rest.key, sizeof(idle->rest.key), 0) < 0)
		idle->rest.key = clock_now_ns();
	idle->rest.first_tuple = idle->rest.key % tuple_room(&x->tuples);
	if (idle_rest_init(&idle->rest) != 0)
		return err_set(err, -ENOMEM, "no memory for the connections");
	return find_echo(idle, err);
}

/* ---- interrupts ----------------------------------------------------------------------------- */

static void interrupts(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGHUP);
}

static int take_signals(struct idle *idle, struct err *err)
{
	sigset_t set;

	interrupts(&set);
	idle->rest.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (idle->rest.signals < 0)
		return err_set(err, -errno, "cannot watch for signals: %s", strerror(errno));
	sigprocmask(SIG_BLOCK, &set, &idle->before);
	return 0;
}

/* One that came after the end must not end us before the result is told. */
static void give_signals_back(struct idle *idle)
{
	const struct timespec at_once = {0};
	sigset_t set;

	if (idle->rest.signals < 0)
		return;
	interrupts(&set);
	while (sigtimedwait(&set, NULL, &at_once) > 0)
		;
	close(idle->rest.signals);
	sigprocmask(SIG_SETMASK, &idle->before, NULL);
}

/* ---- after ---------------------------------------------------------------------------------- */

static void fill(const struct idle *idle, struct result *r)
{
	const struct idle_ladder *l = idle->ladder;
	const struct idle_bound bound = idle_judge(l);

	r->has_idle = true;
	r->idle = (struct result_idle){
		.most_ns = l->most_ns,
		.lives_ns = bound.lives_ns,
		.dead_ns = bound.how == IDLE_LIVES ? RESULT_UNKNOWN : bound.dead_ns,
		.ended_least_ns = bound.ended_most_ns > 0 ? bound.ended_least_ns : RESULT_UNKNOWN,
		.ended_most_ns = bound.ended_most_ns > 0 ? bound.ended_most_ns : RESULT_UNKNOWN,
		.how = bound.how,
		.by_echo = idle->rest.by_echo,
		.is_kept = bound.is_kept,
		.is_near = idle_is_near(l, &bound),
		.passes = l->passes,
	};
	for (uint32_t i = 0; i < l->count; i++) {
		for (int end = 0; end < IDLE_END_COUNT; end++)
			r->idle.ends[end] += l->rungs[i].ends[end];
	}
	r->target = idle->rest.opened + idle->rest.failed;
	r->established.client = idle->rest.opened;
	r->failed = idle->rest.failed;
	r->retried = idle->rest.retried;
	memcpy(r->failed_by_cause, idle->rest.failed_by_cause, sizeof(r->failed_by_cause));
	memcpy(r->retried_by_cause, idle->rest.retried_by_cause, sizeof(r->retried_by_cause));
}

/* None was opened: that is no verdict about idle times. */
static int say_nothing_opened(struct result *r)
{
	char reason[LINE_BYTES];
	int most = 0;
	struct text t;

	for (int i = 0; i < CAUSE_COUNT; i++)
		most = r->failed_by_cause[i] > r->failed_by_cause[most] ? i : most;
	text_init(&t, reason, sizeof(reason));
	text_add(&t, "no connection could be opened: %s: %s", cause_name((enum cause)most),
	         cause_advice((enum cause)most));
	verdict_set(r, VERDICT_FAIL, EXIT_FAILED, reason);
	return r->exit_code;
}

static int say_gone(struct result *r)
{
	char reason[LINE_BYTES];
	struct text t;

	text_init(&t, reason, sizeof(reason));
	text_add(&t, "connections that had rested for ");
	text_duration(&t, r->idle.dead_ns);
	text_add(&t, " are dead, but new ones cannot be opened either: the server, or the way to "
	             "it, is gone, which says nothing about idle times");
	verdict_set(r, VERDICT_FAIL, EXIT_FAILED, reason);
	return r->exit_code;
}

static int conclude(const struct idle *idle, struct result *r)
{
	bool is_dead;
	char reason[sizeof(r->reason)];
	struct text t;

	fill(idle, r);
	is_dead = r->idle.how != IDLE_LIVES;
	text_init(&t, reason, sizeof(reason));
	if (idle->rest.is_interrupted) {
		text_add(&t, "interrupted: ");
		if (r->idle.lives_ns == 0 && !is_dead)
			text_add(&t, "nothing is known yet");
		else
			idle_words(&t, &r->idle);
		verdict_set(r, VERDICT_PARTIAL, EXIT_INTERRUPTED, reason);
		return r->exit_code;
	}
	if (r->established.client == 0 || (r->idle.lives_ns == 0 && !is_dead))
		return say_nothing_opened(r);
	if (is_dead &&
	    hello_ask(idle->s->experiment, idle->rest.key, idle->rest.timeout_ns) == HELLO_NOBODY)
		return say_gone(r);
	idle_words(&t, &r->idle);
	verdict_set(r, VERDICT_PASS, EXIT_PASS, reason);
	return r->exit_code;
}

static int probe(struct idle *idle, struct result *r)
{
	idle->s->experiment->proof = idle->rest.by_echo;
	verdict_topology(r, idle->s->experiment);
	do {
		say_pass(idle);
		idle_rest_pass(&idle->rest);
	} while (!idle->rest.is_interrupted && idle->rest.opened > 0 && idle_refine(idle->ladder));
	return conclude(idle, r);
}

int idle_run(const struct connect_options *options, const struct run_view *view,
             struct result *result)
{
	struct idle idle = {.options = options, .rest.signals = -1};
	struct err err = {""};
	struct supervisor s;
	int failed = supervisor_init(&s, 0, view, result, &err), code;

	idle.s = &s;
	result->target = options->n > 0 ? options->n : IDLE_CONNECTIONS;
	if (failed == 0)
		failed = take_signals(&idle, &err);
	if (failed == 0)
		failed = begin(&idle, &err);
	code = failed == 0 ? probe(&idle, result) : supervisor_refuse(&s, failed, &err);
	give_signals_back(&idle);
	idle_rest_end(&idle.rest);
	map_drop(idle.ladder, sizeof(*idle.ladder));
	supervisor_end(&s);
	return code;
}
