/* text: a bounded append buffer, and numbers and bytes as people read them. Integer arithmetic
 * throughout, so that the same number gives the same text everywhere. */
#include "base/text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define NS_PER_S   UINT64_C(1000000000)
#define QUOTED_MAX 48 /* bytes that are shown of a user's */

_Static_assert(sizeof(struct text_quoted) >= QUOTED_MAX * (sizeof("\\x00") - 1) + sizeof("..."),
               "bytes that are all escaped must fit");

void text_init(struct text *t, char *buffer, size_t size)
{
	*t = (struct text){.at = buffer, .size = size};
	buffer[0] = '\0';
}

void text_add(struct text *t, const char *fmt, ...)
{
	size_t room = t->size - t->len;
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(t->at + t->len, room, fmt, args);
	va_end(args);
	if (len < 0) {
		t->at[t->len] = '\0';
		t->cut = true;
	} else if ((size_t)len >= room) {
		t->len = t->size - 1;
		t->cut = true;
	} else {
		t->len += (size_t)len;
	}
}

void text_count(struct text *t, uint64_t n)
{
	uint64_t group = 1;

	while (n / group >= 1000)
		group *= 1000;
	text_add(t, "%" PRIu64, n / group);
	while (group > 1) {
		n %= group;
		group /= 1000;
		text_add(t, ",%03" PRIu64, n / group);
	}
}

void text_bytes(struct text *t, uint64_t bytes)
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	const unsigned int last = sizeof(units) / sizeof(units[0]) - 1;

	if (bytes < 1024) {
		text_add(t, "%" PRIu64 " B", bytes);
		return;
	}
	for (unsigned int i = 0; i <= last; i++) {
		unsigned int shift = 10 * (i + 1);
		uint64_t rest = bytes & ((UINT64_C(1) << shift) - 1);
		uint64_t tenths = (rest * 10 + (UINT64_C(1) << (shift - 1))) >> shift;

		tenths += (bytes >> shift) * 10;
		/* Asked after rounding: 1023.99 KiB is 1.0 MiB, not 1024.0 KiB. */
		if (tenths >= 10240 && i < last)
			continue;
		text_add(t, "%" PRIu64 ".%" PRIu64 " %s", tenths / 10, tenths % 10, units[i]);
		return;
	}
}

struct text_quoted text_quote(const char *bytes, size_t len)
{
	struct text_quoted quoted;
	struct text t;

	text_init(&t, quoted.text, sizeof(quoted.text));
	for (size_t i = 0; i < len && i < QUOTED_MAX; i++) {
		unsigned char c = (unsigned char)bytes[i];

		if (c >= 0x20 && c < 0x7f)
			text_add(&t, "%c", c);
		else
			text_add(&t, "\\x%02x", c);
	}
	if (len > QUOTED_MAX)
		text_add(&t, "...");
	return quoted;
}

/* Appends duration/unit with three significant digits; false where rounding brings it to `limit`
 * units or more, which reads better in the next unit. */
static bool add_three_digits(struct text *t, uint64_t duration, uint64_t unit, uint64_t limit,
                             const char *name)
{
	uint64_t scale = 100;

	for (int decimals = 2; decimals >= 0; decimals--, scale /= 10) {
		uint64_t scaled = (duration * scale + unit / 2) / unit;

		if (scaled >= limit * scale)
			return false;
		if (scaled >= 1000)
			continue;
		if (decimals == 0)
			text_add(t, "%" PRIu64 " %s", scaled, name);
		else
			text_add(t, "%" PRIu64 ".%0*" PRIu64 " %s", scaled / scale, decimals,
			         scaled % scale, name);
		return true;
	}
	return false;
}

static void add_clock(struct text *t, uint64_t seconds)
{
	if (seconds < 3600)
		text_add(t, "%" PRIu64 "m%02" PRIu64 "s", seconds / 60, seconds % 60);
	else
		text_add(t, "%" PRIu64 "h%02" PRIu64 "m", seconds / 3600, seconds / 60 % 60);
}

void text_duration(struct text *t, uint64_t duration_ns)
{
	if (duration_ns < 1000) {
		text_add(t, "%" PRIu64 " ns", duration_ns);
		return;
	}
	if (duration_ns < 60 * NS_PER_S) {
		if (add_three_digits(t, duration_ns, 1000, 1000, "us") ||
		    add_three_digits(t, duration_ns, 1000000, 1000, "ms") ||
		    add_three_digits(t, duration_ns, NS_PER_S, 60, "s"))
			return;
		duration_ns = 60 * NS_PER_S; /* 59.96 s: rounded up to a minute */
	}
	add_clock(t, duration_ns / NS_PER_S);
}
