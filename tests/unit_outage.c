/* unit_outage: outages of connections that are simulated: each says a message a second, or as soon
 * as it is answered, over a path that is down at times, loses some, or is slow; the counters that
 * this gives are looked at as the director does. */
#include "run/outage.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define MOST    4000
#define START   (1000 * NS_PER_S)
#define STEP_NS (10 * NS_PER_MS)
#define LOOK    10 /* steps */
#define NEVER   UINT64_MAX
#define S(x)    ((uint64_t)((x)*1e9))
#define TICK    S(0.21) /* a look, and a part of base/waits */

/* A connection: what it said waits for an answer that comes at `due_ns`. */
struct conn {
	bool is_open, waits;
	uint64_t said_ns, due_ns, next_ns;
};

struct course {
	uint32_t n;
	uint64_t every_ns;  /* 0: it says the next when it is answered; NEVER: nothing */
	uint64_t answer_ns; /* how long an answer takes */
	uint32_t unlucky;   /* one of so many takes 0.9 s more; 0: none */
	bool reconnects;
	/* Of connections below `part` the path is down then, and said again after as long as it was
	 * down, half of it at least: backoff. */
	struct {
		uint64_t from_ns, to_ns;
		uint32_t part;
	} down[3];
};

static struct conn conns[MOST];
static struct result result;
static struct outage outage;
static struct outage_look counters;
static uint64_t now_ns, took_ns, second_ns;
static int begun, ended;

