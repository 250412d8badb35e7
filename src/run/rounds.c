/* rounds: see the header. */
#include "run/rounds.h"

#include <string.h>

#define ROUNDS_OLD (SHM_PUSHES / 2)

/* The round after the last that anybody has heard of. */
static uint64_t newest(const struct shm *shm)
{
	uint64_t after = 0;

	for (uint32_t i = 0; i < shm->worker_count; i++) {
		for (int slot = 0; slot < SHM_PUSHES; slot++) {
			const struct shm_push *p = &shm->workers[i].push[slot];

			if (shm_get(p->heard) > 0 && shm_get(p->round) >= after)
				after = shm_get(p->round) + 1;
		}
	}
	return after;
}

void rounds_begin(struct rounds *rounds, const struct shm *shm)
{
	memset(rounds, 0, sizeof(*rounds));
	rounds->next = newest(shm);
}

static void count_round(struct rounds *rounds, const struct shm *shm, uint64_t round)
{
	uint64_t first_ns = UINT64_MAX, last_ns = 0, heard = 0;

	for (uint32_t i = 0; i < shm->worker_count; i++) {
		const struct shm_push *p = &shm->workers[i].push[round % SHM_PUSHES];

		if (shm_get(p->heard) == 0 || shm_get(p->round) != round)
			continue;
		heard += shm_get(p->heard);
		first_ns = shm_get(p->first_ns) < first_ns ? shm_get(p->first_ns) : first_ns;
		last_ns = shm_get(p->last_ns) > last_ns ? shm_get(p->last_ns) : last_ns;
	}
	if (heard == 0)
		return;
	hist_record(&rounds->first, first_ns);
	hist_record(&rounds->last, last_ns);
}

void rounds_count(struct rounds *rounds, const struct shm *shm, bool all)
{
	uint64_t end = newest(shm), kept = end > SHM_PUSHES ? end - SHM_PUSHES : 0;

	if (!all)
		end = end > ROUNDS_OLD ? end - ROUNDS_OLD : 0;
	if (rounds->next < kept)
		rounds->next = kept;
	for (; rounds->next < end; rounds->next++)
		count_round(rounds, shm, rounds->next);
}
