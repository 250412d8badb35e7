/* limited: an open loop says by itself who was late: we, when a message could be said and was not
 * (slip); the other side, when the one before it was not answered yet (busy). A closed loop always
 * runs into something: into our own CPU time, or into waiting for answers. */
#include "run/limited.h"

#include "base/clock.h"
#include "base/text.h"

#define RATE_HELD    0.99
#define SLIP_LEAST   (2 * NS_PER_MS) /* a p99 of slip below it is that of timers, of 1 ms */
#define SLIP_SHARE   10              /* nor is one below this part of the p99 of all */
#define WAIT_LEAST   NS_PER_MS
#define CPU_IS_FULL  0.9
#define OTHERS_LEAST 0.1 /* of all CPUs: worth a word */
#define ANSWERED(t)  ((t)->answers[ANSWER_GOOD] + (t)->answers[ANSWER_LATE])

static void add_share(struct text *t, const char *who, double cpus, double most)
{
	if (cpus >= 0 && most > 0)
		text_add(t, "%s %.0f %%", who, 100 * cpus / most);
}

static void add_cpus(struct text *t, uint32_t cpus)
{
	text_add(t, cpus == 1 ? "one CPU" : "%u CPUs", cpus);
}

/* --- who has the CPUs --------------------------------------------------------------------- */

static bool are_clients_full(const struct result_traffic *t)
{
	return t->client_cpus >= 0 && t->client_cpus_most > 0 &&
	       t->client_cpus >= CPU_IS_FULL * t->client_cpus_most;
}

/* Both ends, and what the kernel does for them, have all CPUs there are. */
static bool is_lab_full(const struct result_traffic *t, const struct limited_case *c)
{
	double ours = t->client_cpus + t->server_cpus;

	if (c->kind != RUN_LAB || t->client_cpus < 0 || t->server_cpus < 0)
		return false;
	return (c->busy_cpus > ours ? c->busy_cpus : ours) >= CPU_IS_FULL * c->cpus;
}

/* A server on this machine takes what clients would need, or the other way round. */
static bool is_machine_full(const struct limited_case *c)
{
	return c->kind != RUN_LAB && c->busy_cpus >= CPU_IS_FULL * c->cpus;
}

/* What is neither ours nor softirq's, which is in ours in part. */
static double others_cpus(const struct result_traffic *t, const struct limited_case *c)
{
	return c->busy_cpus - t->client_cpus - t->server_cpus -
	       (t->softirq_cpus > 0 ? t->softirq_cpus : 0);
}

static void say_lab(struct text *why, const struct result_traffic *t, const struct limited_case *c)
{
	text_add(why, "both ends are ours and share ");
	add_cpus(why, c->cpus);
	add_share(why, ": clients", t->client_cpus, c->cpus);
	add_share(why, ", servers", t->server_cpus, c->cpus);
	add_share(why, "; softirq", t->softirq_cpus, c->cpus);
	if (others_cpus(t, c) >= OTHERS_LEAST * c->cpus)
		add_share(why, ", other programs", others_cpus(t, c), c->cpus);
}

static void say_clients(struct text *why, const struct result_traffic *t)
{
	text_add(why, "client workers used %.2f of the %.0f CPU%s they may", t->client_cpus,
	         t->client_cpus_most, t->client_cpus_most > 1 ? "s" : "");
}

static void say_machine(struct text *why, const struct result_traffic *t,
                        const struct limited_case *c)
{
	text_add(why, "this machine's CPUs are used up: clients %.2f, all %.2f of %u",
	         t->client_cpus, c->busy_cpus, c->cpus);
}

static enum limited judge_cpu(struct text *why, const struct result_traffic *t,
                              const struct limited_case *c)
{
	if (is_lab_full(t, c)) {
		say_lab(why, t, c);
		return LIMITED_TOOL;
	}
	if (are_clients_full(t)) {
		say_clients(why, t);
		return LIMITED_TOOL;
	}
	if (is_machine_full(c) && t->client_cpus >= 0) {
		say_machine(why, t, c);
		return t->client_cpus * 2 >= c->busy_cpus ? LIMITED_TOOL : LIMITED_TARGET;
	}
	/* An open loop does not wait for answers, and a push has none. */
	bool waits = !c->is_open_loop && t->kind != TRAFFIC_PUSH;
	bool is_known = t->client_cpus >= 0;

	if (waits)
		text_add(why, is_known ? "answers are waited for: " : "answers are waited for");
	else if (!is_known)
		text_add(why, "the CPU time of client workers is unknown");
	if (is_known)
		say_clients(why, t);
	if (!waits && c->busy_cpus >= 0)
		text_add(why, ", all programs %.2f of %u", c->busy_cpus, c->cpus);
	return LIMITED_TARGET;
}

