/* rest: numbers rest for their time, none is with two users, none is forgotten. */
#include "plan/rest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define FIRST 1000
#define ROOM  50
#define STEPS 20000

static void test_fresh_first(void **state)
{
	struct rest_entry ring[2];
	struct rest r;

	(void)state;
	rest_init(&r, ring, UINT64_C(5000000000), 2);
	assert_int_equal(rest_next_ns(&r), 0);
	assert_true(rest_has(&r, 0));
	assert_int_equal(rest_take(&r, 0), UINT64_C(5000000000));
	assert_int_equal(rest_take(&r, 0), UINT64_C(5000000001));
	assert_false(rest_has(&r, UINT64_MAX));
	assert_int_equal(rest_next_ns(&r), UINT64_MAX);
	rest_give(&r, 7, 100);
	assert_int_equal(rest_next_ns(&r), 100);
	assert_false(rest_has(&r, 99));
	assert_true(rest_has(&r, 100));
	assert_int_equal(rest_take(&r, 100), 7);
}

/* One that has rested goes before a fresh one; one that rests does not. */
static void test_rested_before_fresh(void **state)
{
	struct rest_entry ring[3];
	struct rest r;

	(void)state;
	rest_init(&r, ring, FIRST, 3);
	assert_int_equal(rest_take(&r, 0), FIRST);
	rest_give(&r, 1, 10);
	assert_int_equal(rest_take(&r, 9), FIRST + 1);
	rest_give(&r, 2, 20);
	assert_int_equal(rest_take(&r, 15), 1);
	assert_int_equal(rest_take(&r, 15), FIRST + 2);
	assert_false(rest_has(&r, 15));
}

static void test_none(void **state)
{
	struct rest_entry ring[1];
	struct rest r;

	(void)state;
	rest_init(&r, ring, FIRST, 0);
	assert_false(rest_has(&r, UINT64_MAX));
	assert_int_equal(rest_next_ns(&r), UINT64_MAX);
}

/* A user that holds one number gives it back for another: against a plain table of when each was
 * given back. */
static void test_model(void **state)
{
	static struct rest_entry ring[ROOM];
	static uint64_t until_ns[FIRST + ROOM];
	uint64_t now_ns = 0, held = 1, refused = 0, random = 7;
	struct rest r;

	(void)state;
	rest_init(&r, ring, FIRST, ROOM);
	for (int i = 0; i < STEPS; i++) {
		random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
		now_ns += (random >> 33) % 5;
		if (!rest_has(&r, now_ns)) {
			assert_true(rest_next_ns(&r) > now_ns);
			refused++;
			continue;
		}
		uint64_t taken = rest_take(&r, now_ns);

		assert_true(taken == 1 || (taken >= FIRST && taken < FIRST + ROOM));
		assert_true(taken != held && until_ns[taken] <= now_ns);
		until_ns[held] = now_ns + 110;
		rest_give(&r, held, until_ns[held]);
		held = taken;
		assert_int_equal(r.count + r.fresh_left, ROOM);
	}
	assert_true(refused > 0 && refused < STEPS / 2);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fresh_first),
		cmocka_unit_test(test_rested_before_fresh),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_model),
	};

	return cmocka_run_group_tests_name("rest", tests, NULL, NULL);
}
