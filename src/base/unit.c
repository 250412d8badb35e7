/* unit: the values users type. One exact parser of "digits[.digits]suffix" over a table of
 * suffixes; no floating point, so that 0.1G is 100000000 and overflow is found where it happens. */
#include "base/unit.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#define KI       UINT64_C(1024)
#define NS_PER_S UINT64_C(1000000000)

#define PERCENT_PARTS UINT64_C(10000) /* of a million */

struct suffix {
	const char *text;
	uint64_t factor;
};

/* A number as it stands in the string, before its suffix says what it is worth. */
struct number {
	uint64_t whole;
	bool too_large;       /* `whole` did not fit */
	const char *fraction; /* its digits */
	size_t fraction_len;
	const char *rest;
};

/* isdigit() asks the locale; this does not. */
static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Reads digits into *value and returns what follows them. */
static const char *read_digits(const char *s, uint64_t *value, bool *too_large)
{
	*value = 0;
	*too_large = false;
	for (; is_digit(*s); s++) {
		if (__builtin_mul_overflow(*value, UINT64_C(10), value) ||
		    __builtin_add_overflow(*value, (uint64_t)(*s - '0'), value))
			*too_large = true;
	}
	return s;
}

static int read_number(const char *s, struct number *n)
{
	*n = (struct number){0};
	n->rest = read_digits(s, &n->whole, &n->too_large);
	if (n->rest == s)
		return -EINVAL;
	if (*n->rest != '.')
		return 0;
	n->fraction = ++n->rest;
	while (is_digit(*n->rest))
		n->rest++;
	n->fraction_len = (size_t)(n->rest - n->fraction);
	return n->fraction_len > 0 ? 0 : -EINVAL;
}

/* factor * 0.<digits>, or -EINVAL where that is not whole. Goes from the last digit to the first:
 * if the result is whole then so is each step, and no step is larger than 10 * factor. */
static int scale_fraction(const struct number *n, uint64_t factor, uint64_t *out)
{
	uint64_t value = 0;

	for (size_t i = n->fraction_len; i > 0; i--) {
		value += (uint64_t)(n->fraction[i - 1] - '0') * factor;
		if (value % 10 != 0)
			return -EINVAL;
		value /= 10;
	}
	*out = value;
	return 0;
}

static int scale_number(const struct number *n, uint64_t factor, uint64_t *out)
{
	uint64_t fraction, value;
	int rc = scale_fraction(n, factor, &fraction);

	if (rc < 0)
		return rc;
	if (n->too_large || __builtin_mul_overflow(n->whole, factor, &value) ||
	    __builtin_add_overflow(value, fraction, &value))
		return -ERANGE;
	*out = value;
	return 0;
}

static int parse_scaled(const char *s, const struct suffix *suffixes, size_t count, uint64_t *out)
{
	struct number n;
	int rc = read_number(s, &n);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < count; i++) {
		if (strcmp(n.rest, suffixes[i].text) == 0)
			return scale_number(&n, suffixes[i].factor, out);
	}
	return -EINVAL;
}

int unit_count(const char *s, uint64_t *out)
{
	static const struct suffix suffixes[] = {
		{"", 1}, {"k", 1000}, {"K", 1000}, {"M", 1000000}, {"G", 1000000000},
	};

	return parse_scaled(s, suffixes, sizeof(suffixes) / sizeof(suffixes[0]), out);
}

int unit_rate(const char *s, uint64_t *per_s)
{
	static const struct suffix suffixes[] = {
		{"", 1},   {"k", 1000},   {"K", 1000},   {"M", 1000000},   {"G", 1000000000},
		{"/s", 1}, {"k/s", 1000}, {"K/s", 1000}, {"M/s", 1000000}, {"G/s", 1000000000},
	};

	return parse_scaled(s, suffixes, sizeof(suffixes) / sizeof(suffixes[0]), per_s);
}

int unit_size(const char *s, uint64_t *bytes)
{
	static const struct suffix suffixes[] = {
		{"", 1},
		{"B", 1},
		{"k", KI},
		{"K", KI},
		{"KiB", KI},
		{"KB", UINT64_C(1000)},
		{"M", KI * KI},
		{"MiB", KI * KI},
		{"MB", UINT64_C(1000000)},
		{"G", KI * KI * KI},
		{"GiB", KI * KI * KI},
		{"GB", UINT64_C(1000000000)},
		{"T", KI * KI * KI * KI},
		{"TiB", KI * KI * KI * KI},
		{"TB", UINT64_C(1000000000000)},
	};

	return parse_scaled(s, suffixes, sizeof(suffixes) / sizeof(suffixes[0]), bytes);
}

int unit_sizes(const char *s, uint64_t *low, uint64_t *high)
{
	const char *dash = strchr(s, '-');
	char first[32];
	uint64_t from, to;
	size_t len = dash ? (size_t)(dash - s) : strlen(s);

	if (len >= sizeof(first))
		return -EINVAL;
	memcpy(first, s, len);
	first[len] = '\0';
	int failed = unit_size(first, &from);

	to = from;
	if (failed == 0 && dash)
		failed = unit_size(dash + 1, &to);
	if (failed != 0)
		return failed;
	if (to < from)
		return -EINVAL;
	*low = from;
	*high = to;
	return 0;
}

int unit_percent(const char *s, uint64_t *parts)
{
	static const struct suffix suffixes[] = {{"%", PERCENT_PARTS}};
	uint64_t value;
	int failed = parse_scaled(s, suffixes, 1, &value);

	if (failed != 0)
		return failed;
	if (value > 100 * PERCENT_PARTS)
		return -ERANGE;
	*parts = value;
	return 0;
}

int unit_duration(const char *s, uint64_t *duration_ns)
{
	static const struct suffix suffixes[] = {
		{"", NS_PER_S},         {"ns", 1},       {"us", 1000},
		{"ms", 1000000},        {"s", NS_PER_S}, {"m", 60 * NS_PER_S},
		{"h", 3600 * NS_PER_S},
	};

	return parse_scaled(s, suffixes, sizeof(suffixes) / sizeof(suffixes[0]), duration_ns);
}

int unit_ports(const char *s, uint16_t *low, uint16_t *high)
{
	uint64_t first, second;
	bool first_large, second_large;
	const char *end = read_digits(s, &first, &first_large);

	if (end == s)
		return -EINVAL;
	second = first;
	second_large = first_large;
	if (*end == '-') {
		s = end + 1;
		end = read_digits(s, &second, &second_large);
		if (end == s)
			return -EINVAL;
	}
	if (*end != '\0')
		return -EINVAL;
	if (first_large || second_large || first > UINT16_MAX || second > UINT16_MAX)
		return -ERANGE;
	if (first == 0 || second < first)
		return -EINVAL;
	*low = (uint16_t)first;
	*high = (uint16_t)second;
	return 0;
}

bool unit_take_digits(const char **at, const char *end, uint64_t *out)
{
	const char *c = *at;
	uint64_t n = 0;

	for (; c < end && *c >= '0' && *c <= '9'; c++) {
		if (__builtin_mul_overflow(n, UINT64_C(10), &n) ||
		    __builtin_add_overflow(n, (uint64_t)(*c - '0'), &n))
			return false;
	}
	if (c == *at)
		return false;
	*at = c;
	*out = n;
	return true;
}
