/* unit_outage_lines: the outages of a hold, in words. */
#include "out/outage_lines.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct result result;
static struct stage_line lines[OUTAGE_LINES_MOST];

/* One that nothing is known of but its beginning. */
static struct result_outage *fresh(void)
{
	struct result_outage *o = &result.outages[0];

	memset(&result, 0, sizeof(result));
	result.outage_count = 1;
	o->start_ns = 12300 * NS_PER_MS;
	o->open_before = 10000;
	o->open_least = 10000;
	o->duration_ns = o->quiet_ns = o->answered_ns = RESULT_UNKNOWN;
	o->back_50_ns = o->back_99_ns = o->back_100_ns = RESULT_UNKNOWN;
	return o;
}

static void check(const char *wanted)
{
	assert_int_equal(outage_lines(&result, lines), 1);
	assert_string_equal(lines[0].name, "outage");
	assert_string_equal(lines[0].text, wanted);
}

static void test_none(void **state)
{
	(void)state;
	memset(&result, 0, sizeof(result));
	assert_int_equal(outage_lines(&result, lines), 0);
}

static void test_silence(void **state)
{
	struct result_outage *o = fresh();

	(void)state;
	o->silent = 10000;
	check("12.3 s into the hold 10,000 of 10,000 stopped answering, and none answered again");
	o->quiet_ns = 10400 * NS_PER_MS;
	check("12.3 s into the hold 10,000 of 10,000 stopped answering for 10.4 s; not all "
	      "answered again");
	o->answered_ns = 11600 * NS_PER_MS;
	check("12.3 s into the hold 10,000 of 10,000 stopped answering for 10.4 s; all answered "
	      "again 1.20 s after the first");
}

static void test_losses(void **state)
{
	struct result_outage *o = fresh();

	(void)state;
	o->lost = o->lost_by_cause[CAUSE_RESET] = 1;
	o->open_least = 9999;
	check("12.3 s into the hold 1 of 10,000 was lost (reset 1); 9,999 open at the lowest");
	o->lost = 2000;
	o->lost_by_cause[CAUSE_CLOSED] = 1999;
	o->open_least = 8000;
	o->back = 2000;
	o->back_50_ns = 1100 * NS_PER_MS;
	o->back_99_ns = 1300 * NS_PER_MS;
	o->back_100_ns = 1500 * NS_PER_MS;
	check("12.3 s into the hold 2,000 of 10,000 were lost (reset 1, closed 1,999); 2,000 of "
	      "them opened again, 50 % after 1.10 s, 99 % after 1.30 s, all after 1.50 s; 8,000 "
	      "open at the lowest");
	o->back = 1000;
	o->back_99_ns = o->back_100_ns = RESULT_UNKNOWN;
	check("12.3 s into the hold 2,000 of 10,000 were lost (reset 1, closed 1,999); 1,000 of "
	      "them opened again, 50 % after 1.10 s; 8,000 open at the lowest");
}

static void test_both(void **state)
{
	struct result_outage *o = fresh();

	(void)state;
	o->silent = 10000;
	o->quiet_ns = 10400 * NS_PER_MS;
	o->answered_ns = 11600 * NS_PER_MS;
	o->lost = o->lost_by_cause[CAUSE_PATH_GONE] = 7;
	o->open_least = 9993;
	check("12.3 s into the hold 10,000 of 10,000 stopped answering for 10.4 s; all that lived "
	      "answered again 1.20 s after the first; 7 were lost (path_gone 7); 9,993 open at "
	      "the lowest");
}

/* As long as it gets with three causes, it is whole. */
static void test_longest(void **state)
{
	struct result_outage *o = fresh();

	(void)state;
	o->open_before = o->silent = 4000000000;
	o->quiet_ns = 3599 * NS_PER_S;
	o->answered_ns = 7198 * NS_PER_S;
	for (int i = 0; i < 3; i++)
		o->lost_by_cause[CAUSE_RESET + i] = 4000000000;
	o->lost = o->back = 4000000000;
	o->back_50_ns = o->back_99_ns = o->back_100_ns = 7198 * NS_PER_S;
	assert_int_equal(outage_lines(&result, lines), 1);
	assert_non_null(strstr(lines[0].text, "open at the lowest"));
}

static void test_many(void **state)
{
	(void)state;
	fresh()->lost = 1;
	for (uint32_t i = 1; i < RESULT_OUTAGES_MAX; i++)
		result.outages[i] = result.outages[0];
	result.outage_count = OUTAGE_LINES_MOST;
	assert_int_equal(outage_lines(&result, lines), OUTAGE_LINES_MOST);
	assert_non_null(strstr(lines[OUTAGE_LINES_MOST - 1].text, "lost"));
	result.outage_count = 1000;
	assert_int_equal(outage_lines(&result, lines), OUTAGE_LINES_MOST);
	assert_string_equal(lines[OUTAGE_LINES_MOST - 1].text, "995 more of them");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_none),    cmocka_unit_test(test_silence),
		cmocka_unit_test(test_losses),  cmocka_unit_test(test_both),
		cmocka_unit_test(test_longest), cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests_name("unit_outage_lines", tests, NULL, NULL);
}
