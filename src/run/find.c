/* find: see the header. */
#include "run/find.h"

#include "base/clock.h"
#include "base/text.h"
#include "run/verdict.h"

#include <signal.h>
#include <string.h>
#include <time.h>

#define START_PARTS   64    /* connections begin with that part of what is asked for */
#define START_UNKNOWN 10000 /* or with so many, where that is as many as fit */
#define APART         50    /* the end: what passes and what fails are a 50th apart */
#define RATE_PARTS    100   /* a rate is held to a hundredth */
#define MEASURED      100   /* a wall is exact to a hundredth */
#define MILLION       1000000.0

struct search {
	const struct find *find;
	const struct run_view *view;
	struct result *best;
	struct result_search *log;
	struct result trial;           /* of the run that was last */
	uint64_t passed, failed, most; /* 0: none yet; UINT64_MAX: none yet; none beyond */
	uint64_t wall;                 /* of the trial: how many fit; UINT64_MAX: not known */
	bool is_walled;                /* `most` is a wall, and log->bound says which */
	bool is_over;                  /* interrupted, or nothing can be run */
	sigset_t before;
};

static const struct {
	const char *name, *unit;
} words[] = {
	[FIND_CONNECTIONS] = {"connections", " connections"},
	[FIND_MESSAGES] = {"messages", " messages/s"},
	[FIND_CHURN] = {"churn", " churned/s"},
};

/* --- what a run is allowed to say --------------------------------------------------------- */

static void on_live(void *context, const struct live *live)
{
	const struct search *s = context;

	if (s->view->live)
		s->view->live(s->view->context, live);
}

static void on_sample(void *context, const struct sample *sample)
{
	const struct search *s = context;

	if (s->view->sample)
		s->view->sample(s->view->context, sample);
}

/* Of the record's table the last one holds. */
static void on_walls(void *context, const struct wall_report *walls)
{
	struct search *s = context;

	s->wall = walls->largest;
	if (s->view->walls)
		s->view->walls(s->view->context, walls);
}

/* --- whether it passes -------------------------------------------------------------------- */

static const struct result_stage *stage_of(const struct result *r)
{
	return r->stage_count > 0 ? &r->stages[0] : NULL;
}

static double part(uint64_t of, uint64_t whole)
{
	return whole > 0 ? (double)of / (double)whole : 0;
}

/* Of what is searched: connections, messages, or those that were churned. The worst of what the run
 * did besides counts as well. */
static double failed_parts(const struct result *r)
{
	const struct result_stage *stage = stage_of(r);
	double worst = part(r->failed + r->lost, r->target);

	if (stage && stage->has_traffic) {
		double bad = part(result_bad(&stage->traffic, true), stage->traffic.said);

		worst = bad > worst ? bad : worst;
	}
	if (stage && stage->has_churn) {
		double bad = part(stage->churn.failed, stage->churn.closed);

		worst = bad > worst ? bad : worst;
	}
	return worst;
}

static double reached(enum find_what what, const struct result *r)
{
	const struct result_stage *stage = stage_of(r);

	if (what == FIND_CONNECTIONS)
		return (double)r->established.client;
	if (!stage)
		return 0;
	return what == FIND_MESSAGES ? stage->traffic.rate_per_s : stage->churn.rate_per_s;
}

static void fill_trial(const struct search *s, uint64_t value, struct result_trial *t)
{
	const struct result_stage *stage = stage_of(&s->trial);

	*t = (struct result_trial){
		.asked = value,
		.reached = reached(s->find->what, &s->trial),
		.p99_ns = RESULT_UNKNOWN,
		.failed_parts = failed_parts(&s->trial),
	};
	if (stage && stage->has_traffic && stage->traffic.corrected.count > 0)
		t->p99_ns = stage->traffic.corrected.p99_ns;
}

static bool is_rate_held(const struct search *s, const struct result_trial *t)
{
	return s->find->what == FIND_CONNECTIONS ||
	       t->reached >= (double)t->asked * (RATE_PARTS - 1) / RATE_PARTS;
}

/* Its p99 is beyond the bound, or there were no answers to tell. */
static bool is_late(const struct search *s, const struct result_trial *t)
{
	return s->find->p99_most_ns > 0 &&
	       (t->p99_ns == RESULT_UNKNOWN || t->p99_ns > s->find->p99_most_ns);
}

static void judge(const struct search *s, struct result_trial *t)
{
	struct text why;

	text_init(&why, t->why_not, sizeof(t->why_not));
	if (s->trial.verdict != VERDICT_PASS) {
		text_add(&why, "%s", s->trial.reason);
	} else if (!is_rate_held(s, t)) {
		text_add(&why, "only ");
		text_count(&why, (uint64_t)t->reached);
		text_add(&why, "/s were reached");
	} else if (t->failed_parts * MILLION > (double)s->find->failed_most_parts) {
		text_add(&why, "%.4g %% failed, more than %.4g %%", t->failed_parts * 100,
		         (double)s->find->failed_most_parts * 100 / MILLION);
	} else if (is_late(s, t)) {
		text_add(&why, t->p99_ns == RESULT_UNKNOWN ? "no answers" : "p99 more than ");
		if (t->p99_ns != RESULT_UNKNOWN)
			text_duration(&why, s->find->p99_most_ns);
	}
	t->passed = why.len == 0;
}

