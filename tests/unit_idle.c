/* idle: a bound is found, wherever it lies, by few connections or many, over a path that loses some
 * of them; and none where there is none. */
#include "plan/idle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <stdio.h>

#define MS     UINT64_C(1000000)
#define S      (1000 * MS)
#define MINUTE (60 * S)

/* Something between that forgets connections. */
struct box {
	uint64_t bound_ns; /* that have rested for so long; UINT64_MAX: never */
	enum idle_end how; /* how that looks */
	uint32_t lost, of; /* of so many, so many are dead by chance */
	unsigned int seed;
	uint64_t waited_ns; /* for all passes together */
};

static struct idle_ladder ladder;

static enum idle_end fate(struct box *box, uint64_t rest_ns, uint64_t *rested_ns)
{
	bool is_at_rest = box->how == IDLE_CLOSED || box->how == IDLE_CUT;

	*rested_ns = rest_ns;
	if (rest_ns >= box->bound_ns) {
		if (is_at_rest)
			*rested_ns = box->bound_ns;
		return box->how;
	}
	if (box->of > 0 && (uint32_t)rand_r(&box->seed) % box->of < box->lost)
		return IDLE_SILENT;
	return IDLE_LIVES;
}

/* As the run does it: by their time, until it is decided. */
static void pass(struct box *box)
{
	for (uint32_t i = 0; i < ladder.count; i++) {
		uint64_t rested_ns = 0;

		uint32_t wanted = ladder.rungs[i].wanted;

		for (uint32_t k = 0; k < wanted; k++) {
			enum idle_end end = fate(box, ladder.rungs[i].rest_ns, &rested_ns);

			idle_note(&ladder, i, end, rested_ns, false);
		}
		if (wanted > 0 && idle_is_decided(&ladder)) {
			box->waited_ns += rested_ns;
			return;
		}
	}
	box->waited_ns += ladder.rungs[ladder.count - 1].rest_ns;
}

static struct idle_bound find(struct box *box, uint64_t most_ns, uint32_t connections)
{
	idle_begin(&ladder, most_ns, connections);
	do {
		assert_true(idle_wanted(&ladder) > 0);
		assert_true(idle_wanted(&ladder) <= connections);
		pass(box);
	} while (idle_refine(&ladder));
	return idle_judge(&ladder);
}

static void assert_found(const struct box *box, const struct idle_bound *bound)
{
	uint64_t near_ns = idle_near_ns(&ladder, bound->lives_ns);

	if (bound->how != box->how || bound->lives_ns >= box->bound_ns ||
	    bound->dead_ns < box->bound_ns || bound->dead_ns - bound->lives_ns > near_ns)
		fail_msg("bound %.3f s: %s, lives %.3f, dead %.3f, near %.3f",
		         (double)box->bound_ns / S, idle_end_name(bound->how),
		         (double)bound->lives_ns / S, (double)bound->dead_ns / S,
		         (double)near_ns / S);
}

static void test_ladder(void **state)
{
	(void)state;
	idle_begin(&ladder, 10 * MINUTE, 300);
	assert_true(idle_wanted(&ladder) <= 300);
	assert_true(ladder.count > 80);
	assert_int_equal(ladder.rungs[0].rest_ns, S);
	assert_int_equal(ladder.rungs[ladder.count - 1].rest_ns, 10 * MINUTE);
	for (uint32_t i = 1; i < ladder.count; i++) {
		uint64_t before_ns = ladder.rungs[i - 1].rest_ns, rest_ns = ladder.rungs[i].rest_ns;

		assert_true(rest_ns > before_ns);
		assert_true(i + 1 == ladder.count ||
		            rest_ns - before_ns >= idle_near_ns(&ladder, before_ns));
		assert_true((double)rest_ns <= (double)before_ns * 1.08 ||
		            rest_ns - before_ns == S);
	}
}

/* As near as 1 s, or 1 %. */
static void test_near(void **state)
{
	(void)state;
	idle_begin(&ladder, 10 * MINUTE, 300);
	assert_int_equal(idle_near_ns(&ladder, 2 * S), S);
	assert_int_equal(idle_near_ns(&ladder, 100 * S), S);
	assert_int_equal(idle_near_ns(&ladder, 300 * S), 3 * S);
	idle_begin(&ladder, 3 * S, 300);
	assert_int_equal(idle_near_ns(&ladder, 2 * S), 300 * MS);
}