/* xorshift64 (Marsaglia 2003) */
static uint64_t next_random(void)
{
	static uint64_t state = 88172645463325252ULL;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static bool is_down(const struct course *c, uint32_t i, uint64_t at_ns, uint64_t *since_ns)
{
	for (int d = 0; d < 3; d++) {
		if (i < c->down[d].part && at_ns >= START + c->down[d].from_ns &&
		    at_ns < START + c->down[d].to_ns) {
			*since_ns = START + c->down[d].from_ns;
			return true;
		}
	}
	return false;
}

static void say(const struct course *c, uint32_t i)
{
	struct conn *conn = &conns[i];
	bool is_unlucky = c->unlucky > 0 && next_random() % c->unlucky == 0;

	conn->waits = true;
	conn->said_ns = now_ns;
	conn->due_ns = now_ns + c->answer_ns + (is_unlucky ? S(0.9) : 0);
	waits_begin(&counters.waits, now_ns);
}

static void hear(const struct course *c, uint32_t i)
{
	struct conn *conn = &conns[i];
	uint64_t since_ns;

	if (now_ns < conn->due_ns)
		return;
	if (is_down(c, i, now_ns, &since_ns)) { /* again when it has waited twice as long */
		conn->due_ns = now_ns + (now_ns - conn->said_ns) + S(0.2);
		return;
	}
	conn->waits = false;
	waits_end(&counters.waits, conn->said_ns);
	counters.answered++;
	/* One of a hundred is slower than 99 % of them: it is left out. */
	if (now_ns - conn->said_ns > took_ns && i % 100 > 0)
		took_ns = now_ns - conn->said_ns;
	if (c->every_ns == 0)
		say(c, i);
}

static void step(const struct course *c)
{
	now_ns += STEP_NS;
	for (uint32_t i = 0; i < c->n; i++) {
		struct conn *conn = &conns[i];

		if (!conn->is_open)
			continue;
		if (conn->waits)
			hear(c, i);
		if (!conn->waits && now_ns >= conn->next_ns) {
			say(c, i);
			conn->next_ns += c->every_ns;
		}
	}
}

static void look(void)
{
	counters.now_ns = now_ns;
	counters.took_ns = 0;
	if (now_ns - second_ns >= NS_PER_S) {
		counters.took_ns = took_ns;
		took_ns = 0;
		second_ns = now_ns;
	}
	switch (outage_look(&outage, &counters)) {
	case OUTAGE_BEGAN:
		begun++;
		break;
	case OUTAGE_ENDED:
		ended++;
		break;
	case OUTAGE_NO_NEWS:
		break;
	}
}

static void begin(const struct course *c)
{
	memset(&result, 0, sizeof(result));
	memset(&counters, 0, sizeof(counters));
	memset(conns, 0, sizeof(conns));
	begun = ended = 0;
	now_ns = second_ns = START;
	took_ns = 0;
	for (uint32_t i = 0; i < c->n; i++) {
		uint64_t spread_ns = c->every_ns / c->n * i;

		conns[i].is_open = true;
		conns[i].next_ns = c->every_ns == NEVER ? NEVER : START + spread_ns;
	}
	counters.open = c->n;
	counters.now_ns = now_ns;
	outage_begin(&outage, &counters, c->reconnects, &result);
}

static void run(const struct course *c, uint64_t for_ns)
{
	for (uint64_t end_ns = now_ns + for_ns; now_ns < end_ns;) {
		for (int i = 0; i < LOOK; i++)
			step(c);
		look();
	}
}

static void lose(uint32_t from, uint32_t to, enum cause cause)
{
	for (uint32_t i = from; i < to; i++) {
		conns[i].is_open = false;
		if (conns[i].waits)
			waits_end(&counters.waits, conns[i].said_ns);
		conns[i].waits = false;
		counters.lost[cause]++;
		counters.open--;
	}
}

static void bring_back(uint32_t from, uint32_t to)
{
	for (uint32_t i = from; i < to; i++) {
		conns[i].is_open = true;
		conns[i].next_ns = conns[i].next_ns == NEVER ? NEVER : now_ns;
		counters.back++;
		counters.open++;
	}
}

static void end(void)
{
	outage_end(&outage);
}

static void assert_near(uint64_t value_ns, uint64_t expected_ns, uint64_t off_ns)
{
	if (value_ns + off_ns < expected_ns || value_ns > expected_ns + off_ns)
		fail_msg("%.3f s, not %.3f s", (double)value_ns / 1e9, (double)expected_ns / 1e9);
}

static void assert_none(void)
{
	end();
	assert_int_equal(result.outage_count, 0);
	assert_int_equal(begun, 0);
}

/* ---- silence -------------------------------------------------------------------------------- */

static void test_all_answer(void **state)
{
	const struct course quick = {.n = 2000, .every_ns = NS_PER_S, .answer_ns = S(0.02)};
	const struct course idle = {.n = 2000, .every_ns = NEVER};

	(void)state;
	begin(&quick);
	run(&quick, S(10));
	assert_none();
	begin(&idle);
	run(&idle, S(10));
	assert_none();
}

/* A link that is down while nothing is said is not noticed, and no outage. */
static void test_nobody_speaks(void **state)
{
	const struct course c = {.n = 2000, .every_ns = NEVER, .down = {{S(3), S(13), 2000}}};

	(void)state;
	begin(&c);
	run(&c, S(20));
	assert_none();
}

/* Answers of seconds are usual to a server that has more to do than it can; and of a hundred
 * messages one has a packet that is lost. */
static void test_slow_is_no_outage(void **state)
{
	const struct course courses[] = {
		{.n = 2000, .answer_ns = S(1.5)},
		{.n = 2000, .answer_ns = S(6)}, /* more than base/waits can tell */
		{.n = 2000, .every_ns = NS_PER_S, .answer_ns = S(0.02), .unlucky = 100}};
	(void)state;
	for (int i = 0; i < 3; i++) {
		begin(&courses[i]);
		run(&courses[i], S(40));
		assert_none();
	}
}

static void assert_silence(const struct result_outage *o, uint64_t from_ns, uint64_t silent,
                           uint64_t quiet_least_ns, uint64_t quiet_most_ns)
{
	assert_near(o->start_ns, from_ns, TICK);
	assert_int_equal(o->silent, silent);
	assert_in_range(o->quiet_ns, quiet_least_ns - TICK, quiet_most_ns + TICK);
	assert_true(o->answered_ns != RESULT_UNKNOWN && o->answered_ns >= o->quiet_ns);
	assert_near(o->duration_ns, o->answered_ns, TICK);
	assert_int_equal(o->lost, 0);
	assert_true(o->back_50_ns == RESULT_UNKNOWN);
}

static void test_link_down(void **state)
{
	const uint64_t lengths[] = {S(1), S(3), S(10)};

	(void)state;
	for (int i = 0; i < 3; i++) {
		const struct course c = {.n = 2000,
		                         .every_ns = NS_PER_S,
		                         .answer_ns = S(0.02),
		                         .down = {{S(5), S(5) + lengths[i], 2000}}};

		begin(&c);
		run(&c, S(40));
		end();
		assert_int_equal(result.outage_count, 1);
		assert_int_equal(begun, 1);
		assert_int_equal(ended, 1);
		assert_in_range(result.outages[0].silent, i == 0 ? 800 : 1990, 2000);
		result.outages[0].silent = 2000;
		assert_silence(&result.outages[0], S(5), 2000, lengths[i], 2 * lengths[i]);
		assert_int_equal(result.outages[0].open_before, 2000);
		assert_int_equal(result.outages[0].open_least, 2000);
	}
}

/* Those of one address, a twentieth, while the others speak on. */
static void test_some_silent(void **state)
{
	const struct course c = {.n = 2000,
	                         .every_ns = NS_PER_S,
	                         .answer_ns = S(0.02),
	                         .unlucky = 200,
	                         .down = {{S(5), S(9), 100}}};

	(void)state;
	begin(&c);
	run(&c, S(30));
	end();
	assert_int_equal(result.outage_count, 1);
	assert_in_range(result.outages[0].silent, 98, 120); /* and the unlucky */
	assert_near(result.outages[0].start_ns, S(5), S(0.5));
	assert_in_range(result.outages[0].quiet_ns, S(3.3), S(8.4));
	assert_true(result.outages[0].answered_ns != RESULT_UNKNOWN);
}

/* Few are under way at a time: all of them are silent. */
static void test_few_under_way(void **state)
{
	struct course c = {.n = 10, .answer_ns = S(0.02), .down = {{S(5), S(8), 10}}};

	(void)state;
	begin(&c);
	counters.open = 10000;
	outage.last.open = 10000;
	run(&c, S(20));
	end();
	assert_int_equal(result.outage_count, 1);
	assert_silence(&result.outages[0], S(5), 10, S(3), S(6.5));
}

static void test_never_again(void **state)
{
	const struct course c = {.n = 2000,
	                         .every_ns = NS_PER_S,
	                         .answer_ns = S(0.02),
	                         .down = {{S(5), S(100), 2000}}};

	(void)state;
	begin(&c);
	run(&c, S(15));
	end();
	assert_int_equal(result.outage_count, 1);
	assert_int_equal(ended, 0);
	assert_true(result.outages[0].quiet_ns == RESULT_UNKNOWN);
	assert_true(result.outages[0].answered_ns == RESULT_UNKNOWN);
	assert_true(result.outages[0].duration_ns == RESULT_UNKNOWN);
	assert_int_equal(result.outages[0].silent, 2000);
}

/* Nobody is answered again, and then they are lost: there is no silence any more. */
static void test_silent_then_lost(void **state)
{
	const struct course c = {.n = 2000,
	                         .every_ns = NS_PER_S,
	                         .answer_ns = S(0.02),
	                         .down = {{S(5), S(100), 2000}}};

	(void)state;
	begin(&c);
	run(&c, S(12));
	lose(0, 2000, CAUSE_PATH_GONE);
	run(&c, S(2));
	end();
	assert_int_equal(result.outage_count, 1);
	assert_int_equal(ended, 1);
	assert_int_equal(result.outages[0].silent, 2000);
	assert_int_equal(result.outages[0].lost, 2000);
	assert_int_equal(result.outages[0].lost_by_cause[CAUSE_PATH_GONE], 2000);
	assert_int_equal(result.outages[0].open_least, 0);
	assert_true(result.outages[0].quiet_ns == RESULT_UNKNOWN);
	assert_near(result.outages[0].duration_ns, S(7.1), TICK);
}

static void test_two_in_a_row(void **state)
{
	const struct course c = {.n = 2000,
	                         .every_ns = NS_PER_S,
	                         .answer_ns = S(0.02),
	                         .down = {{S(5), S(7), 2000}, {S(15), S(18), 2000}}};

	(void)state;
	begin(&c);
	run(&c, S(30));
	end();
	assert_int_equal(result.outage_count, 2);
	assert_int_equal(ended, 2);
	assert_near(result.outages[0].start_ns, S(5), TICK);
	assert_near(result.outages[1].start_ns, S(15), TICK);
}

/* It comes back for a moment only: one outage, not two. */
static void test_flapping(void **state)
{
	const struct course c = {
		.n = 2000,
		.every_ns = NS_PER_S,
		.answer_ns = S(0.02),
		.down = {{S(5), S(8), 2000}, {S(8.4), S(11), 2000}, {S(11.4), S(13), 2000}}};

	(void)state;
	begin(&c);
	run(&c, S(50));
	end();
	assert_int_equal(result.outage_count, 1);
	assert_near(result.outages[0].start_ns, S(5), TICK);
	assert_in_range(result.outages[0].answered_ns, S(8), S(22));
}

/* What was usual to one stage is not to the next. */
static void test_another_stage(void **state)
{
	const struct course quick = {.n = 2000, .every_ns = NS_PER_S, .answer_ns = S(0.02)};
	const struct course slow = {.n = 2000, .answer_ns = S(1.2)};

	(void)state;
	begin(&quick);
	run(&quick, S(5));
	for (uint32_t i = 0; i < quick.n; i++) { /* a stage waits for what is under way */
		if (conns[i].waits)
			waits_end(&counters.waits, conns[i].said_ns);
		conns[i].waits = false;
	}
	took_ns = 0;
	second_ns = now_ns;
	outage_forget_usual(&outage);
	run(&slow, S(10));
	assert_none();
}

/* ---- losses --------------------------------------------------------------------------------- */

static void test_lost_for_good(void **state)
{
	const struct course c = {.n = 2000, .every_ns = NEVER};

	(void)state;
	begin(&c);
	run(&c, S(3));
	lose(0, 500, CAUSE_RESET);
	run(&c, S(0.1));
	lose(500, 600, CAUSE_CLOSED);
	run(&c, S(3));
	end();
	assert_int_equal(result.outage_count, 1);
	assert_int_equal(ended, 1);
	assert_near(result.outages[0].start_ns, S(3.1), TICK);
	assert_near(result.outages[0].duration_ns, S(0.1), TICK);
	assert_int_equal(result.outages[0].silent, 0);
	assert_int_equal(result.outages[0].lost, 600);
	assert_int_equal(result.outages[0].lost_by_cause[CAUSE_RESET], 500);
	assert_int_equal(result.outages[0].lost_by_cause[CAUSE_CLOSED], 100);
	assert_int_equal(result.outages[0].open_least, 1400);
	assert_int_equal(result.outages[0].back, 0);
}

static void test_all_come_back(void **state)
{
	const struct course c = {.n = 1000, .every_ns = NEVER, .reconnects = true};

	(void)state;
	begin(&c);
	run(&c, S(2));
	lose(0, 1000, CAUSE_RESET);
	run(&c, S(5));
	bring_back(0, 499);
	run(&c, S(1));
	bring_back(499, 990);
	run(&c, S(1));
	bring_back(990, 1000);
	run(&c, S(3));
	end();
	const struct result_outage *o = &result.outages[0];

	assert_int_equal(result.outage_count, 1);
	assert_int_equal(ended, 1);
	assert_int_equal(o->lost, 1000);
	assert_int_equal(o->back, 1000);
	assert_int_equal(o->open_least, 0);
	assert_near(o->back_50_ns, S(6), TICK);
	assert_near(o->back_99_ns, S(6), TICK);
	assert_near(o->back_100_ns, S(7), TICK);
	assert_near(o->duration_ns, S(7), TICK);
}

/* More are lost when half are back: the time of a half is a later one. */
static void test_lost_once_more(void **state)
{
	const struct course c = {.n = 1000, .every_ns = NEVER, .reconnects = true};

	(void)state;
	begin(&c);
	run(&c, S(2));
	lose(0, 100, CAUSE_RESET);
	run(&c, S(1));
	bring_back(0, 60);
	run(&c, S(1));
	lose(100, 1000, CAUSE_RESET);
	run(&c, S(1));
	bring_back(60, 1000);
	run(&c, S(3));
	end();
	assert_int_equal(result.outage_count, 1);
	assert_int_equal(result.outages[0].lost, 1000);
	assert_near(result.outages[0].back_50_ns, S(3), TICK);
}

static void test_some_never_come_back(void **state)
{
	const struct course c = {.n = 1000, .every_ns = NEVER, .reconnects = true};

	(void)state;
	begin(&c);
	run(&c, S(2));
	lose(0, 100, CAUSE_RESET);
	run(&c, S(1));
	bring_back(0, 99);
	run(&c, S(5));
	end();
	assert_int_equal(result.outage_count, 1);
	assert_int_equal(ended, 0);
	assert_int_equal(result.outages[0].back, 99);
	assert_true(result.outages[0].back_100_ns == RESULT_UNKNOWN);
	assert_true(result.outages[0].duration_ns == RESULT_UNKNOWN);
}

/* The hold ends before it has been well for a second: it was well all the same. */
static void test_hold_ends_soon_after(void **state)
{
	const struct course c = {.n = 1000, .every_ns = NEVER};

	(void)state;
	begin(&c);
	run(&c, S(2));
	lose(0, 100, CAUSE_RESET);
	run(&c, S(0.5));
	end();
	assert_int_equal(result.outage_count, 1);
	assert_true(result.outages[0].duration_ns < TICK);
	begin(&c); /* or as soon as it has begun */
	run(&c, S(2));
	lose(0, 100, CAUSE_RESET);
	look();
	end();
	assert_int_equal(result.outage_count, 1);
	assert_true(result.outages[0].duration_ns < TICK);
}

/* Each counts, though not all have room. */
static void test_more_than_have_room(void **state)
{
	const struct course c = {.n = 1000, .every_ns = NEVER};

	(void)state;
	begin(&c);
	for (uint32_t i = 0; i < RESULT_OUTAGES_MAX + 5; i++) {
		lose(i, i + 1, CAUSE_RESET);
		run(&c, S(3));
	}
	end();
	assert_int_equal(result.outage_count, RESULT_OUTAGES_MAX + 5);
	assert_int_equal(result.outages[RESULT_OUTAGES_MAX - 1].lost, 1);
}

/* One after the other, each within a second of the one before: that is one. */
static void test_a_trickle(void **state)
{
	const struct course c = {.n = 1000, .every_ns = NEVER};

	(void)state;
	begin(&c);
	run(&c, S(1));
	for (uint32_t i = 0; i < 20; i++) {
		lose(i, i + 1, CAUSE_CLOSED);
		run(&c, S(0.5));
	}
	run(&c, S(3));
	end();
	assert_int_equal(result.outage_count, 1);
	assert_int_equal(result.outages[0].lost, 20);
	assert_near(result.outages[0].duration_ns, S(9.5), TICK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_all_answer),
	                                   cmocka_unit_test(test_nobody_speaks),
	                                   cmocka_unit_test(test_slow_is_no_outage),
	                                   cmocka_unit_test(test_link_down),
	                                   cmocka_unit_test(test_some_silent),
	                                   cmocka_unit_test(test_few_under_way),
	                                   cmocka_unit_test(test_never_again),
	                                   cmocka_unit_test(test_silent_then_lost),
	                                   cmocka_unit_test(test_two_in_a_row),
	                                   cmocka_unit_test(test_flapping),
	                                   cmocka_unit_test(test_another_stage),
	                                   cmocka_unit_test(test_lost_for_good),
	                                   cmocka_unit_test(test_all_come_back),
	                                   cmocka_unit_test(test_lost_once_more),
	                                   cmocka_unit_test(test_some_never_come_back),
	                                   cmocka_unit_test(test_hold_ends_soon_after),
	                                   cmocka_unit_test(test_more_than_have_room),
	                                   cmocka_unit_test(test_a_trickle)};

	return cmocka_run_group_tests_name("unit_outage", tests, NULL, NULL);
}
