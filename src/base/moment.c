/* moment: numbers by hand, calendars by the C library. */
#include "base/moment.h"

#include "base/clock.h"
#include "base/text.h"
#include "base/unit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define YEAR_MOST  2261 /* UINT64_MAX ns are more than 500 years */
#define YEAR_LEAST 1970

struct reader {
	const char *at;
	const char *name, *text; /* for errors */
	uint64_t now_ns;
	struct err *err;
};

static int refuse(const struct reader *r, const char *why)
{
	return err_set(r->err, -EINVAL, "%s %s: %s", r->name,
	               text_quote(r->text, strlen(r->text)).text, why);
}

static int not_a_time(const struct reader *r)
{
	return refuse(r, "not a time (try 2026-11-23T18:00:00Z, 18:00:00, +30s, or Unix seconds "
	                 "as @1763920800)");
}

/* --- digits ------------------------------------------------------------------------------- */

static bool take(struct reader *r, char c)
{
	if (*r->at != c)
		return false;
	r->at++;
	return true;
}

/* Exactly `digits` of them, `least` to `most`. */
static bool take_number(struct reader *r, int digits, int least, int most, int *out)
{
	int value = 0;

	for (int i = 0; i < digits; i++, r->at++) {
		if (*r->at < '0' || *r->at > '9')
			return false;
		value = value * 10 + (*r->at - '0');
	}
	*out = value;
	return value >= least && value <= most;
}

/* ".25": up to nine digits; nothing is 0. */
static bool take_fraction(struct reader *r, uint64_t *ns)
{
	uint64_t worth = NS_PER_S;

	*ns = 0;
	if (!take(r, '.'))
		return true;
	for (; *r->at >= '0' && *r->at <= '9'; r->at++) {
		worth /= 10;
		if (worth == 0)
			return false;
		*ns += worth * (uint64_t)(*r->at - '0');
	}
	return worth < NS_PER_S;
}

static bool take_date(struct reader *r, struct tm *tm)
{
	static const int days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int year, month, day;

	if (!take_number(r, 4, YEAR_LEAST, YEAR_MOST, &year) || !take(r, '-') ||
	    !take_number(r, 2, 1, 12, &month) || !take(r, '-') ||
	    !take_number(r, 2, 1, days[month - 1], &day))
		return false;
	bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	tm->tm_year = year - 1900;
	tm->tm_mon = month - 1;
	tm->tm_mday = day;
	return month != 2 || day < 29 || is_leap;
}

/* "18:00", "18:00:00", "18:00:00.25" */
static bool take_clock(struct reader *r, struct tm *tm, uint64_t *ns)
{
	*ns = 0;
	if (!take_number(r, 2, 0, 23, &tm->tm_hour) || !take(r, ':') ||
	    !take_number(r, 2, 0, 59, &tm->tm_min))
		return false;
	if (!take(r, ':'))
		return true;
	return take_number(r, 2, 0, 59, &tm->tm_sec) && take_fraction(r, ns);
}

/* "Z", "+02:00", "-03:30": seconds east of Greenwich. */
static bool take_zone(struct reader *r, int *east_s)
{
	int sign = *r->at == '-' ? -1 : 1, hours, minutes;

	*east_s = 0;
	if (take(r, 'Z'))
		return true;
	if (!take(r, '+') && !take(r, '-'))
		return false;
	if (!take_number(r, 2, 0, 14, &hours) || !take(r, ':') ||
	    !take_number(r, 2, 0, 59, &minutes))
		return false;
	*east_s = sign * (hours * 3600 + minutes * 60);
	return true;
}

/* --- local time --------------------------------------------------------------------------- */

static bool is_same(const struct tm *a, const struct tm *b)
{
	return a->tm_year == b->tm_year && a->tm_mon == b->tm_mon && a->tm_mday == b->tm_mday &&
	       a->tm_hour == b->tm_hour && a->tm_min == b->tm_min && a->tm_sec == b->tm_sec;
}

/* Whether the local clock shows exactly that at a time: in summer time, or not. */
static bool find_local(const struct tm *wanted, int is_dst, time_t *out)
{
	struct tm tm = *wanted, back;

	tm.tm_isdst = is_dst;
	*out = mktime(&tm);
	return *out != (time_t)-1 && localtime_r(out, &back) && is_same(&back, wanted);
}

/* When clocks are put back an hour comes twice, when they are put forward one is left out. */
static int from_local(const struct reader *r, const struct tm *tm, time_t *out)
{
	time_t summer, winter;
	bool in_summer = find_local(tm, 1, &summer), in_winter = find_local(tm, 0, &winter);

	if (in_summer && in_winter && summer != winter)
		return refuse(r, "that comes twice here, as clocks are put back: give UTC "
		                 "(2026-11-23T18:00:00Z)");
	if (!in_summer && !in_winter)
		return refuse(r, "there is no such time here, as clocks are put forward");
	*out = in_summer ? summer : winter;
	return 0;
}