/* "trial 3: 40,000 messages/s: p99 12.0 ms, failed 0 %: passed" */
static void say_trial(const struct search *s, const struct result_trial *t)
{
	char line[384];
	struct text text;

	text_init(&text, line, sizeof(line));
	text_add(&text, "trial %u: ", s->log->trial_count);
	text_count(&text, t->asked);
	text_add(&text, "%s: ", words[s->find->what].unit);
	if (t->p99_ns != RESULT_UNKNOWN) {
		text_add(&text, "p99 ");
		text_duration(&text, t->p99_ns);
		text_add(&text, ", ");
	}
	text_add(&text, "failed %.3g %%: %s%s", t->failed_parts * 100,
	         t->passed ? "passed" : "does not pass: ", t->why_not);
	show_say(s->view, line);
}

/* --- the search --------------------------------------------------------------------------- */

static void set_bound(struct search *s, const char *before, const char *why)
{
	struct text t;

	text_init(&t, s->log->bound, sizeof(s->log->bound));
	text_add(&t, "%s%s", before, why);
}

/* More do not fit: it goes on with what does. False where there is nothing to go on with. */
static bool meet_wall(struct search *s, uint64_t value)
{
	uint64_t fits = s->wall - s->wall / MEASURED;

	if (s->trial.verdict != VERDICT_REFUSED || s->find->what != FIND_CONNECTIONS ||
	    s->wall >= value || fits <= s->passed)
		return false;
	s->most = fits;
	s->is_walled = true;
	set_bound(s, "", s->trial.reason);
	show_say(s->view, s->trial.reason);
	return true;
}

static void take_trial(struct search *s, uint64_t value)
{
	struct result_trial *t = &s->log->trials[s->log->trial_count++];

	fill_trial(s, value, t);
	judge(s, t);
	say_trial(s, t);
	if (t->passed) {
		s->passed = value;
		*s->best = s->trial;
		return;
	}
	s->failed = value;
	s->is_walled = false;
	set_bound(s, "", t->why_not);
}

/* One run. What cannot be run at all, or was interrupted, ends the search. */
static void try(struct search *s, uint64_t value)
{
	const struct run_view quiet = {
		.context = s,
		.live = on_live,
		.sample = on_sample,
		.walls = on_walls,
	};

	s->wall = UINT64_MAX;
	memset(&s->trial, 0, sizeof(s->trial));
	s->find->run(s->find->context, value, &quiet, &s->trial);
	if (meet_wall(s, value))
		return;
	s->is_over = s->trial.exit_code == EXIT_INTERRUPTED || s->trial.exit_code == EXIT_USAGE ||
	             s->trial.verdict == VERDICT_REFUSED;
	if (!s->is_over)
		take_trial(s, value);
}

/* What to try next; 0: it has ended. */
static uint64_t next_value(const struct search *s)
{
	uint64_t start = s->find->start < s->most ? s->find->start : s->most;
	uint64_t twice = s->passed > UINT64_MAX / 2 ? UINT64_MAX : 2 * s->passed;

	if (s->is_over || s->log->trial_count == RESULT_TRIALS_MAX)
		return 0;
	if (s->failed == UINT64_MAX && s->passed == 0)
		return start;
	if (s->passed == 0 || s->passed >= s->most)
		return 0;
	if (s->failed == UINT64_MAX)
		return twice < s->most ? twice : s->most;
	uint64_t gap = s->failed - s->passed;

	return gap < 2 || gap <= s->passed / APART ? 0 : s->passed + gap / 2;
}

static void interrupts(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGHUP);
}

/* Between two runs an interrupt waits for the next one, which it ends. */
static void hold_interrupts(struct search *s)
{
	sigset_t set;

	interrupts(&set);
	sigprocmask(SIG_BLOCK, &set, &s->before);
}

static void release_interrupts(const struct search *s)
{
	const struct timespec at_once = {0};
	sigset_t set;

	interrupts(&set);
	while (sigtimedwait(&set, NULL, &at_once) > 0)
		;
	sigprocmask(SIG_SETMASK, &s->before, NULL);
}

static void add_value(struct text *t, const struct search *s, uint64_t value)
{
	text_count(t, value);
	text_add(t, "%s", words[s->find->what].unit);
}

/* Nothing that was tried passes. */
static void end_empty(struct search *s)
{
	char reason[sizeof(s->best->reason)];
	struct text t;

	*s->best = s->trial;
	if (s->log->trial_count == 0)
		return; /* it says why itself */
	text_init(&t, reason, sizeof(reason));
	text_add(&t, "even ");
	add_value(&t, s, s->log->trials[0].asked);
	text_add(&t, " do not pass: %s", s->log->bound);
	verdict_set(s->best, VERDICT_FAIL, EXIT_UNPROVED, reason);
}

