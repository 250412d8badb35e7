/* unit_moment: times as people write them, with clocks of several places. */
#include "base/clock.h"
#include "base/moment.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define S           NS_PER_S
#define H           (3600 * NS_PER_S)
#define BERLIN      "CET-1CEST,M3.5.0,M10.5.0/3" /* as POSIX has it: no file is read */
#define NOON_NOV_23 (UINT64_C(1795435200) * S)   /* 2026-11-23T12:00:00Z */
#define NOON_OCT_24 (UINT64_C(1792843200) * S)   /* 2026-10-24T12:00:00Z: the next night, twice 2 */
#define NOON_MAR_28 (UINT64_C(1774699200) * S)   /* 2026-03-28T12:00:00Z: the next night, no 2 */

static struct err err;

static void in_zone(const char *tz)
{
	assert_int_equal(setenv("TZ", tz, 1), 0);
}

static void expect(const char *text, uint64_t now_ns, uint64_t expected_ns)
{
	uint64_t at_ns = 0;

	if (moment_parse("--start-at", text, now_ns, &at_ns, &err) != 0)
		fail_msg("%s", err.text);
	assert_int_equal(at_ns, expected_ns);
}

static void expect_refused(const char *text, uint64_t now_ns, const char *says)
{
	uint64_t at_ns = 7;

	assert_int_equal(moment_parse("--start-at", text, now_ns, &at_ns, &err), -EINVAL);
	assert_int_equal(at_ns, 7);
	if (!strstr(err.text, says))
		fail_msg("%s: %s", text, err.text);
}

static void reads_what_needs_no_zone(void **state)
{
	(void)state;
	in_zone(BERLIN);
	expect("2026-11-23T18:00:00Z", NOON_NOV_23, NOON_NOV_23 + 6 * H);
	expect("2026-11-23T18:00:00.25Z", NOON_NOV_23, NOON_NOV_23 + 6 * H + S / 4);
	expect("2026-11-23T18:00Z", NOON_NOV_23, NOON_NOV_23 + 6 * H);
	expect("2026-11-23T18:00:00+02:00", NOON_NOV_23, NOON_NOV_23 + 4 * H);
	expect("2026-11-23T18:00:00-03:30", NOON_NOV_23, NOON_NOV_23 + 34200 * S);
	expect("2026-11-23T12:00:00Z", NOON_NOV_23, NOON_NOV_23);
	expect("2026-11-24T12:00:00Z", NOON_NOV_23, NOON_NOV_23 + 86400 * S);
	expect("+30s", NOON_NOV_23, NOON_NOV_23 + 30 * S);
	expect("+1.5s", NOON_NOV_23 + 7, NOON_NOV_23 + 7 + 3 * S / 2);
	expect("+24h", NOON_NOV_23, NOON_NOV_23 + 86400 * S);
	expect("@1795435260", NOON_NOV_23, NOON_NOV_23 + 60 * S);
	expect("@1795435260.000000001", NOON_NOV_23, NOON_NOV_23 + 60 * S + 1);
}

static void reads_the_local_clock(void **state)
{
	(void)state;
	in_zone("UTC0");
	expect("18:00:00", NOON_NOV_23, NOON_NOV_23 + 6 * H);
	expect("18:00", NOON_NOV_23, NOON_NOV_23 + 6 * H);
	in_zone(BERLIN);
	expect("18:00:00", NOON_NOV_23, NOON_NOV_23 + 5 * H);
	expect("2026-11-23T18:00:00", NOON_NOV_23, NOON_NOV_23 + 5 * H);
	expect("18:00:00.5", NOON_NOV_23, NOON_NOV_23 + 5 * H + S / 2);
	in_zone("IST-5:30");
	expect("18:00:00", NOON_NOV_23, NOON_NOV_23 + 1800 * S);
}

/* Shortly before midnight the next morning is meant, shortly after a time that time. */
static void time_of_day_is_the_nearest(void **state)
{
	uint64_t late_ns = NOON_NOV_23 + 43190 * S; /* 23:59:50 */

	(void)state;
	in_zone("UTC0");
	expect("00:00:30", late_ns, late_ns + 40 * S);
	expect_refused("23:59:30", late_ns, "that was 20.0 s ago");
	expect_refused("23:59:50", late_ns + 20 * S, "that was 20.0 s ago");
	expect_refused("11:59:59", NOON_NOV_23, "that was 1.00 s ago");
}