/* Noon of the day that is so many after today's: days of 23 and 25 hours have one as well. */
static bool find_noon(time_t now, int days, struct tm *out)
{
	if (!localtime_r(&now, out))
		return false;
	out->tm_mday += days;
	out->tm_hour = 12;
	out->tm_min = out->tm_sec = 0;
	out->tm_isdst = -1;
	return mktime(out) != (time_t)-1;
}

/* A time of day: the nearest to now of those of yesterday, today and tomorrow. */
static int from_clock(const struct reader *r, const struct tm *clock, time_t *out)
{
	time_t now = (time_t)(r->now_ns / NS_PER_S), best = 0;
	int failed = -EINVAL;

	for (int day = -1; day <= 1; day++) {
		time_t at = 0;
		struct tm tm;

		if (!find_noon(now, day, &tm))
			continue;
		tm.tm_hour = clock->tm_hour;
		tm.tm_min = clock->tm_min;
		tm.tm_sec = clock->tm_sec;
		int code = from_local(r, &tm, &at);

		if (code == 0 && (failed != 0 || llabs(at - now) < llabs(best - now)))
			best = at;
		failed = failed == 0 ? 0 : code;
	}
	*out = best;
	return failed;
}

/* --- the forms ---------------------------------------------------------------------------- */

static int read_date(struct reader *r, uint64_t *out)
{
	struct tm tm = {0};
	uint64_t ns = 0;
	int east_s = 0, failed = 0;
	time_t at = 0;

	if (!take_date(r, &tm) || !take(r, 'T') || !take_clock(r, &tm, &ns))
		return not_a_time(r);
	if (*r->at == '\0') {
		failed = from_local(r, &tm, &at);
	} else {
		if (!take_zone(r, &east_s))
			return not_a_time(r);
		at = timegm(&tm) - east_s;
	}
	if (failed != 0)
		return failed;
	*out = at < 0 ? 0 : (uint64_t)at * NS_PER_S + ns;
	return 0;
}

static int read_clock(struct reader *r, uint64_t *out)
{
	struct tm tm = {0};
	uint64_t ns;
	time_t at = 0;

	if (!take_clock(r, &tm, &ns) || *r->at != '\0')
		return not_a_time(r);
	int failed = from_clock(r, &tm, &at);

	if (failed == 0)
		*out = (uint64_t)at * NS_PER_S + ns;
	return failed;
}

static int read_unix(struct reader *r, uint64_t *out)
{
	uint64_t seconds, ns;

	if (!unit_take_digits(&r->at, r->at + strlen(r->at), &seconds) || !take_fraction(r, &ns) ||
	    seconds > INT64_MAX / NS_PER_S - 1)
		return not_a_time(r);
	*out = seconds * NS_PER_S + ns;
	return 0;
}

static int read_from_now(struct reader *r, uint64_t *out)
{
	uint64_t after_ns;

	if (unit_duration(r->at, &after_ns) != 0 || after_ns > INT64_MAX - r->now_ns)
		return not_a_time(r);
	r->at += strlen(r->at);
	*out = r->now_ns + after_ns;
	return 0;
}

static int read_any(struct reader *r, uint64_t *out)
{
	bool is_clock = strlen(r->at) > 2 && r->at[2] == ':';
	int failed;

	if (take(r, '@'))
		failed = read_unix(r, out);
	else if (take(r, '+'))
		failed = read_from_now(r, out);
	else
		failed = is_clock ? read_clock(r, out) : read_date(r, out);
	return failed == 0 && *r->at != '\0' ? not_a_time(r) : failed;
}

static int check(const struct reader *r, uint64_t at_ns)
{
	bool has_passed = at_ns < r->now_ns;
	uint64_t apart_ns = has_passed ? r->now_ns - at_ns : at_ns - r->now_ns;
	char why[128];
	struct text t;

	if (!has_passed && apart_ns <= MOMENT_AHEAD_S * NS_PER_S)
		return 0;
	text_init(&t, why, sizeof(why));
	if (has_passed)
		text_add(&t, "that was ");
	else
		text_add(&t, "that is in ");
	text_duration(&t, apart_ns);
	text_add(&t, has_passed ? " ago" : ": at most 24 hours ahead");
	return refuse(r, why);
}

int moment_parse(const char *name, const char *text, uint64_t now_unix_ns, uint64_t *out,
                 struct err *err)
{
	struct reader r = {text, name, text, now_unix_ns, err};
	uint64_t at_ns = 0;

	tzset();
	int failed = read_any(&r, &at_ns);

	if (failed == 0)
		failed = check(&r, at_ns);
	if (failed == 0)
		*out = at_ns;
	return failed;
}

const char *moment_format(uint64_t unix_ns, char out[MOMENT_TEXT_BYTES])
{
	time_t seconds = (time_t)(unix_ns / NS_PER_S);
	struct text t;
	struct tm tm = {0};

	(void)gmtime_r(&seconds, &tm);
	text_init(&t, out, MOMENT_TEXT_BYTES);
	text_add(&t, "%04d-%02d-%02dT%02d:%02d:%02d.%03" PRIu64 "Z", tm.tm_year + 1900,
	         tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
	         (uint64_t)(unix_ns / NS_PER_MS % 1000));
	return out;
}
