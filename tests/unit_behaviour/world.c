/* world: see the header. */
#include "unit_behaviour/world.h"

#include "base/clock.h"
#include "base/map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The linker gives this one to all that ask for clock_now_ns (Makefile: --wrap). */
static const uint64_t *now;

uint64_t __wrap_clock_now_ns(void); /* NOLINT(*-reserved-identifier,cert-dcl*) */

uint64_t __wrap_clock_now_ns(void) /* NOLINT(*-reserved-identifier,cert-dcl*) */
{
	assert_non_null(now);
	return *now;
}

uint64_t world_draw(struct world *w)
{
	uint64_t x = w->random += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

/* Half of the faults do not happen in a run, so that each is seen without others too. */
static unsigned int draw_fault(struct world *w, unsigned int most)
{
	return world_draw(w) % 2 ? (unsigned int)(world_draw(w) % (most + 1)) : 0;
}

static void draw_faults(struct world *w)
{
	w->faults = (struct fake_faults){
		.seed = world_draw(w),
		.delay = draw_fault(w, 600),
		.short_send = draw_fault(w, 700),
		.no_buffers = draw_fault(w, 300),
		.try_again = draw_fault(w, 300),
		.one_byte = draw_fault(w, 1000),
		.connect = draw_fault(w, 400),
		.unanswered = draw_fault(w, 50),
		.accept = draw_fault(w, 300),
		.reset = draw_fault(w, 20),
		.finish = draw_fault(w, 20),
		.corrupt = draw_fault(w, 20),
		.mute = draw_fault(w, 10),
		.send_slots = world_draw(w) % 2 ? 0 : 1 + (uint32_t)(world_draw(w) % 40),
		.now_ns = &w->now_ns,
		.polls_most = WORLD_POLLS_MOST,
	};
}

static void fill_plan(struct tuple_plan *plan)
{
	struct ip first;

	assert_int_equal(ip_parse("198.18.0.1", &first), 0);
	assert_int_equal(ip_parse("198.19.0.1", &plan->target), 0);
	pool_set(&plan->sources, &first, 4);
	plan->target_port_low = 8090;
	tuple_set_ports(plan, 10000, 20000, NULL, 10001);
	assert_true(tuple_shape(plan, SOLUTION_MIXED, WORLD_CONNECTIONS, 4, 3) >=
	            WORLD_CONNECTIONS);
}

/* A hold with a churn, a storm, or both, or neither. */
static void fill_stage(struct world *w)
{
	struct experiment *x = w->x;
	struct stage *stage = &x->stages[x->stage_count++];

	*stage = (struct stage){
		.duration_ns = UINT64_MAX,
		.in_flight = world_draw(w) % 40,
		.churn_by_reset = world_draw(w) % 2 == 0,
		.storm_at_ns = world_draw(w) % (20 * NS_PER_MS),
	};
	if (world_draw(w) % 3)
		stage->churn_per_s = world_draw(w) % 3 ? 1 + world_draw(w) % 50000 : STAGE_AS_FAST;
	if (world_draw(w) % 2)
		stage->storm_parts = (uint32_t)(1 + world_draw(w) % STAGE_PARTS);
	x->clients = world_draw(w) % 4 ? ENGINE_URING : ENGINE_TUN;
	x->spares = world_draw(w) % 3 * 30;
	x->rest_ns = world_draw(w) % (20 * NS_PER_MS);
}

static void fill_experiment(struct world *w)
{
	struct experiment *x = w->x;

	*x = (struct experiment){
		.kind = RUN_LAB,
		.asked = WORLD_CONNECTIONS,
		.n = WORLD_CONNECTIONS,
		.listeners = 1,
		.listen_groups = 1,
		.knows_tokens = true,
		.server_workers = 1,
		.client_workers = 1,
		.clients_at_once = 1,
		.server_worker_most = WORLD_CONNECTIONS,
		.rate_per_s = world_draw(w) % 2 ? 0 : 1000 + world_draw(w) % 100000,
		.in_flight = 1 + world_draw(w) % 64,
		.timeout_ns = 50 * NS_PER_MS,
		.retries = (uint32_t)(world_draw(w) % (WORLD_RETRIES_MOST + 1)),
		.proof = true,
		.freebind = true, /* the plan's addresses are not this host's */
		.watch = world_draw(w) % 2 == 0,
		.close = ENGINE_CLOSE_FIN,
	};
	x->reconnect = x->watch && world_draw(w) % 2 == 0;
	fill_plan(&x->tuples);
	if (world_draw(w) % 2)
		fill_stage(w);
}

void world_set_clean(struct world *w)
{
	w->faults = (struct fake_faults){
		.seed = w->faults.seed,
		.now_ns = &w->now_ns,
		.polls_most = WORLD_POLLS_MOST,
		.pump = w->faults.pump,
		.with = w->faults.with,
	};
	fake_set_faults(w->fake, &w->faults);
}

void world_make(struct world *w, enum role role, uint64_t seed, void (*pump)(void *with),
                void *with)
{
	*w = (struct world){.now_ns = NS_PER_S, .random = seed * 1000003};
	now = &w->now_ns;
	draw_faults(w);
	w->faults.pump = pump;
	w->faults.with = with;
	w->fake = fake_make(&w->faults, WORLD_CONNECTIONS, -1, -1);
	w->x = calloc(1, sizeof(*w->x));
	w->shm = shm_make(WORLD_CONNECTIONS);
	assert_true(w->x && w->shm);
	fill_experiment(w);
	w->shm->key = seed;
	w->shm->worker_count = 1;
	w->shm->turns = 1;
	w->me = &w->shm->workers[0];
	w->me->role = role;
	w->me->cpu = -1;
	w->me->count = WORLD_CONNECTIONS;
}

void world_assert_no_breach(const struct world *w)
{
	if (fake_breach(w->fake))
		fail_msg("%s", fake_breach(w->fake));
}

void world_drop(struct world *w)
{
	engine_shut(fake_engine(w->fake, FAKE_SERVER));
	engine_shut(fake_engine(w->fake, FAKE_CLIENT));
	fake_drop(w->fake);
	map_drop(w->shm, w->shm->total_bytes);
	free(w->x);
	now = NULL;
}

uint64_t world_sum(const uint64_t counts[CAUSE_COUNT])
{
	uint64_t sum = 0;

	for (int i = 0; i < CAUSE_COUNT; i++)
		sum += counts[i];
	return sum;
}

void world_each_seed(const char *name, uint64_t count, void (*run)(uint64_t seed))
{
	const char *only = getenv("SEED");
	uint64_t first = only ? strtoull(only, NULL, 10) : 0;

	for (uint64_t seed = first; seed < (only ? first + 1 : count); seed++) {
		(void)printf("%s seed %llu\r", name, (unsigned long long)seed);
		run(seed);
	}
}
