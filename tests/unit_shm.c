/* unit_shm: bits of proof, their difference, sums over workers, and that all of it is shared. */
#include "run/shm.h"

#include "base/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#define MARKERS     4
#define ROUND_OF(i) ((i) % TOKEN_ROUNDS)

static struct shm *make(uint64_t n)
{
	struct shm *shm = shm_make(n);

	assert_non_null(shm);
	assert_int_equal(shm->n, n);
	return shm;
}

static void drop(struct shm *shm)
{
	map_drop(shm, shm->total_bytes);
}

static void expect_proved(const struct shm *shm, enum role role, unsigned int round, uint64_t count)
{
	for (int r = 0; r < ROLE_COUNT; r++)
		for (unsigned int i = 0; i < TOKEN_ROUNDS; i++)
			assert_int_equal(shm_proved(shm, (enum role)r, i),
			                 (enum role)r == role && i == round ? count : 0);
}

static void test_make(void **state)
{
	static const uint64_t sizes[] = {0, 1, 7, 8, 9, 511, 512, 513, 1000000, 1 << 30};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		struct shm *shm = make(sizes[i]);

		assert_true(shm->bitmap_bytes * 8 >= sizes[i]);
		assert_true(shm->total_bytes >= offsetof(struct shm, bits) + shm->bitmap_bytes *
		                                                                     ROLE_COUNT *
		                                                                     TOKEN_ROUNDS);
		assert_int_equal(shm->phase, PHASE_NONE);
		assert_int_equal(shm->worker_count, 0);
		assert_false(shm->has_result);
		assert_int_equal(shm->result.verdict, VERDICT_FAIL);
		if (sizes[i] <= 1000000)
			expect_proved(shm, ROLE_CLIENT, 0, 0);
		drop(shm);
	}
	/* More than any address space. */
	assert_null(shm_make(UINT64_C(1) << 60));
}

/* Each writer has its lines of the cache. */
static void test_lines(void **state)
{
	struct shm *shm = make(10);

	(void)state;
	assert_int_equal(sizeof(struct shm_worker) % 64, 0);
	assert_int_equal(offsetof(struct shm, workers) % 64, 0);
	assert_int_equal(offsetof(struct shm_worker, done) % 64, 0);
	assert_int_equal((uintptr_t)shm % 64, 0);
	drop(shm);
}

/* Each index alone, in each bitmap: one bit, of that bitmap; and what is no index is none. */
static void test_each_bit(void **state)
{
	static const uint64_t sizes[] = {1, 7, 8, 9, 63, 64, 65, 512, 513};

	(void)state;
	for (size_t s = 0; s < COUNT_OF(sizes); s++) {
		for (unsigned int map = 0; map < ROLE_COUNT * TOKEN_ROUNDS; map++) {
			enum role role = (enum role)(map / TOKEN_ROUNDS);
			unsigned int round = ROUND_OF(map);
			struct shm *shm = make(sizes[s]);

			for (uint32_t i = 0; i < sizes[s]; i++) {
				shm_prove(shm, role, round, i);
				expect_proved(shm, role, round, i + 1);
				shm_prove(shm, role, round, i); /* again: no more */
				expect_proved(shm, role, round, i + 1);
				assert_int_equal(shm_proof_difference(shm, round), i + 1);
				assert_int_equal(shm_proof_difference(shm, !round), 0);
			}
			for (uint32_t i = 0; i < 2000; i++)
				shm_prove(shm, role, round, (uint32_t)sizes[s] + i);
			shm_prove(shm, role, round, UINT32_MAX);
			shm_prove(shm, role, round, UINT32_C(1) << 31);
			expect_proved(shm, role, round, sizes[s]);
			assert_int_equal(shm->worker_count, 0);
			drop(shm);
		}
	}
}

static void test_difference(void **state)
{
	const uint32_t n = 100003;
	struct shm *shm = make(n);
	uint64_t server = 0, client = 0, one_only = 0;

	(void)state;
	for (uint32_t i = 0; i < n; i++) {
		bool by_server = i % 3 != 0, by_client = i % 5 != 0;

		if (by_server)
			shm_prove(shm, ROLE_SERVER, 1, i);
		if (by_client)
			shm_prove(shm, ROLE_CLIENT, 1, i);
		server += by_server;
		client += by_client;
		one_only += by_server != by_client;
	}
	assert_int_equal(shm_proved(shm, ROLE_SERVER, 1), server);
	assert_int_equal(shm_proved(shm, ROLE_CLIENT, 1), client);
	assert_int_equal(shm_proof_difference(shm, 1), one_only);
	assert_int_equal(shm_proof_difference(shm, 0), 0);
	assert_int_equal(shm_proved(shm, ROLE_SERVER, 0) + shm_proved(shm, ROLE_CLIENT, 0), 0);
	/* As many on either side, but not the same ones. */
	shm_prove(shm, ROLE_SERVER, 0, 41);
	shm_prove(shm, ROLE_CLIENT, 0, 42);
	assert_int_equal(shm_proof_difference(shm, 0), 2);
	shm_prove(shm, ROLE_SERVER, 0, 42);
	shm_prove(shm, ROLE_CLIENT, 0, 41);
	assert_int_equal(shm_proof_difference(shm, 0), 0);
	drop(shm);
}

/* Processes that mark neighbouring bits at the same time lose none. */
static void test_shared_bytes(void **state)
{
	const uint32_t n = 4000000;
	struct shm *shm = make(n);
	int status;

	(void)state;
	for (uint32_t m = 0; m < MARKERS; m++) {
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0) {
			while (shm_get(shm->phase) != PHASE_PROVE)
				; /* until all are here */
			for (uint32_t i = m; i < n; i += MARKERS)
				shm_prove(shm, ROLE_SERVER, 0, i);
			_exit(0);
		}
	}
	shm_set(shm->phase, PHASE_PROVE);
	for (uint32_t m = 0; m < MARKERS; m++) {
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	expect_proved(shm, ROLE_SERVER, 0, n);
	assert_int_equal(shm_proof_difference(shm, 0), n);
	drop(shm);
}

