/* guard: see the header. */
#include "run/guard.h"

#include "base/text.h"

bool guard_ends_ramp(const struct experiment *x, const struct shm *shm)
{
	return x->kind != RUN_SERVE && shm_get(shm->phase) == PHASE_RAMP &&
	       shm->live.memory_left_bytes < x->reserve_bytes && shm_get(shm->stop) == STOP_NONE;
}

/* Says a thing once in a run. */
static void say_once(struct shm *shm, bool *said, const char *what, const char *why)
{
	char line[sizeof(shm->notice[0])];
	struct text t;

	if (*said)
		return;
	*said = true;
	text_init(&t, line, sizeof(line));
	text_add(&t, "%s at ", what);
	text_count(&t, shm_open(shm, ROLE_SERVER));
	text_add(&t, " connections: %s", why);
	shm_notice(shm, line);
}

static void say_accept_error(struct guard *g, struct shm *shm)
{
	char why[256];

	for (int i = 0; i < CAUSE_COUNT && !g->said_accept_error; i++) {
		enum cause cause = (enum cause)i;

		if (shm_sum_cause(shm, ROLE_SERVER, SHM_FIELD(accept_errors), cause) == 0)
			continue;
		cause_explain(cause, why, sizeof(why));
		say_once(shm, &g->said_accept_error, "accepting failed", why);
	}
}

/* It goes on when a tenth of either is there again. */
bool guard_accepting(struct guard *g, const struct experiment *x, struct shm *shm)
{
	uint64_t open = shm_open(shm, ROLE_SERVER);
	bool was_off = shm->accept_off;
	uint64_t reserve = was_off ? x->reserve_bytes / 10 * 11 : x->reserve_bytes;
	bool is_short = shm->live.memory_left_bytes < reserve;
	bool is_full = open >= (was_off ? x->n - x->n / 10 : x->n);

	shm->was_short |= is_short;
	shm->was_full |= is_full;
	if (is_short)
		say_once(shm, &g->said_memory, "stopped accepting",
		         "memory is down to the reserve (--reserve)");
	else if (is_full)
		say_once(shm, &g->said_full, "stopped accepting", x->wall);
	say_accept_error(g, shm);
	if ((is_short || is_full) == was_off)
		return false;
	shm_set(shm->accept_off, !was_off);
	return true;
}
