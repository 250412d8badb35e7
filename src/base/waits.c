/* waits: a ring of counts by time. What falls out of it is added to one sum. */
#include "base/waits.h"

#define COPY_TRIES 100

#define set(field, value) __atomic_store_n(&(field), (value), __ATOMIC_RELAXED)
#define get(field)        __atomic_load_n(&(field), __ATOMIC_RELAXED)

static uint64_t part_of(uint64_t at_ns)
{
	return at_ns >> WAITS_SHIFT;
}

/* Whether a part has left the ring. */
static bool is_older(const struct waits *w, uint64_t part)
{
	return part + WAITS_PARTS <= w->newest;
}

static uint64_t oldest_of(const struct waits *w)
{
	return w->newest < WAITS_PARTS ? 0 : w->newest + 1 - WAITS_PARTS;
}

static void turn(struct waits *w, uint64_t newest)
{
	uint64_t from = newest - w->newest > WAITS_PARTS ? newest - WAITS_PARTS : w->newest;

	__atomic_store_n(&w->changes, w->changes + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	for (uint64_t part = from + 1; part <= newest; part++) {
		uint64_t *count = &w->parts[part % WAITS_PARTS];

		set(w->older, w->older + *count);
		set(*count, 0);
	}
	set(w->newest, newest);
	__atomic_store_n(&w->changes, w->changes + 1, __ATOMIC_RELEASE);
}

/* Of that part, or of the sum. */
static uint64_t *count_of(struct waits *w, uint64_t part)
{
	return is_older(w, part) ? &w->older : &w->parts[part % WAITS_PARTS];
}

void waits_begin(struct waits *w, uint64_t at_ns)
{
	uint64_t part = part_of(at_ns), *count;

	if (part > w->newest)
		turn(w, part);
	count = count_of(w, part);
	set(*count, *count + 1);
}

void waits_end(struct waits *w, uint64_t began_ns)
{
	uint64_t *count = count_of(w, part_of(began_ns));

	set(*count, *count - 1);
}

/* A copy that nobody has turned meanwhile. */
static bool copy(struct waits *to, const struct waits *from)
{
	for (int tries = 0; tries < COPY_TRIES; tries++) {
		uint32_t before = __atomic_load_n(&from->changes, __ATOMIC_ACQUIRE);

		to->newest = get(from->newest);
		to->older = get(from->older);
		for (int i = 0; i < WAITS_PARTS; i++)
			to->parts[i] = get(from->parts[i]);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (before % 2 == 0 && get(from->changes) == before)
			return true;
	}
	return false;
}

bool waits_add(struct waits *sum, const struct waits *one)
{
	struct waits other;

	if (!copy(&other, one))
		return false;
	if (other.newest > sum->newest)
		turn(sum, other.newest);
	sum->older += other.older;
	for (uint64_t part = oldest_of(&other); part <= other.newest; part++)
		*count_of(sum, part) += other.parts[part % WAITS_PARTS];
	return true;
}

static uint64_t count_below(const struct waits *w, uint64_t end)
{
	uint64_t sum = w->older;

	for (uint64_t part = oldest_of(w); part <= w->newest && part < end; part++)
		sum += w->parts[part % WAITS_PARTS];
	return sum;
}

uint64_t waits_all(const struct waits *w)
{
	return count_below(w, UINT64_MAX);
}

uint64_t waits_before(const struct waits *w, uint64_t at_ns)
{
	return count_below(w, part_of(at_ns));
}

uint64_t waits_until(const struct waits *w, uint64_t at_ns)
{
	return count_below(w, part_of(at_ns) + 1);
}

uint64_t waits_since(const struct waits *w, uint64_t skip)
{
	uint64_t sum = w->older, part = oldest_of(w);

	if (sum > skip)
		return part << WAITS_SHIFT;
	for (; part <= w->newest; part++) {
		sum += w->parts[part % WAITS_PARTS];
		if (sum > skip)
			return part << WAITS_SHIFT;
	}
	return WAITS_NEVER;
}
