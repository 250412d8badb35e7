/* roll: see the header. */
#include "base/roll.h"

#include "base/map.h"
#include "base/text.h"

#include <errno.h>
#include <string.h>

#define ALIGN      UINT64_C(64)
#define COUNT_MOST (UINT64_C(1) << 32)

static uint64_t bitmap_bytes(uint64_t count)
{
	return (count + 8 * ALIGN - 1) / (8 * ALIGN) * ALIGN;
}

struct roll *roll_make(uint32_t workers, uint64_t indexes)
{
	uint64_t arena = ROLL_ROUNDS * (bitmap_bytes(indexes) + (uint64_t)ROLL_RUNS * ALIGN);
	size_t total = sizeof(struct roll) + workers * sizeof(struct roll_worker) + arena;
	struct roll *roll = map_shared(total);

	if (!roll)
		return NULL;
	roll->worker_count = workers;
	roll->arena_bytes = arena;
	roll->total_bytes = total;
	return roll;
}

void roll_drop(struct roll *roll)
{
	if (roll)
		map_drop(roll, roll->total_bytes);
}

static uint8_t *arena_of(struct roll *roll)
{
	return (uint8_t *)&roll->workers[roll->worker_count];
}

static const uint8_t *arena(const struct roll *roll)
{
	return (const uint8_t *)&roll->workers[roll->worker_count];
}

uint32_t roll_id(const struct roll_run *run)
{
	return __atomic_load_n(&run->id, __ATOMIC_ACQUIRE);
}

/* --- places ------------------------------------------------------------------------------- */

static uint64_t end_of(const struct roll_run *run)
{
	return run->offset + ROLL_ROUNDS * run->bitmap_bytes;
}

/* Whether what a place has, or has had until now, still stands in the arena. */
static bool holds_arena(const struct roll_run *run, uint64_t now_ns)
{
	return run->id != 0 || (run->struck_ns != 0 && now_ns - run->struck_ns < ROLL_REST_NS);
}

/* The lowest offset where `bytes` are free: 0, or behind one of the runs. False: there is none. */
static bool find_arena(const struct roll *roll, uint64_t bytes, uint64_t now_ns, uint64_t *offset)
{
	uint64_t lowest = UINT64_MAX;

	for (int i = -1; i < ROLL_RUNS; i++) {
		uint64_t at = i < 0 ? 0 : end_of(&roll->runs[i]);
		bool is_free = (i < 0 || holds_arena(&roll->runs[i], now_ns)) &&
		               at + bytes <= roll->arena_bytes;

		for (int j = 0; j < ROLL_RUNS && is_free; j++) {
			const struct roll_run *other = &roll->runs[j];

			is_free = !holds_arena(other, now_ns) || at >= end_of(other) ||
			          at + bytes <= other->offset;
		}
		if (is_free && at < lowest)
			lowest = at;
	}
	*offset = lowest;
	return lowest != UINT64_MAX;
}

static struct roll_run *find_place(struct roll *roll, uint64_t now_ns)
{
	for (int i = 0; i < ROLL_RUNS; i++) {
		if (!holds_arena(&roll->runs[i], now_ns))
			return &roll->runs[i];
	}
	return NULL;
}

static void strike(struct roll_run *run, uint64_t now_ns)
{
	__atomic_store_n(&run->id, 0, __ATOMIC_RELEASE);
	run->struck_ns = now_ns > 0 ? now_ns : 1;
}

/* Those of whom nothing was heard for long: their places are free when they have rested. */
static void strike_stale(struct roll *roll, uint64_t now_ns)
{
	for (int i = 0; i < ROLL_RUNS; i++) {
		struct roll_run *run = &roll->runs[i];

		if (run->id != 0 && now_ns - run->asked_ns > ROLL_STALE_NS)
			strike(run, now_ns);
	}
}

static uint64_t sum_opened(const struct roll *roll, size_t place)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < roll->worker_count; i++)
		sum += __atomic_load_n(&roll->workers[i].opened[place], __ATOMIC_RELAXED);
	return sum;
}

static uint64_t sum_closed(const struct roll *roll, size_t place)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < roll->worker_count; i++)
		sum += __atomic_load_n(&roll->workers[i].closed[place], __ATOMIC_RELAXED);
	return sum;
}

static void fill(struct roll *roll, struct roll_run *run, const struct roll_said *said,
                 uint64_t offset, uint64_t now_ns)
{
	size_t place = (size_t)(run - roll->runs);

	run->said = *said;
	run->bitmap_bytes = bitmap_bytes(said->count);
	run->offset = offset;
	run->entered_ns = run->asked_ns = now_ns;
	run->opened_before = sum_opened(roll, place);
	run->closed_before = sum_closed(roll, place);
	memset(arena_of(roll) + offset, 0, ROLL_ROUNDS * run->bitmap_bytes);
	roll->last_id = roll->last_id == UINT32_MAX ? 1 : roll->last_id + 1;
	__atomic_store_n(&run->id, roll->last_id, __ATOMIC_RELEASE);
}

