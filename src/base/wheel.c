/* wheel: a hashed timer wheel over small indexes.
 *
 * A deadline belongs to the first tick that does not begin before it; when that tick has begun
 * everything of this turn in its slot is due, which is why no timer is looked at twice a turn. One
 * more list holds what was already due when it was armed.
 *
 * The first entry of list i has `count + i` as its prev, so that cancelling needs no search. */
#include "base/wheel.h"

#define OVERDUE WHEEL_SLOTS /* the list after those of the slots */

static uint64_t tick_of(const struct wheel *w, uint64_t deadline_ns)
{
	return deadline_ns / w->tick_ns + (deadline_ns % w->tick_ns != 0);
}

static void link_first(struct wheel *w, uint32_t index, uint32_t list)
{
	struct wheel_entry *entry = &w->entries[index];

	entry->prev = w->count + list;
	entry->next = w->heads[list];
	if (entry->next != WHEEL_NONE)
		w->entries[entry->next].prev = index;
	w->heads[list] = index;
}

void wheel_init(struct wheel *w, struct wheel_entry *entries, uint32_t count, uint64_t tick_ns,
                uint64_t now_ns)
{
	*w = (struct wheel){
		.entries = entries,
		.count = count,
		.tick_ns = tick_ns,
		.now_tick = now_ns / tick_ns + 1,
	};
	for (uint32_t i = 0; i <= OVERDUE; i++)
		w->heads[i] = WHEEL_NONE;
	for (uint32_t i = 0; i < count; i++)
		entries[i] = (struct wheel_entry){.next = WHEEL_NONE, .prev = WHEEL_NONE};
}

bool wheel_is_armed(const struct wheel *w, uint32_t index)
{
	return w->entries[index].deadline_ns != 0;
}

void wheel_cancel(struct wheel *w, uint32_t index)
{
	struct wheel_entry *entry = &w->entries[index];

	if (!wheel_is_armed(w, index))
		return;
	if (entry->prev >= w->count)
		w->heads[entry->prev - w->count] = entry->next;
	else
		w->entries[entry->prev].next = entry->next;
	if (entry->next != WHEEL_NONE)
		w->entries[entry->next].prev = entry->prev;
	*entry = (struct wheel_entry){.next = WHEEL_NONE, .prev = WHEEL_NONE};
	w->armed--;
}

void wheel_arm(struct wheel *w, uint32_t index, uint64_t deadline_ns)
{
	uint64_t tick = tick_of(w, deadline_ns);

	wheel_cancel(w, index);
	link_first(w, index, tick < w->now_tick ? OVERDUE : (uint32_t)(tick % WHEEL_SLOTS));
	w->entries[index].deadline_ns = deadline_ns > 0 ? deadline_ns : 1; /* 0 is: not armed */
	w->armed++;
}

static size_t expire_list(struct wheel *w, uint32_t list, uint64_t now_ns, uint32_t *expired,
                          size_t max)
{
	uint32_t next = w->heads[list];
	size_t n = 0;

	while (next != WHEEL_NONE && n < max) {
		uint32_t index = next;

		next = w->entries[index].next;
		if (w->entries[index].deadline_ns > now_ns)
			continue; /* of a later turn */
		wheel_cancel(w, index);
		expired[n++] = index;
	}
	return n;
}

size_t wheel_expire(struct wheel *w, uint64_t now_ns, uint32_t *expired, size_t max)
{
	uint64_t last = now_ns / w->tick_ns;
	size_t n;

	if (max == 0)
		return 0;
	n = expire_list(w, OVERDUE, now_ns, expired, max);
	if (n == max)
		return n;
	/* After a long pause each slot is looked at once, however many turns have passed. */
	for (uint32_t i = 0; i < WHEEL_SLOTS && w->now_tick <= last && w->armed > 0; i++) {
		n += expire_list(w, (uint32_t)(w->now_tick % WHEEL_SLOTS), now_ns, expired + n,
		                 max - n);
		if (n == max)
			return n; /* there may be more in this slot */
		w->now_tick++;
	}
	if (w->now_tick <= last)
		w->now_tick = last + 1;
	return n;
}

uint64_t wheel_next_ns(const struct wheel *w)
{
	uint64_t at;

	if (w->armed == 0)
		return UINT64_MAX;
	if (w->heads[OVERDUE] != WHEEL_NONE)
		return 0;
	for (uint32_t i = 0; i < WHEEL_SLOTS; i++) {
		uint64_t tick = w->now_tick + i;

		if (w->heads[tick % WHEEL_SLOTS] == WHEEL_NONE)
			continue;
		return __builtin_mul_overflow(tick, w->tick_ns, &at) ? UINT64_MAX : at;
	}
	return UINT64_MAX; /* not reached: something is armed */
}