/* --- sums ----------------------------------------------------------------------------------- */

/* Workers 0, 3, 6 ... are servers; the counters of each are unlike those of all others. */
static struct shm *make_workers(uint32_t count)
{
	struct shm *shm = make(1000);

	for (uint32_t i = 0; i < SHM_WORKERS_MAX; i++) {
		struct shm_worker *w = &shm->workers[i];

		w->role = i % 3 == 0 ? ROLE_SERVER : ROLE_CLIENT;
		w->opened = 1000 + i;
		w->open = UINT64_C(1) << (i % 40);
		w->not_tried = 7 * (uint64_t)i;
		w->user_bytes = UINT64_C(5000000000) + i;
		for (uint32_t c = 0; c < CAUSE_COUNT; c++) {
			w->failed[c] = (uint64_t)i * 100 + c;
			w->lost[c] = (uint64_t)i * 10000 + c;
		}
		for (uint32_t round = 0; round < TOKEN_ROUNDS; round++)
			w->proof[round].sent = (round + 1) * (uint64_t)i;
	}
	shm->worker_count = count;
	return shm;
}

static void check_sums(uint32_t count)
{
	struct shm *shm = make_workers(count);

	for (int r = 0; r < ROLE_COUNT; r++) {
		enum role role = (enum role)r;
		uint64_t workers = 0, numbers = 0, open = 0;

		for (uint32_t i = 0; i < count; i++) {
			if ((i % 3 == 0) != (role == ROLE_SERVER))
				continue;
			workers++;
			numbers += i;
			open += UINT64_C(1) << (i % 40);
		}
		assert_int_equal(shm_sum(shm, role, SHM_FIELD(opened)), 1000 * workers + numbers);
		assert_int_equal(shm_sum(shm, role, SHM_FIELD(open)), open);
		assert_int_equal(shm_open(shm, role), open);
		assert_int_equal(shm_sum(shm, role, SHM_FIELD(not_tried)), 7 * numbers);
		assert_int_equal(shm_sum(shm, role, SHM_FIELD(user_bytes)),
		                 UINT64_C(5000000000) * workers + numbers);
		assert_int_equal(shm_sum(shm, role, SHM_FIELD(proof[0].sent)), numbers);
		assert_int_equal(shm_sum(shm, role, SHM_FIELD(proof[1].sent)), 2 * numbers);
		assert_int_equal(shm_sum(shm, role, SHM_FIELD(proof[1].echoed)), 0);
		for (uint32_t c = 0; c < CAUSE_COUNT; c++) {
			enum cause cause = (enum cause)c;

			assert_int_equal(shm_sum_cause(shm, role, SHM_FIELD(failed), cause),
			                 100 * numbers + c * workers);
			assert_int_equal(shm_sum_cause(shm, role, SHM_FIELD(lost), cause),
			                 10000 * numbers + c * workers);
			assert_int_equal(shm_sum_cause(shm, role, SHM_FIELD(retried), cause), 0);
		}
	}
	drop(shm);
}

static void test_sums(void **state)
{
	static const uint32_t counts[] = {0, 1, 2, 3, 4, 5, 64, SHM_WORKERS_MAX};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(counts); i++)
		check_sums(counts[i]);
}

/* The dead hold nothing open; what they did stays in the sums. */
static void test_dead(void **state)
{
	struct shm *shm = make_workers(6);
	uint64_t opened = shm_sum(shm, ROLE_CLIENT, SHM_FIELD(opened));

	(void)state;
	assert_int_equal(shm_open(shm, ROLE_CLIENT), 2 + 4 + 16 + 32);
	assert_int_equal(shm_open(shm, ROLE_SERVER), 1 + 8);
	shm_set(shm->workers[2].died, true);
	shm_set(shm->workers[3].died, true);
	assert_int_equal(shm_open(shm, ROLE_CLIENT), 2 + 16 + 32);
	assert_int_equal(shm_open(shm, ROLE_SERVER), 1);
	assert_int_equal(shm_sum(shm, ROLE_CLIENT, SHM_FIELD(opened)), opened);
	assert_int_equal(shm_sum(shm, ROLE_CLIENT, SHM_FIELD(open)), 2 + 4 + 16 + 32);
	drop(shm);
}

/* Counters that a child writes are read here. */
static void test_counters(void **state)
{
	struct shm *shm = make(10);
	struct shm_worker *w = &shm->workers[0];
	int status;

	(void)state;
	shm->worker_count = 1;
	w->role = ROLE_CLIENT;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		for (int i = 0; i < 12345; i++)
			shm_count(w->opened);
		shm_set(w->failed[CAUSE_RESET], 3);
		hist_record(&w->connect, 1000);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(shm_get(w->opened), 12345);
	assert_int_equal(shm_sum(shm, ROLE_CLIENT, SHM_FIELD(opened)), 12345);
	assert_int_equal(shm_sum_cause(shm, ROLE_CLIENT, SHM_FIELD(failed), CAUSE_RESET), 3);
	assert_int_equal(w->connect.count, 1);
	drop(shm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_make),         cmocka_unit_test(test_lines),
		cmocka_unit_test(test_each_bit),     cmocka_unit_test(test_difference),
		cmocka_unit_test(test_shared_bytes), cmocka_unit_test(test_sums),
		cmocka_unit_test(test_dead),         cmocka_unit_test(test_counters),
	};

	return cmocka_run_group_tests_name("unit_shm", tests, NULL, NULL);
}
