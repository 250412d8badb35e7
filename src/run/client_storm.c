/* client_storm: see the header. */
#include "run/client_storm.h"

#include "run/client_state.h"

void client_storm_begin(struct client *c)
{
	c->is_cut = false;
}

static bool is_to_come(const struct client *c)
{
	return c->stage->storm_parts > 0 && !c->is_cut && !client_is_stopped(c);
}

static uint64_t cut_ns(const struct client *c)
{
	return c->stage_ns + c->stage->storm_at_ns;
}

/* Of all indexes, as evenly as they can be; the parts of all workers are exactly the whole. */
static bool is_hit(const struct client *c, uint32_t conn)
{
	uint64_t parts = c->stage->storm_parts, index = client_index(c, conn);

	return (index + 1) * parts / STAGE_PARTS > index * parts / STAGE_PARTS;
}

void client_storm_due(struct client *c)
{
	if (!is_to_come(c) || c->now_ns < cut_ns(c))
		return;
	c->is_cut = true;
	shm_set(c->me->storm.cut_ns, cut_ns(c));
	for (uint32_t conn = 0; conn < c->me->count; conn++) {
		if (!client_is_open(c, conn) || !is_hit(c, conn))
			continue;
		shm_count(c->me->storm.cut);
		client_close(c, conn, ENGINE_CLOSE_RESET, AGAIN_CUT);
	}
}

uint64_t client_storm_next_ns(const struct client *c)
{
	return is_to_come(c) ? cut_ns(c) : UINT64_MAX;
}

bool client_storm_has_cut(const struct client *c)
{
	return c->stage && c->is_cut;
}
