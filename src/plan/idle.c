/* idle: see the header. */
#include "plan/idle.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define NS             UINT64_C(1000000000)
#define NEAR_PARTS     100
#define SHORT_PARTS    10
#define FACTOR_STEP    0.005
#define FEW            6 /* connections, that are not grouped in threes */
#define DECIDED_EXCESS 5 /* dead above the bound, less those that live there */

uint64_t idle_near_ns(const struct idle_ladder *l, uint64_t rest_ns)
{
	uint64_t least_ns = l->most_ns / SHORT_PARTS < NS ? l->most_ns / SHORT_PARTS : NS;
	uint64_t near_ns = rest_ns / NEAR_PARTS > least_ns ? rest_ns / NEAR_PARTS : least_ns;

	return near_ns > 0 ? near_ns : 1;
}

/* ---- rungs ---------------------------------------------------------------------------------- */

/* The rung of this rest, to which `wanted` are added; it is made where there is none yet. */
static void want(struct idle_ladder *l, uint64_t rest_ns, uint32_t wanted)
{
	uint32_t at = l->count;

	while (at > 0 && l->rungs[at - 1].rest_ns > rest_ns)
		at--;
	if (at > 0 && l->rungs[at - 1].rest_ns == rest_ns) {
		l->rungs[at - 1].wanted = wanted;
		return;
	}
	if (l->count == IDLE_RUNGS_MAX)
		return;
	memmove(&l->rungs[at + 1], &l->rungs[at], (l->count - at) * sizeof(l->rungs[0]));
	l->rungs[at] = (struct idle_rung){.rest_ns = rest_ns, .wanted = wanted};
	l->count++;
}

/* The rung after this one: by the factor, and not nearer than is of any use. */
static uint64_t next_rest_ns(const struct idle_ladder *l, uint64_t rest_ns, double factor)
{
	uint64_t near_ns = idle_near_ns(l, rest_ns);
	double next = (double)rest_ns * factor;

	return next >= (double)l->most_ns           ? l->most_ns
	       : next < (double)(rest_ns + near_ns) ? rest_ns + near_ns
	                                            : (uint64_t)next;
}

static uint32_t count_rungs(const struct idle_ladder *l, double factor)
{
	uint64_t rest_ns = idle_near_ns(l, 0);
	uint32_t count = 1;

	for (; rest_ns < l->most_ns && count <= l->at_once; count++)
		rest_ns = next_rest_ns(l, rest_ns, factor);
	return count;
}

void idle_begin(struct idle_ladder *l, uint64_t most_ns, uint32_t connections)
{
	double factor = 1;

	assert(most_ns > 0 && connections > 0);
	memset(l, 0, sizeof(*l));
	l->most_ns = most_ns;
	l->each = connections < FEW ? 1 : IDLE_EACH;
	l->at_once = connections / l->each;
	l->passes = 1;
	if (l->at_once > IDLE_RUNGS_MAX / 2)
		l->at_once = IDLE_RUNGS_MAX / 2;
	if (l->at_once == 1) {
		want(l, most_ns, l->each);
		return;
	}
	while (count_rungs(l, factor) > l->at_once)
		factor += FACTOR_STEP * factor;
	for (uint64_t rest_ns = idle_near_ns(l, 0);;) {
		rest_ns = rest_ns < most_ns ? rest_ns : most_ns;
		want(l, rest_ns, l->each);
		if (rest_ns == most_ns)
			return;
		rest_ns = next_rest_ns(l, rest_ns, factor);
	}
}

uint32_t idle_wanted(const struct idle_ladder *l)
{
	uint32_t wanted = 0;

	for (uint32_t i = 0; i < l->count; i++)
		wanted += l->rungs[i].wanted;
	return wanted;
}

/* ---- what was seen -------------------------------------------------------------------------- */

static bool is_at_rest(enum idle_end how)
{
	return how == IDLE_CLOSED || how == IDLE_CUT;
}

void idle_skip(struct idle_ladder *l, uint32_t rung)
{
	if (l->rungs[rung].wanted > 0)
		l->rungs[rung].wanted--;
}

void idle_note(struct idle_ladder *l, uint32_t rung, enum idle_end end, uint64_t rested_ns,
               bool is_kept)
{
	struct idle_rung *r = &l->rungs[rung];

	idle_skip(l, rung);
	r->ends[end]++;
	r->kept += is_kept;
	if (is_at_rest(end)) {
		if (l->ended < IDLE_ENDED_MAX)
			l->ended_ns[l->ended++] = rested_ns;
	} else if (rested_ns > r->rest_ns + r->late_ns) {
		r->late_ns = rested_ns - r->rest_ns;
	}
}

static uint32_t dead(const struct idle_rung *r)
{
	uint32_t count = 0;

	for (int i = IDLE_LIVES + 1; i < IDLE_END_COUNT; i++)
		count += r->ends[i];
	return count;
}

/* The first rung above the bound: where the fewest connections contradict it. Of several places
 * the lowest: it differs from the others by rungs of which nothing is known, or as much as not. */
