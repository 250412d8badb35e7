/* shm: shared counters and the bits of proof. */
#include "run/shm.h"

#include "base/map.h"
#include "base/text.h"

#include <string.h>

#define BILL_TRIES 10000 /* it is written in less than a millisecond */
#define BITMAPS    ((uint64_t)ROLE_COUNT * TOKEN_ROUNDS)

struct shm *shm_make(uint64_t n)
{
	uint64_t bitmap_bytes = (n / 8 + 64) / 64 * 64 + 64;
	size_t total = sizeof(struct shm) + BITMAPS * bitmap_bytes;
	struct shm *shm = map_shared(total);

	if (!shm)
		return NULL;
	shm->n = n;
	shm->bitmap_bytes = bitmap_bytes;
	shm->total_bytes = total;
	return shm;
}

static const uint8_t *bitmap(const struct shm *shm, enum role role, unsigned int round)
{
	return shm->bits + ((uint64_t)role * TOKEN_ROUNDS + round) * shm->bitmap_bytes;
}

void shm_prove(struct shm *shm, enum role role, unsigned int round, uint32_t index)
{
	uint64_t offset = ((uint64_t)role * TOKEN_ROUNDS + round) * shm->bitmap_bytes;

	if (index < shm->n)
		__atomic_fetch_or(&shm->bits[offset + index / 8], (uint8_t)(1U << (index % 8)),
		                  __ATOMIC_RELAXED);
}

void shm_set_bits(struct shm *shm, enum role role, unsigned int round, const uint8_t *bits)
{
	uint8_t *to = shm->bits + ((uint64_t)role * TOKEN_ROUNDS + round) * shm->bitmap_bytes;

	memcpy(to, bits, (size_t)(shm->n + 7) / 8);
	if (shm->n % 8 != 0)
		to[shm->n / 8] &= (uint8_t)((1U << (shm->n % 8)) - 1);
}

bool shm_is_proved(const struct shm *shm, enum role role, unsigned int round, uint64_t index)
{
	return index < shm->n && (bitmap(shm, role, round)[index / 8] >> (index % 8) & 1) != 0;
}

uint64_t shm_proved(const struct shm *shm, enum role role, unsigned int round)
{
	const uint8_t *bits = bitmap(shm, role, round);
	uint64_t count = 0;

	for (uint64_t i = 0; i < shm->bitmap_bytes; i++)
		count += (uint64_t)__builtin_popcount(bits[i]);
	return count;
}

uint64_t shm_proof_difference(const struct shm *shm, unsigned int round)
{
	const uint8_t *server = bitmap(shm, ROLE_SERVER, round);
	const uint8_t *client = bitmap(shm, ROLE_CLIENT, round);
	uint64_t count = 0;

	for (uint64_t i = 0; i < shm->bitmap_bytes; i++)
		count += (uint64_t)__builtin_popcount((unsigned int)(server[i] ^ client[i]));
	return count;
}

uint64_t shm_sum(const struct shm *shm, enum role role, size_t field)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < shm->worker_count; i++) {
		const struct shm_worker *w = &shm->workers[i];

		if (w->role == role)
			sum += shm_get(*(const uint64_t *)(const void *)((const char *)w + field));
	}
	return sum;
}

uint64_t shm_sum_cause(const struct shm *shm, enum role role, size_t field, enum cause cause)
{
	return shm_sum(shm, role, field + cause * sizeof(uint64_t));
}

uint64_t shm_open(const struct shm *shm, enum role role)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < shm->worker_count; i++) {
		const struct shm_worker *w = &shm->workers[i];

		if (w->role == role && !shm_get(w->died))
			sum += shm_get(w->open);
	}
	return sum;
}

/* What is gone is read first: what comes and goes meanwhile is not taken for the end. */
static bool holds_any(const struct shm_worker *w)
{
	uint64_t gone = shm_get(w->unstaged);

	for (int i = 0; i < CAUSE_COUNT; i++)
		gone += shm_get(w->lost[i]);
	return shm_get(w->opened) + shm_get(w->staged) > gone;
}

bool shm_holds_any(const struct shm *shm)
{
	for (uint32_t i = 0; i < shm->worker_count; i++) {
		const struct shm_worker *w = &shm->workers[i];

		if (w->role == ROLE_CLIENT && !shm_get(w->died) && holds_any(w))
			return true;
	}
	return false;
}

void shm_notice(struct shm *shm, const char *line)
{
	struct text t;

	text_init(&t, shm->notice[shm->notices % SHM_NOTICES], sizeof(shm->notice[0]));
	text_add(&t, "%s", line);
	__atomic_store_n(&shm->notices, shm->notices + 1, __ATOMIC_RELEASE);
}

void shm_write_bill(struct shm *shm, bool begins)
{
	if (begins) {
		shm_count(shm->bills);
		__atomic_thread_fence(__ATOMIC_RELEASE);
	} else {
		__atomic_store_n(&shm->bills, shm->bills + 1, __ATOMIC_RELEASE);
	}
}

bool shm_read_bill(const struct shm *shm, struct result_memory *out)
{
	for (int tries = 0; tries < BILL_TRIES; tries++) {
		uint32_t before = __atomic_load_n(&shm->bills, __ATOMIC_ACQUIRE);

		if (before == 0)
			return false;
		memcpy(out, &shm->result.memory, sizeof(*out));
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (before % 2 == 0 && shm_get(shm->bills) == before)
			return true;
	}
	return false;
}

bool shm_is_asked(const struct shm *shm, const struct shm_worker *me)
{
	return shm_get(shm->measure) != me->measured;
}

void shm_answer(const struct shm *shm, struct shm_worker *me, uint64_t user_bytes)
{
	shm_set(me->user_bytes, user_bytes);
	__atomic_store_n(&me->measured, shm_get(shm->measure), __ATOMIC_RELEASE);
}

const struct ip *shm_source_gone(const struct shm *shm)
{
	for (uint32_t i = 0; i < shm->worker_count; i++) {
		const struct shm_worker *w = &shm->workers[i];

		if (__atomic_load_n(&w->has_source_gone, __ATOMIC_ACQUIRE))
			return &w->source_gone;
	}
	return NULL;
}