static void test_any_bound(void **state)
{
	static const uint32_t counts[] = {30, 300, 1000, 6000};
	unsigned int seed = 1;

	(void)state;
	for (int i = 0; i < 4000; i++) {
		uint64_t most_ns = (2 + (uint64_t)(rand_r(&seed) % 1200)) * S;
		struct box box = {.how = i % 2 == 0 ? IDLE_SILENT : IDLE_RESET};
		uint32_t count = counts[i % 4];

		box.bound_ns = most_ns / 1000 * (1 + (uint64_t)(rand_r(&seed) % 1000));
		struct idle_bound bound = find(&box, most_ns, count);

		assert_found(&box, &bound);
		assert_true(ladder.passes <= (count < 300 ? 4 : 2));
	}
}

/* It takes little more than twice the bound, and nothing like the whole ladder. */
static void test_time(void **state)
{
	struct box box = {.bound_ns = 30 * S + 1, .how = IDLE_SILENT};

	(void)state;
	struct idle_bound bound = find(&box, 10 * MINUTE, 300);

	assert_found(&box, &bound);
	assert_true(bound.lives_ns <= 30 * S);
	assert_true(box.waited_ns < 70 * S);
}

/* Some die by chance, by a twentieth and more. */
static void test_lossy(void **state)
{
	unsigned int seed = 7;

	(void)state;
	for (int i = 0; i < 500; i++) {
		struct box box = {.how = IDLE_SILENT, .lost = 1, .of = 20, .seed = seed};

		box.bound_ns = (2 + (uint64_t)(rand_r(&seed) % 500)) * S;
		struct idle_bound bound = find(&box, 10 * MINUTE, 300);

		if (bound.how == IDLE_LIVES || bound.dead_ns < box.bound_ns * 95 / 100 ||
		    bound.lives_ns > box.bound_ns)
			fail_msg("bound %.1f s: lives %.1f s, dead %.1f s",
			         (double)box.bound_ns / S, (double)bound.lives_ns / S,
			         (double)bound.dead_ns / S);
	}
}

static void test_none(void **state)
{
	struct box box = {.bound_ns = UINT64_MAX}, lossy = box;

	(void)state;
	struct idle_bound bound = find(&box, 2 * MINUTE, 300);

	assert_int_equal(bound.how, IDLE_LIVES);
	assert_int_equal(bound.lives_ns, 2 * MINUTE);
	assert_true(bound.dead_ns == UINT64_MAX);
	assert_int_equal(ladder.passes, 1);
	for (unsigned int i = 0; i < 200; i++) {
		lossy = (struct box){.bound_ns = UINT64_MAX, .lost = 1, .of = 20, .seed = i};
		bound = find(&lossy, 2 * MINUTE, 300);
		assert_true(bound.lives_ns >= 110 * S);
	}
}

/* Not even the shortest rest is lived through. */
static void test_at_once(void **state)
{
	struct box box = {.bound_ns = 1, .how = IDLE_RESET};

	(void)state;
	struct idle_bound bound = find(&box, 10 * MINUTE, 300);

	assert_int_equal(bound.how, IDLE_RESET);
	assert_int_equal(bound.lives_ns, 0);
	assert_int_equal(bound.dead_ns, S);
	assert_true(box.waited_ns < 5 * S);
}

/* When they end by themselves it is measured, and nothing is left to be found. */
static void test_at_rest(void **state)
{
	struct box box = {.bound_ns = 61234 * MS, .how = IDLE_CLOSED};

	(void)state;
	struct idle_bound bound = find(&box, 10 * MINUTE, 300);

	assert_int_equal(bound.how, IDLE_CLOSED);
	assert_int_equal(bound.dead_ns, 61234 * MS);
	assert_int_equal(bound.ended_least_ns, 61234 * MS);
	assert_true(bound.lives_ns < 61234 * MS);
	assert_int_equal(ladder.passes, 1);
}

