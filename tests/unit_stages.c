/* unit_stages: what a stage comes to is what workers counted in it, not before; and who was the
 * limit is said by the numbers. */
#include "run/limited.h"
#include "run/rounds.h"
#include "run/stages.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <unistd.h>

static struct shm *shm;
static struct experiment x;

static int make(void **state)
{
	(void)state;
	shm = shm_make(1000);
	if (!shm)
		return -1;
	memset(&x, 0, sizeof(x));
	x.kind = RUN_CONNECT;
	x.n = 1000;
	x.client_workers = 2;
	x.tuples.target.family = AF_INET;
	x.tuples.target_port_low = 1;
	x.tuples.target_port_count = 1;
	x.stage_count = 1;
	stages_set_hold(&x, 10 * NS_PER_S);
	result_init(&shm->result);
	shm->worker_count = 3;
	for (uint32_t i = 0; i < shm->worker_count; i++) {
		shm->workers[i].role = i < 2 ? ROLE_CLIENT : ROLE_SERVER;
		shm->workers[i].pid = getpid();
		shm->workers[i].open = 500;
	}
	return 0;
}

/* --- differences -------------------------------------------------------------------------- */

static void say(struct shm_traffic *t, uint64_t count, uint64_t ns)
{
	t->said += count;
	t->said_bytes += 64 * count;
	t->heard_bytes += 64 * count;
	t->answers[ANSWER_GOOD] += count;
	hist_add(&t->corrected, ns, count);
	hist_add(&t->uncorrected, ns / 2, count);
	hist_add(&t->slip, 1000, count);
}

static void test_traffic(void **state)
{
	const struct result_traffic *r = &shm->result.stages[0].traffic;

	(void)state;
	x.stages[0].traffic = TRAFFIC_ECHO;
	x.stages[0].message_rate_per_s = 100;
	say(&shm->workers[0].traffic, 5000, 900000000);
	shm->workers[1].traffic.answers[ANSWER_MISSING] = 7;
	stages_begin(&x, shm, 0, 0);
	say(&shm->workers[0].traffic, 600, 1000000);
	say(&shm->workers[1].traffic, 390, 2000000);
	shm->workers[1].traffic.said += 10;
	shm->workers[1].traffic.answers[ANSWER_MISSING] += 10;
	say(&shm->workers[2].traffic, 1000, 1000); /* a server: says nothing that counts */
	stages_over(shm);
	stages_end(&x, shm, 0, 10 * NS_PER_S);
	assert_int_equal(shm->result.stage_count, 1);
	assert_string_equal(shm->result.stages[0].name, "hold");
	assert_true(shm->result.stages[0].has_traffic);
	assert_false(shm->result.stages[0].has_churn);
	assert_false(shm->result.stages[0].has_storm);
	assert_int_equal(r->said, 1000);
	assert_int_equal(r->said_bytes, 990 * 64);
	assert_int_equal(r->answers[ANSWER_GOOD], 990);
	assert_int_equal(r->answers[ANSWER_MISSING], 10);
	assert_int_equal(r->corrected.count, 990);
	assert_in_range(r->corrected.p50_ns, 1000000, 1010000);
	assert_in_range(r->corrected.max_ns, 2000000, 2020000);
	assert_in_range(r->uncorrected.max_ns, 1000000, 1010000);
	assert_true(r->asked_per_s == 100);
	assert_true(r->rate_per_s == 99);
	assert_int_equal(r->limited, LIMITED_NOT);
	assert_true(r->client_cpus >= 0);
	assert_true(r->server_cpus < 0); /* a run that has none */
}

/* What is answered while it drains is no part of a closed loop's rate: that would be more by as
 * much as was under way. */
static void test_closed(void **state)
{
	const struct result_traffic *r = &shm->result.stages[0].traffic;

	(void)state;
	x.stages[0].traffic = TRAFFIC_ECHO;
	say(&shm->workers[0].traffic, 77, 1000000);
	stages_begin(&x, shm, 0, 0);
	say(&shm->workers[0].traffic, 600, 1000000);
	shm->workers[1].traffic.answers[ANSWER_LATE] += 100;
	stages_over(shm);
	say(&shm->workers[1].traffic, 500, 1000000);
	stages_end(&x, shm, 0, 10 * NS_PER_S);
	assert_int_equal(r->answers[ANSWER_GOOD], 1100);
	assert_true(r->asked_per_s == 0);
	assert_true(r->rate_per_s == 70);
}

/* Of a worker that has died nobody knows what it used. */
static void test_dead(void **state)
{
	(void)state;
	x.stages[0].traffic = TRAFFIC_ECHO;
	shm->workers[1].died = true;
	stages_begin(&x, shm, 0, 0);
	say(&shm->workers[0].traffic, 600, 1000000);
	stages_over(shm);
	stages_end(&x, shm, 0, 10 * NS_PER_S);
	assert_true(shm->result.stages[0].traffic.client_cpus < 0);
	assert_string_equal(shm->result.stages[0].traffic.why, "answers are waited for");
}

