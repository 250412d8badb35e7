/* How long answers are left alone. */
#include "base/gather.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define US (NS_PER_MS / 1000)

/* Answers so far apart, for two windows. */
static struct gather steady(uint64_t gap_ns)
{
	struct gather g = {0};

	for (uint64_t at_ns = 0; at_ns <= 2 * NS_PER_MS + gap_ns; at_ns += gap_ns)
		gather_note(&g, 1, NS_PER_S + at_ns);
	return g;
}

static void test_few_under_way_are_not_left_alone(void **state)
{
	(void)state;
	struct gather g = steady(8 * US);

	assert_int_equal(gather_pause_ns(&g, 1, 0), 0);
	assert_int_equal(gather_pause_ns(&g, 15, 0), 0);
	assert_int_equal(gather_pause_ns(&g, 32, 0), 0); /* 16 us: not worth a sleep */
}

static void test_waits_for_one_of_16(void **state)
{
	(void)state;
	struct gather g = steady(8 * US);

	assert_in_range(gather_pause_ns(&g, 128, 0), 60 * US, 65 * US);
	assert_in_range(gather_pause_ns(&g, 128, 4), 30 * US, 33 * US);
	assert_int_equal(gather_pause_ns(&g, 128, 8), 0);
	assert_int_equal(gather_pause_ns(&g, 1000000, 512), 200 * US);
}

static void test_a_slow_peer_is_not_left_alone(void **state)
{
	(void)state;
	struct gather g = steady(100 * US);

	assert_int_equal(gather_pause_ns(&g, 100000, 0), 0);
}

/* Who does not answer is waited for by the engine, which wakes at once. */
static void test_silence_is_not_waited_for(void **state)
{
	(void)state;
	struct gather g = steady(8 * US);

	gather_note(&g, 0, NS_PER_S + 60 * NS_PER_MS); /* some came before it */
	gather_note(&g, 0, NS_PER_S + 62 * NS_PER_MS);
	assert_int_equal(gather_pause_ns(&g, 100000, 0), 0);
}

static void test_nothing_has_come_yet(void **state)
{
	(void)state;
	struct gather g = {0};

	assert_int_equal(gather_pause_ns(&g, 100000, 0), 0);
	gather_note(&g, 0, NS_PER_S);
	assert_int_equal(gather_pause_ns(&g, 100000, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_few_under_way_are_not_left_alone),
		cmocka_unit_test(test_waits_for_one_of_16),
		cmocka_unit_test(test_a_slow_peer_is_not_left_alone),
		cmocka_unit_test(test_silence_is_not_waited_for),
		cmocka_unit_test(test_nothing_has_come_yet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
