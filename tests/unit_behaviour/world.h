/* world: what a client or a server worker needs to run over a fake engine, with the other side
 * played by the test and the time by the fake. */
#pragma once

#include "engine/engine.h"
#include "fake_engine.h"
#include "run/experiment.h"
#include "run/shm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT_OF(a)        (sizeof(a) / sizeof((a)[0]))
#define WORLD_CONNECTIONS  120
#define WORLD_RETRIES_MOST 2
#define WORLD_POLLS_MOST   400000

struct world {
	uint64_t now_ns;
	struct fake_faults faults;
	struct fake *fake;
	struct experiment *x;
	struct shm *shm;
	struct shm_worker *me;
	uint64_t random;
};

/* Makes one for a worker of this role, with faults and options drawn from the seed. THE place that
 * knows what an experiment consists of. `with` goes to `pump`. */
void world_make(struct world *w, enum role role, uint64_t seed, void (*pump)(void *with),
                void *with);

/* No faults after all, and nothing in the way of speed. */
void world_set_clean(struct world *w);

/* Fails where either side was used against the contract. */
void world_assert_no_breach(const struct world *w);
void world_drop(struct world *w);

/* Runs seeds 0 .. count - 1, or the one of $SEED. Which one it is at stays on the screen where it
 * fails. */
void world_each_seed(const char *name, uint64_t count, void (*run)(uint64_t seed));

uint64_t world_draw(struct world *w);
uint64_t world_sum(const uint64_t counts[CAUSE_COUNT]);