static void test_churn(void **state)
{
	const struct result_churn *r = &shm->result.stages[0].churn;
	static struct sample sample;

	(void)state;
	x.stages[0].churn_per_s = 200;
	shm->workers[0].churn.closed = 3;
	stages_begin(&x, shm, 0, 0);
	shm->workers[0].open = 480;
	sample.sockets.tcp_tw = 40;
	stages_look(&x, shm);
	stages_sample(&x, shm, &sample);
	shm->workers[0].open = 502;
	sample.sockets.tcp_tw = PROBE_UNKNOWN;
	stages_look(&x, shm);
	stages_sample(&x, shm, &sample);
	shm->workers[0].open = 500;
	shm->workers[0].churn.closed += 2001;
	shm->workers[0].churn.opened += 2000;
	shm->workers[0].churn.failed[CAUSE_REFUSED] += 1;
	hist_add(&shm->workers[0].connect, 5000, 2000);
	stages_end(&x, shm, 0, 10 * NS_PER_S);
	assert_true(shm->result.stages[0].has_churn);
	assert_int_equal(r->closed, 2001);
	assert_int_equal(r->opened, 2000);
	assert_int_equal(r->failed, 1);
	assert_int_equal(r->failed_by_cause[CAUSE_REFUSED], 1);
	assert_int_equal(r->open_least, 980);
	assert_int_equal(r->open_most, 1002);
	assert_int_equal(r->time_wait_most, 40);
	assert_int_equal(r->connect.count, 2000);
	assert_true(r->rate_per_s == 200);
	assert_true(r->asked_per_s == 200);
}

static void test_storm(void **state)
{
	const struct result_storm *r = &shm->result.stages[0].storm;

	(void)state;
	x.stages[0].storm_parts = STAGE_PARTS / 10;
	stages_begin(&x, shm, 0, 0);
	shm->workers[0].storm.cut = 100;
	stages_look(&x, shm);
	shm->workers[0].storm.back = 99;
	shm->workers[0].storm.failed[CAUSE_TIMEOUT] = 1;
	for (uint64_t i = 1; i <= 99; i++)
		hist_record(&shm->workers[0].storm.back_after, i * NS_PER_MS);
	stages_end(&x, shm, 0, 10 * NS_PER_S);
	assert_int_equal(r->cut, 100);
	assert_int_equal(r->back, 99);
	assert_int_equal(r->failed, 1);
	assert_in_range(r->back_50_ns, 50 * NS_PER_MS, 51 * NS_PER_MS);
	assert_in_range(r->back_99_ns, 99 * NS_PER_MS, 100 * NS_PER_MS);
	assert_int_equal(r->back_100_ns, RESULT_UNKNOWN);
	assert_int_not_equal(r->listen_overflows, RESULT_UNKNOWN);
}

/* Rounds as two workers see them; those of before the stage are not counted. */
static void push(uint32_t worker, uint64_t round, uint64_t first_ns, uint64_t last_ns)
{
	shm->workers[worker].push[round % SHM_PUSHES] = (struct shm_push){round, 10, first_ns,
	                                                                  last_ns};
}

static void test_rounds(void **state)
{
	static struct rounds rounds;

	(void)state;
	push(0, 0, 1, 999);
	rounds_begin(&rounds, shm);
	for (uint64_t round = 1; round <= 5; round++) {
		push(0, round, 20, 50);
		push(1, round, 10, 60 + round);
	}
	rounds_count(&rounds, shm, false);
	assert_int_equal(rounds.first.count, 1); /* the others may still be heard */
	rounds_count(&rounds, shm, true);
	rounds_count(&rounds, shm, true);
	assert_int_equal(rounds.first.count, 5);
	assert_int_equal(rounds.first.max_ns, 10);
	assert_int_equal(rounds.last.max_ns, 65);
	for (uint64_t round = 6; round <= 30; round++)
		push(0, round, 30, 70);
	rounds_count(&rounds, shm, true);
	assert_int_equal(rounds.first.count, 5 + SHM_PUSHES);
}

/* --- who was the limit -------------------------------------------------------------------- */

static const struct limited_case open_case = {.kind = RUN_CONNECT,
                                              .is_open_loop = true,
                                              .duration_ns = 10 * NS_PER_S,
                                              .client_workers = 2,
                                              .cpus = 2,
                                              .busy_cpus = 1};

