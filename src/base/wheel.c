/* wheel: a hashed timer wheel over small indexes.
 *
 * A deadline belongs to the first tick that does not begin before it; when that tick has begun
 * everything of this turn in its slot is due, which is why no timer is looked at twice a turn. One
 * more list holds what was already due when it was armed.
 *
 * The first entry of list i has `count + i` as its prev, so that cancelling needs no search. */
#include "base/wheel.h"

#define OVERDUE WHEEL_SLOTS /* the list after those of the slots */

static struct wheel_entry *entry_at(const struct wheel *w, uint32_t index)
{
	return (struct wheel_entry *)(void *)((char *)w->entries + index * w->stride);
}

static uint64_t tick_of(const struct wheel *w, uint64_t deadline_ns)
{
	return deadline_ns / w->tick_ns + (deadline_ns % w->tick_ns != 0);
}

static void link_first(struct wheel *w, uint32_t index, uint32_t list)
{
	struct wheel_entry *entry = entry_at(w, index);

	entry->prev = w->count + list;
	entry->next = w->heads[list];
	if (entry->next != WHEEL_NONE)
		entry_at(w, entry->next)->prev = index;
	w->heads[list] = index;
}

void wheel_init(struct wheel *w, struct wheel_entry *entries, size_t stride, uint32_t count,
                uint64_t tick_ns, uint64_t now_ns)
{
	*w = (struct wheel){
		.entries = entries,
		.stride = stride,
		.count = count,
		.tick_ns = tick_ns,
		.now_tick = now_ns / tick_ns + 1,
	};
	for (uint32_t i = 0; i <= OVERDUE; i++)
		w->heads[i] = WHEEL_NONE;
}

bool wheel_is_armed(const struct wheel *w, uint32_t index)
{
	return entry_at(w, index)->deadline_ns != 0;
}

void wheel_cancel(struct wheel *w, uint32_t index)
{
	struct wheel_entry *entry = entry_at(w, index);

	if (!wheel_is_armed(w, index))
		return;
	if (entry->prev >= w->count)
		w->heads[entry->prev - w->count] = entry->next;
	else
		entry_at(w, entry->prev)->next = entry->next;
	if (entry->next != WHEEL_NONE)
		entry_at(w, entry->next)->prev = entry->prev;
	*entry = (struct wheel_entry){0};
	w->armed--;
}

void wheel_arm(struct wheel *w, uint32_t index, uint64_t deadline_ns)
{
	uint64_t tick = tick_of(w, deadline_ns);

	wheel_cancel(w, index);
	link_first(w, index, tick < w->now_tick ? OVERDUE : (uint32_t)(tick % WHEEL_SLOTS));
	entry_at(w, index)->deadline_ns = deadline_ns > 0 ? deadline_ns : 1; /* 0 is: not armed */
	w->armed++;
}

static size_t expire_list(struct wheel *w, uint32_t list, uint64_t now_ns, uint32_t *expired,
                          size_t max)
{
	uint32_t next = w->heads[list];
	size_t n = 0;

	while (next != WHEEL_NONE && n < max) {
		uint32_t index = next;

		next = entry_at(w, index)->next;
		if (entry_at(w, index)->deadline_ns > now_ns)
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