static void knows_summer_time(void **state)
{
	(void)state;
	in_zone(BERLIN);
	/* 01:59:59 is in summer time, 03:00:00 in winter time, two hours and a second later. */
	expect("2026-10-25T01:59:59", NOON_OCT_24, NOON_OCT_24 + 43199 * S);
	expect("2026-10-25T03:00:00", NOON_OCT_24, NOON_OCT_24 + (43199 + 7201) * S);
	expect_refused("2026-10-25T02:30:00", NOON_OCT_24, "comes twice here");
	expect("2026-10-25T02:30:00+02:00", NOON_OCT_24, NOON_OCT_24 + 45000 * S);
	expect("2026-03-29T01:59:59", NOON_MAR_28, NOON_MAR_28 + 46799 * S);
	expect("2026-03-29T03:00:00", NOON_MAR_28, NOON_MAR_28 + 46800 * S);
	expect_refused("2026-03-29T02:30:00", NOON_MAR_28, "no such time here");
	/* Half an hour before that day, which has 23 hours: a day later is the next one already. */
	expect("00:10", NOON_MAR_28 + 37800 * S, NOON_MAR_28 + 40200 * S);
}

static void refuses_what_cannot_be(void **state)
{
	(void)state;
	in_zone("UTC0");
	expect_refused("2026-11-23T11:00:00Z", NOON_NOV_23, "that was 1h00m ago");
	expect_refused("1970-01-01T00:00:00Z", NOON_NOV_23, "ago");
	expect_refused("1970-01-01T00:00:00+01:00", NOON_NOV_23, "ago");
	expect_refused("2026-11-24T12:00:01Z", NOON_NOV_23, "at most 24 hours ahead");
	expect_refused("+25h", NOON_NOV_23, "at most 24 hours ahead");
	expect_refused("@1795435199", NOON_NOV_23, "that was 1.00 s ago");
	expect_refused("@1795521601", NOON_NOV_23, "at most 24 hours ahead");
}

static void refuses_what_is_no_time(void **state)
{
	static const char *const bad[] = {
		"",
		"now",
		"30s",
		"+",
		"+x",
		"@",
		"@x",
		"@-1",
		"@1795435260.",
		"@1795435260.0000000001",
		"@18446744073709551615",
		"@99999999999999999999999",
		"+99999999999999h",
		"18",
		"18:",
		"24:00",
		"18:60",
		"18:00:60",
		"8:00",
		"18:00:00Z",
		"18:00:00 ",
		" 18:00",
		"2026-11-23",
		"2026-11-23 18:00:00Z",
		"2026-11-23T",
		"2026-13-23T18:00:00Z",
		"2026-00-23T18:00:00Z",
		"2026-02-29T18:00:00Z",
		"2026-11-31T18:00:00Z",
		"2026-11-00T18:00:00Z",
		"1969-11-23T18:00:00Z",
		"2262-11-23T18:00:00Z",
		"2026-11-23T18:00:00z",
		"2026-11-23T18:00:00+2",
		"2026-11-23T18:00:00+02:60",
		"2026-11-23T18:00:00+15:00",
		"2026-11-23T18:00:00ZZ",
		"2026-11-23T18:00:00.Z",
	};

	(void)state;
	in_zone(BERLIN);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		expect_refused(bad[i], NOON_NOV_23, "not a time");
	expect("2028-02-29T18:00:00Z", UINT64_C(1835395200) * S, UINT64_C(1835460000) * S);
}

static void writes_a_moment(void **state)
{
	char text[MOMENT_TEXT_BYTES];

	(void)state;
	in_zone(BERLIN);
	assert_string_equal(moment_format(NOON_NOV_23 + S / 4, text), "2026-11-23T12:00:00.250Z");
	assert_string_equal(moment_format(0, text), "1970-01-01T00:00:00.000Z");
	(void)moment_format(UINT64_MAX, text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_needs_no_zone),
		cmocka_unit_test(reads_the_local_clock),
		cmocka_unit_test(time_of_day_is_the_nearest),
		cmocka_unit_test(knows_summer_time),
		cmocka_unit_test(refuses_what_cannot_be),
		cmocka_unit_test(refuses_what_is_no_time),
		cmocka_unit_test(writes_a_moment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