/* Some were spoken to just when their time was over. */
static void test_race(void **state)
{
	uint32_t at;

	(void)state;
	idle_begin(&ladder, 10 * S, 300);
	for (at = 0; ladder.rungs[at].rest_ns < 2 * S; at++)
		idle_note(&ladder, at, IDLE_LIVES, ladder.rungs[at].rest_ns, false);
	for (uint32_t k = 0; k < 3; k++)
		idle_note(&ladder, at, IDLE_CLOSED_AFTER, 2 * S, false);
	idle_note(&ladder, at + 1, IDLE_CLOSED, 2010 * MS, false);
	idle_note(&ladder, at + 2, IDLE_CLOSED, 2010 * MS, false);
	struct idle_bound bound = idle_judge(&ladder);

	assert_int_equal(bound.how, IDLE_CLOSED);
	assert_int_equal(bound.dead_ns, 2010 * MS);
}

/* One that was cut by chance at rest does not say when the others are. */
static void test_outlier(void **state)
{
	(void)state;
	idle_begin(&ladder, 10 * MINUTE, 300);
	idle_note(&ladder, ladder.count - 1, IDLE_CUT, 50 * MS, false);
	for (uint32_t i = 0; i < ladder.count; i++) {
		bool is_over = ladder.rungs[i].rest_ns > 100 * S;

		for (uint32_t k = 0; k < 2; k++)
			idle_note(&ladder, i, is_over ? IDLE_CUT : IDLE_LIVES,
			          is_over ? 100 * S + k * MS : ladder.rungs[i].rest_ns, false);
	}
	struct idle_bound bound = idle_judge(&ladder);

	assert_int_equal(bound.how, IDLE_CUT);
	assert_in_range(bound.dead_ns, 100 * S, 100 * S + MS);
	assert_int_equal(bound.ended_least_ns, 100 * S);
	assert_int_equal(bound.ended_most_ns, 100 * S + MS);
}

/* One connection halves what is not known. */
static void test_one(void **state)
{
	struct box box = {.bound_ns = 5 * S, .how = IDLE_SILENT};

	(void)state;
	struct idle_bound bound = find(&box, 16 * S, 1);

	assert_int_equal(bound.how, IDLE_SILENT);
	assert_true(bound.lives_ns < 5 * S && bound.dead_ns >= 5 * S);
	assert_true(bound.dead_ns - bound.lives_ns <= S);
}

/* What the machine was late by is part of when it was dead, not of when it lived. */
static void test_late(void **state)
{
	(void)state;
	idle_begin(&ladder, 10 * S, 300);
	for (uint32_t i = 0; i < ladder.count; i++) {
		bool is_over = ladder.rungs[i].rest_ns > 4 * S;

		for (uint32_t k = 0; k < 3; k++)
			idle_note(&ladder, i, is_over ? IDLE_SILENT : IDLE_LIVES,
			          ladder.rungs[i].rest_ns + 300 * MS, true);
	}
	struct idle_bound bound = idle_judge(&ladder);

	assert_int_equal(bound.lives_ns, 4 * S);
	assert_int_equal(bound.dead_ns, 5300 * MS);
	assert_int_equal(bound.late_ns, 300 * MS);
	assert_true(bound.is_kept);
	assert_false(idle_refine(&ladder));
}

static void test_names(void **state)
{
	(void)state;
	for (int i = 0; i < IDLE_END_COUNT; i++)
		assert_int_equal(idle_end_named(idle_end_name((enum idle_end)i)), i);
	assert_int_equal(idle_end_named("dead"), IDLE_END_COUNT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ladder),    cmocka_unit_test(test_near),
		cmocka_unit_test(test_any_bound), cmocka_unit_test(test_time),
		cmocka_unit_test(test_lossy),     cmocka_unit_test(test_none),
		cmocka_unit_test(test_at_once),   cmocka_unit_test(test_at_rest),
		cmocka_unit_test(test_outlier),   cmocka_unit_test(test_one),
		cmocka_unit_test(test_late),      cmocka_unit_test(test_names),
		cmocka_unit_test(test_race),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
