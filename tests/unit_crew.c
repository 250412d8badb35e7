/* unit_crew: what counts as getting on, so that a worker that does is not taken for stuck. */
#include "run/crew.h"

#include "base/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define N 10

static struct crew crew;

static int make(void **state)
{
	(void)state;
	crew.shm = shm_make(N);
	crew.shm->worker_count = 2;
	crew.shm->workers[0].role = ROLE_SERVER;
	crew.shm->workers[1].role = ROLE_CLIENT;
	return 0;
}

static int drop(void **state)
{
	(void)state;
	map_drop(crew.shm, crew.shm->total_bytes);
	return 0;
}

/* A ramp that opens one each minute gets on; so does a close. */
static void opening_is_progress(void **state)
{
	struct shm_worker *w = &crew.shm->workers[1];
	uint64_t mark = crew_progress(&crew);

	(void)state;
	assert_true(crew_progress(&crew) == mark);
	for (int i = 0; i < N; i++) {
		shm_count(w->opened);
		shm_count(w->open);
		assert_true(crew_progress(&crew) != mark);
		mark = crew_progress(&crew);
	}
	shm_set(w->open, w->open - 1);
	assert_true(crew_progress(&crew) != mark);
	mark = crew_progress(&crew);
	shm_count(w->proof[1].echoed);
	assert_true(crew_progress(&crew) != mark);
}

/* The id of who has been reaped may be another process's. */
static void reaped_is_forgotten(void **state)
{
	struct shm_worker *w = &crew.shm->workers[1];
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		_exit(1);
	assert_true(pid > 0);
	w->pid = pid;
	for (int i = 0; i < 1000 && !crew_has_dead(&crew); i++) {
		usleep(1000);
		crew_reap(&crew);
	}
	assert_true(w->died);
	assert_int_equal(w->pid, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(opening_is_progress, make, drop),
		cmocka_unit_test_setup_teardown(reaped_is_forgotten, make, drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
