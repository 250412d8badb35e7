/* rest: see the header. */
#include "plan/rest.h"

#include <assert.h>

void rest_init(struct rest *r, struct rest_entry *ring, uint64_t first, uint32_t room)
{
	*r = (struct rest){.ring = ring, .room = room, .fresh = first, .fresh_left = room};
}

static bool has_rested(const struct rest *r, uint64_t now_ns)
{
	return r->count > 0 && r->ring[r->head].until_ns <= now_ns;
}

bool rest_has(const struct rest *r, uint64_t now_ns)
{
	return r->fresh_left > 0 || has_rested(r, now_ns);
}

uint64_t rest_take(struct rest *r, uint64_t now_ns)
{
	uint64_t number;

	assert(rest_has(r, now_ns));
	if (!has_rested(r, now_ns)) {
		r->fresh_left--;
		return r->fresh++;
	}
	number = r->ring[r->head].number;
	r->head = (r->head + 1) % r->room;
	r->count--;
	return number;
}

void rest_give(struct rest *r, uint64_t number, uint64_t until_ns)
{
	assert(r->count + r->fresh_left < r->room);
	r->ring[((uint64_t)r->head + r->count) % r->room] =
		(struct rest_entry){.until_ns = until_ns, .number = number};
	r->count++;
}

uint64_t rest_next_ns(const struct rest *r)
{
	if (r->fresh_left > 0)
		return 0;
	return r->count > 0 ? r->ring[r->head].until_ns : UINT64_MAX;
}
