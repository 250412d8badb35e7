/* unit_packets_add: every count is summed, and none into another. */
#include "base/packets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_each_count(void **state)
{
	struct packets sum = {.sent = 1, .received = 10, .retransmitted = 100};
	const struct packets more = {.sent = 1,
	                             .received = 2,
	                             .retransmitted = 3,
	                             .probes = 4,
	                             .challenged = 5,
	                             .out_of_order = 6,
	                             .unasked = 7,
	                             .stray = 8,
	                             .bad_checksum = 9,
	                             .malformed = 10,
	                             .foreign = 11,
	                             .dropped = 12,
	                             .conflicts = 13};

	(void)state;
	packets_add(&sum, &more);
	assert_int_equal(sum.sent, 2);
	assert_int_equal(sum.received, 12);
	assert_int_equal(sum.retransmitted, 103);
	assert_int_equal(sum.probes, 4);
	assert_int_equal(sum.challenged, 5);
	assert_int_equal(sum.out_of_order, 6);
	assert_int_equal(sum.unasked, 7);
	assert_int_equal(sum.stray, 8);
	assert_int_equal(sum.bad_checksum, 9);
	assert_int_equal(sum.malformed, 10);
	assert_int_equal(sum.foreign, 11);
	assert_int_equal(sum.dropped, 12);
	assert_int_equal(sum.conflicts, 13);
	packets_add(&sum, &more);
	assert_int_equal(sum.dropped, 24);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_count)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