/* 1,000 a second over 10 s, all answered in 1 ms. */
static struct result_traffic held(void)
{
	const struct quantiles ms = {10000, 900000, 950000, 1000000, 1000000, 1000000, 1000000};
	struct result_traffic t = {.kind = TRAFFIC_ECHO,
	                           .said = 10000,
	                           .asked_per_s = 1000,
	                           .corrected = ms,
	                           .uncorrected = ms,
	                           .client_cpus = 0.5,
	                           .server_cpus = -1,
	                           .softirq_cpus = 0.1,
	                           .client_cpus_most = 2};

	t.answers[ANSWER_GOOD] = 10000;
	return t;
}

static void check(struct result_traffic *t, const struct limited_case *c, enum limited wanted,
                  const char *words)
{
	limited_judge(t, c);
	assert_int_equal(t->limited, wanted);
	if (!strstr(t->why, words))
		fail_msg("'%s' is not in '%s'", words, t->why);
}

static void test_limited_open(void **state)
{
	struct result_traffic t = held();

	(void)state;
	check(&t, &open_case, LIMITED_NOT, "the rate was held; slip p99 0");
	t.answers[ANSWER_GOOD] = 9898; /* 1 % and one a worker */
	check(&t, &open_case, LIMITED_NOT, "held");
	t.answers[ANSWER_GOOD] = 9000;
	t.busy = 1000;
	check(&t, &open_case, LIMITED_TARGET, "1,000 messages were due while");
	t = held();
	t.corrected.p99_ns = 60000000;
	t.busy = 12;
	check(&t, &open_case, LIMITED_TARGET, "12 messages were due while");
	t.busy = 0; /* it was slip, though not enough of it to be named */
	check(&t, &open_case, LIMITED_NOT, "the rate was held; slip p99");
	t.answers[ANSWER_GOOD] = 9000;
	check(&t, &open_case, LIMITED_TARGET, "not all that was said was answered; answers took");
	t = held();
	t.corrected.p99_ns = t.slip.p99_ns = 60000000;
	check(&t, &open_case, LIMITED_TOOL, "messages were said late: slip p99 60");
	t = held();
	t.answers[ANSWER_GOOD] = t.said = 5000;
	t.client_cpus = 1.95;
	check(&t, &open_case, LIMITED_TOOL, "client workers used 1.95 of the 2 CPUs");
	t.client_cpus = 0.3;
	check(&t, &open_case, LIMITED_TARGET,
	      "fewer messages were said than were due, as connections were closed or rested; "
	      "client workers used 0.30 of the 2 CPUs they may, all programs 1.00 of 2");
	t = held();
	t.corrected.count = 0;
	check(&t, &open_case, LIMITED_NOT, "a script without an expect waits for nothing");
	t.answers[ANSWER_GOOD] = 0;
	check(&t, &open_case, LIMITED_TARGET, "nothing was answered");
}

static void test_limited_closed(void **state)
{
	struct limited_case c = open_case;
	struct result_traffic t = held();

	(void)state;
	c.is_open_loop = false;
	t.asked_per_s = 0;
	check(&t, &c, LIMITED_TARGET, "answers are waited for: client workers used 0.50 of the 2");
	t.client_cpus = 1.9;
	check(&t, &c, LIMITED_TOOL, "client workers used 1.90 of the 2 CPUs");
	t.client_cpus = 0.7;
	c.busy_cpus = 2;
	check(&t, &c, LIMITED_TARGET,
	      "this machine's CPUs are used up: clients 0.70, all 2.00 of 2");
	t.client_cpus = 1.1;
	check(&t, &c, LIMITED_TOOL, "this machine's CPUs are used up");
	c.kind = RUN_LAB;
	t.client_cpus = 0.96;
	t.server_cpus = 0.86;
	t.softirq_cpus = 0.4;
	check(&t, &c, LIMITED_TOOL,
	      "both ends are ours and share 2 CPUs: clients 48 %, servers 43 %; softirq 20 %");
}

static void test_limited_push(void **state)
{
	struct limited_case c = open_case;
	struct result_traffic t = held();

	(void)state;
	t.kind = TRAFFIC_PUSH;
	c.every_ns = NS_PER_S;
	t.last.max_ns = 900000000;
	check(&t, &c, LIMITED_NOT, "each round was over before the next; the slowest took 900");
	t.last.max_ns = 1100000000;
	check(&t, &c, LIMITED_TARGET, "a round took up to 1.1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_traffic, make),
		cmocka_unit_test_setup(test_closed, make),
		cmocka_unit_test_setup(test_dead, make),
		cmocka_unit_test_setup(test_churn, make),
		cmocka_unit_test_setup(test_storm, make),
		cmocka_unit_test_setup(test_rounds, make),
		cmocka_unit_test(test_limited_open),
		cmocka_unit_test(test_limited_closed),
		cmocka_unit_test(test_limited_push),
	};

	return cmocka_run_group_tests_name("unit_stages", tests, NULL, NULL);
}