/* --- open loop ---------------------------------------------------------------------------- */

static bool is_slip_small(const struct result_traffic *t)
{
	return t->slip.p99_ns < SLIP_LEAST || t->slip.p99_ns * SLIP_SHARE < t->corrected.p99_ns;
}

/* Within 1 %, and the one message by which each worker may be beside the end of the stage. */
static bool is_rate_held(const struct result_traffic *t, const struct limited_case *c,
                         uint64_t count)
{
	double due = t->asked_per_s * (double)c->duration_ns / (double)NS_PER_S;

	return (double)(count + c->client_workers) >= RATE_HELD * due;
}

/* A message that is due while the one before is not answered waits: that is what the uncorrected
 * times leave out. */
static bool did_messages_wait(const struct result_traffic *t)
{
	return t->busy > 0 && t->corrected.p99_ns > 2 * t->uncorrected.p99_ns + WAIT_LEAST;
}

static void say_slip(struct text *why, const struct result_traffic *t)
{
	text_add(why, "slip p99 ");
	text_duration(why, t->slip.p99_ns);
}

static enum limited judge_open(struct text *why, const struct result_traffic *t,
                               const struct limited_case *c)
{
	bool is_held = is_rate_held(t, c, ANSWERED(t));

	if (!is_slip_small(t)) {
		text_add(why, "messages were said late: ");
		say_slip(why, t);
		text_add(why, "; ");
		judge_cpu(why, t, c);
		return LIMITED_TOOL;
	}
	if (is_held && !did_messages_wait(t)) {
		text_add(why, "the rate was held; ");
		say_slip(why, t);
		return LIMITED_NOT;
	}
	if (t->busy == 0 && !is_rate_held(t, c, t->said)) {
		text_add(why,
		         "fewer messages were said than were due, as connections were closed or "
		         "rested; ");
		return judge_cpu(why, t, c);
	}
	if (t->busy > 0) {
		text_count(why, t->busy);
		text_add(why, " messages were due while the one before was not over");
	} else {
		text_add(why, "not all that was said was answered");
	}
	text_add(why, "; answers took p99 ");
	text_duration(why, t->uncorrected.p99_ns);
	text_add(why, ", ");
	say_slip(why, t);
	return LIMITED_TARGET;
}

/* --- push --------------------------------------------------------------------------------- */

static enum limited judge_push(struct text *why, const struct result_traffic *t,
                               const struct limited_case *c)
{
	if (c->every_ns == 0) {
		text_add(why, "the rounds are the server's own; the slowest took ");
		text_duration(why, t->last.max_ns);
		return LIMITED_NOT;
	}
	if (t->last.max_ns <= c->every_ns) {
		text_add(why, "each round was over before the next; the slowest took ");
		text_duration(why, t->last.max_ns);
		return LIMITED_NOT;
	}
	text_add(why, "a round took up to ");
	text_duration(why, t->last.max_ns);
	text_add(why, ", longer than from one to the next; ");
	return judge_cpu(why, t, c);
}

void limited_judge(struct result_traffic *t, const struct limited_case *c)
{
	struct text why;

	text_init(&why, t->why, sizeof(t->why));
	if (t->corrected.count == 0 && ANSWERED(t) > 0) {
		text_add(&why, "a script without an expect waits for nothing");
		t->limited = LIMITED_NOT;
	} else if (t->corrected.count == 0) {
		text_add(&why, t->said > 0 ? "nothing was answered" : "nothing was said");
		t->limited = LIMITED_TARGET;
	} else if (t->kind == TRAFFIC_PUSH) {
		t->limited = judge_push(&why, t, c);
	} else if (c->is_open_loop) {
		t->limited = judge_open(&why, t, c);
	} else {
		t->limited = judge_cpu(&why, t, c);
	}
}