static void end_found(struct search *s)
{
	bool was_cut = s->trial.exit_code == EXIT_INTERRUPTED;
	char reason[sizeof(s->best->reason)];
	struct text t;

	text_init(&t, reason, sizeof(reason));
	text_add(&t, was_cut ? "interrupted: at least " : "the most that passes is ");
	add_value(&t, s, s->passed);
	if (s->log->bound[0]) {
		text_add(&t, s->is_walled ? "; no more fit: " : "; ");
		if (!s->is_walled) {
			add_value(&t, s, s->failed);
			text_add(&t, " do not: ");
		}
		text_add(&t, "%s", s->log->bound);
	} else if (!was_cut) {
		text_add(&t, ", all that were asked for");
	}
	verdict_set(s->best, was_cut ? VERDICT_PARTIAL : VERDICT_PASS,
	            was_cut ? EXIT_INTERRUPTED : EXIT_PASS, reason);
}

static void write_log(const struct search *s)
{
	const struct find *find = s->find;
	struct result_search *log = s->log;
	struct text t;

	text_init(&t, log->what, sizeof(log->what));
	text_add(&t, "%s", words[find->what].name);
	log->found = s->passed;
	log->p99_most_ns = find->p99_most_ns > 0 ? find->p99_most_ns : RESULT_UNKNOWN;
	log->failed_most_parts = (double)find->failed_most_parts / MILLION;
	s->best->search = *log;
	s->best->has_search = true;
}

int find_max(const struct find *find, const struct run_view *view, struct result *result)
{
	static struct search s;
	static struct result_search log;
	uint64_t value;

	memset(&log, 0, sizeof(log));
	s = (struct search){
		.find = find,
		.view = view,
		.best = result,
		.log = &log,
		.failed = UINT64_MAX,
		.most = find->most,
	};
	result_init(result);
	hold_interrupts(&s);
	while ((value = next_value(&s)) > 0)
		try(&s, value);
	release_interrupts(&s);
	if (s.passed > 0)
		end_found(&s);
	else
		end_empty(&s);
	write_log(&s);
	return result->exit_code;
}

/* --- of what ------------------------------------------------------------------------------ */

/* Thresholds are judged here, and not by each run. */
static struct find find_of(struct living_options *living, uint64_t n)
{
	struct living_stage *hold = &living->hold;
	struct find find = {
		.what = FIND_CONNECTIONS,
		.start = n == UINT64_MAX ? START_UNKNOWN : (n + START_PARTS - 1) / START_PARTS,
		.most = n,
		.p99_most_ns = living->p99_most_ns,
		.failed_most_parts = living->failed_most.is_given ? living->failed_most.parts
	                                                          : FIND_FAILED_USUAL,
	};

	living->p99_most_ns = 0;
	living->failed_most = (struct opt_percent){0};
	if (hold->message_rate_per_s > 0) {
		find.what = FIND_MESSAGES;
		find.start = hold->message_rate_per_s;
	} else if (hold->churn_per_s > 0 && hold->churn_per_s != UINT64_MAX) {
		find.what = FIND_CHURN;
		find.start = hold->churn_per_s;
	}
	if (find.what != FIND_CONNECTIONS)
		find.most = UINT64_MAX - 1; /* the last one is "as fast as it goes" */
	return find;
}

static void set_value(enum find_what what, uint64_t value, uint64_t *n, struct living_stage *hold)
{
	switch (what) {
	case FIND_CONNECTIONS:
		*n = value;
		break;
	case FIND_MESSAGES:
		hold->message_rate_per_s = value;
		break;
	case FIND_CHURN:
		hold->churn_per_s = value;
		break;
	}
}

struct lab_search {
	struct lab_options options;
	enum find_what what;
};

static void run_lab(void *context, uint64_t value, const struct run_view *view,
                    struct result *result)
{
	struct lab_search *s = context;

	set_value(s->what, value, &s->options.n, &s->options.living.hold);
	(void)lab_run(&s->options, view, result);
}

int find_lab(const struct lab_options *options, const struct run_view *view, struct result *result)
{
	struct lab_search s = {.options = *options};
	struct find find = find_of(&s.options.living, options->n);

	s.what = find.what;
	find.run = run_lab;
	find.context = &s;
	return find_max(&find, view, result);
}

struct connect_search {
	struct connect_options options;
	enum find_what what;
};

static void run_connect(void *context, uint64_t value, const struct run_view *view,
                        struct result *result)
{
	struct connect_search *s = context;

	set_value(s->what, value, &s->options.n, &s->options.living.hold);
	(void)connect_run(&s->options, view, result);
}

int find_connect(const struct connect_options *options, const struct run_view *view,
                 struct result *result)
{
	struct connect_search s = {.options = *options};
	struct find find = find_of(&s.options.living, options->n);

	s.options.all_or_none = true;
	s.what = find.what;
	find.run = run_connect;
	find.context = &s;
	return find_max(&find, view, result);
}