static uint32_t split(const struct idle_ladder *l)
{
	uint32_t best = 0;
	int64_t against = 0, least = 0; /* compared with all being dead */

	for (uint32_t i = 0; i < l->count; i++) {
		against += (int64_t)dead(&l->rungs[i]) - l->rungs[i].ends[IDLE_LIVES];
		if (against < least) {
			least = against;
			best = i + 1;
		}
	}
	return best;
}

static bool is_judged(const struct idle_rung *r)
{
	return dead(r) + r->ends[IDLE_LIVES] > 0;
}

/* Those that end by themselves do it to some just when these are spoken to: a quarter is enough to
 * know them by. */
static enum idle_end most_died_by(const struct idle_ladder *l, uint32_t first)
{
	uint32_t ends[IDLE_END_COUNT] = {0}, all = 0, at_rest;
	int most = IDLE_LIVES;

	for (uint32_t i = first; i < l->count; i++) {
		for (int end = IDLE_LIVES + 1; end < IDLE_END_COUNT; end++)
			ends[end] += l->rungs[i].ends[end];
		all += dead(&l->rungs[i]);
	}
	at_rest = ends[IDLE_CLOSED] + ends[IDLE_CUT];
	for (int end = IDLE_LIVES + 1; end < IDLE_END_COUNT; end++) {
		bool may_be = at_rest * 4 < all || is_at_rest((enum idle_end)end);

		if (may_be && ends[end] > ends[most])
			most = end;
	}
	return (enum idle_end)most;
}

static int by_size(const void *a, const void *b)
{
	uint64_t one = *(const uint64_t *)a, other = *(const uint64_t *)b;

	return (one > other) - (one < other);
}

/* One that ended by chance is not among nine of ten. */
static void measure(const struct idle_ladder *l, struct idle_bound *bound)
{
	uint64_t ended_ns[IDLE_ENDED_MAX];

	memcpy(ended_ns, l->ended_ns, l->ended * sizeof(ended_ns[0]));
	qsort(ended_ns, l->ended, sizeof(ended_ns[0]), by_size);
	bound->dead_ns = ended_ns[l->ended / 2];
	bound->ended_least_ns = ended_ns[l->ended / 20];
	bound->ended_most_ns = ended_ns[l->ended - 1 - l->ended / 20];
	bound->late_ns = 0;
}

struct idle_bound idle_judge(const struct idle_ladder *l)
{
	struct idle_bound bound = {.dead_ns = UINT64_MAX, .how = IDLE_LIVES};
	uint32_t first = split(l);

	for (uint32_t i = first; i < l->count && bound.how == IDLE_LIVES; i++) {
		if (!is_judged(&l->rungs[i]))
			continue;
		bound.late_ns = l->rungs[i].late_ns;
		bound.dead_ns = l->rungs[i].rest_ns + bound.late_ns;
		bound.how = most_died_by(l, i);
	}
	for (uint32_t i = first; i > 0 && bound.lives_ns == 0; i--) {
		const struct idle_rung *r = &l->rungs[i - 1];

		if (r->ends[IDLE_LIVES] == 0)
			continue;
		bound.lives_ns = r->rest_ns;
		bound.is_kept = 2 * r->kept > r->ends[IDLE_LIVES];
	}
	if (is_at_rest(bound.how))
		measure(l, &bound);
	return bound;
}

bool idle_is_decided(const struct idle_ladder *l)
{
	uint32_t first = split(l);
	int64_t excess = 0;

	while (first < l->count && !is_judged(&l->rungs[first]))
		first++;
	for (uint32_t i = 0; i < first; i++) {
		if (l->rungs[i].wanted > 0)
			return false;
	}
	for (uint32_t i = first; i < l->count; i++)
		excess += (int64_t)dead(&l->rungs[i]) - l->rungs[i].ends[IDLE_LIVES];
	return excess >= DECIDED_EXCESS;
}

bool idle_is_near(const struct idle_ladder *l, const struct idle_bound *bound)
{
	return bound->how == IDLE_LIVES || is_at_rest(bound->how) ||
	       bound->dead_ns - bound->late_ns - bound->lives_ns <=
	               idle_near_ns(l, bound->lives_ns);
}

/* What has died is tried again, where there are connections for that: by then it is not chance. */
bool idle_refine(struct idle_ladder *l)
{
	struct idle_bound bound = idle_judge(l);

	if (l->passes == IDLE_PASSES || idle_is_near(l, &bound))
		return false;
	uint64_t between_ns = bound.dead_ns - bound.late_ns - bound.lives_ns;
	uint64_t near_ns = idle_near_ns(l, bound.lives_ns);
	uint64_t parts = (between_ns + near_ns - 1) / near_ns, rungs = parts;

	if (rungs > l->at_once)
		rungs = parts = l->at_once;
	if (parts == 1)
		parts = 2;
	l->passes++;
	for (uint32_t i = 0; i < l->count; i++)
		l->rungs[i].wanted = 0;
	for (uint64_t i = 1; i <= rungs; i++)
		want(l, bound.lives_ns + (uint64_t)((double)between_ns * (double)i / (double)parts),
		     l->each);
	return idle_wanted(l) > 0;
}