static int refuse_size(const struct roll *roll, uint64_t count, struct err *err)
{
	char line[256];
	struct text t;

	text_init(&t, line, sizeof(line));
	text_add(&t, "a run of ");
	text_count(&t, count);
	text_add(&t, " connections does not fit beside ");
	text_count(&t, roll_count(roll));
	text_add(&t, " others: this server keeps the proofs of ");
	text_count(&t, roll->arena_bytes * 8 / ROLL_ROUNDS);
	text_add(&t, " in all");
	return err_set(err, -ENOSPC, "%s", line);
}

int roll_enter(struct roll *roll, const struct roll_said *said, uint64_t now_ns, uint32_t *id,
               struct err *err)
{
	struct roll_run *run;
	uint64_t offset;

	if (said->count == 0 || said->first >= COUNT_MOST || said->count > COUNT_MOST - said->first)
		return err_set(err, -EINVAL,
		               "indexes first .. first+count-1 are below 2^32, and there is one");
	run = find_place(roll, now_ns);
	if (!run) {
		strike_stale(roll, now_ns);
		return err_set(err, -ENOSPC,
		               "there are %d runs already: end one (DELETE), or wait a minute for "
		               "one that is gone",
		               ROLL_RUNS);
	}
	if (!find_arena(roll, ROLL_ROUNDS * bitmap_bytes(said->count), now_ns, &offset)) {
		strike_stale(roll, now_ns);
		return refuse_size(roll, said->count, err);
	}
	fill(roll, run, said, offset, now_ns);
	*id = run->id;
	return 0;
}

static struct roll_run *find(struct roll *roll, uint32_t id)
{
	for (int i = 0; i < ROLL_RUNS && id != 0; i++) {
		if (roll->runs[i].id == id)
			return &roll->runs[i];
	}
	return NULL;
}

const struct roll_run *roll_find(const struct roll *roll, uint32_t id)
{
	for (int i = 0; i < ROLL_RUNS && id != 0; i++) {
		if (roll->runs[i].id == id)
			return &roll->runs[i];
	}
	return NULL;
}

const struct roll_run *roll_ask(struct roll *roll, uint32_t id, uint64_t now_ns)
{
	struct roll_run *run = find(roll, id);

	if (run)
		run->asked_ns = now_ns;
	return run;
}

bool roll_strike(struct roll *roll, uint32_t id, uint64_t now_ns)
{
	struct roll_run *run = find(roll, id);

	if (run)
		strike(run, now_ns);
	return run != NULL;
}

uint32_t roll_count(const struct roll *roll)
{
	uint32_t count = 0;

	for (int i = 0; i < ROLL_RUNS; i++)
		count += roll_id(&roll->runs[i]) != 0;
	return count;
}

/* --- of workers --------------------------------------------------------------------------- */

const struct roll_run *roll_next(const struct roll *roll, uint32_t index, uint32_t *place)
{
	while (*place < ROLL_RUNS) {
		const struct roll_run *run = &roll->runs[(*place)++];

		if (roll_id(run) != 0 && index >= run->said.first &&
		    index - run->said.first < run->said.count)
			return run;
	}
	return NULL;
}

void roll_mark(struct roll *roll, const struct roll_run *run, unsigned int round, uint32_t index)
{
	uint64_t bit = index - run->said.first;
	uint64_t at = run->offset + round * run->bitmap_bytes + bit / 8;

	/* A worker that had no turn for longer than a place rests finds another run in it. */
	if (bit < run->said.count && at < roll->arena_bytes)
		__atomic_fetch_or(&arena_of(roll)[at], (uint8_t)(1U << (bit % 8)),
		                  __ATOMIC_RELAXED);
}

/* One writer each. */
#define COUNT(counter) __atomic_store_n(&(counter), (counter) + 1, __ATOMIC_RELAXED)

void roll_opened(struct roll *roll, uint32_t worker, uint32_t id)
{
	for (int i = 0; i < ROLL_RUNS; i++) {
		if (roll_id(&roll->runs[i]) == id)
			COUNT(roll->workers[worker].opened[i]);
	}
}

void roll_closed(struct roll *roll, uint32_t worker, uint32_t id)
{
	for (int i = 0; i < ROLL_RUNS; i++) {
		if (roll_id(&roll->runs[i]) == id)
			COUNT(roll->workers[worker].closed[i]);
	}
}

/* --- of who answers ----------------------------------------------------------------------- */

const uint8_t *roll_bits(const struct roll *roll, const struct roll_run *run, unsigned int round)
{
	return arena(roll) + run->offset + round * run->bitmap_bytes;
}

uint64_t roll_bits_bytes(const struct roll_run *run)
{
	return (run->said.count + 7) / 8;
}

uint64_t roll_proved(const struct roll *roll, const struct roll_run *run, unsigned int round)
{
	const uint8_t *bits = roll_bits(roll, run, round);
	uint64_t sum = 0;

	for (uint64_t i = 0; i < run->bitmap_bytes; i++)
		sum += (uint64_t)__builtin_popcount(bits[i]);
	return sum;
}

/* What was closed is looked at first: what comes and goes meanwhile is not taken for less. */
uint64_t roll_open(const struct roll *roll, const struct roll_run *run)
{
	size_t place = (size_t)(run - roll->runs);
	uint64_t closed = sum_closed(roll, place) - run->closed_before;
	uint64_t opened = sum_opened(roll, place) - run->opened_before;

	return opened > closed ? opened - closed : 0;
}
