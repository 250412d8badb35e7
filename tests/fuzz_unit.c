/* fuzz_unit: a libFuzzer target for the parsers of user input: unit_*, ip_parse, moment_parse.
 * Besides memory errors it looks for broken promises: *out written on failure, values that do not
 * survive being written out and parsed again. */
#include "base/clock.h"
#include "base/moment.h"
#include "base/text.h"
#include "base/unit.h"
#include "plan/ip.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define UNTOUCHED UINT64_C(0x5a5a5a5a5a5a5a5a)

typedef int (*parser)(const char *s, uint64_t *out);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void check_failure(int rc)
{
	require(rc == -EINVAL || rc == -ERANGE);
}

/* `suffix` makes a bare number of the value's own unit. */
static void check_unit(parser parse, const char *s, const char *suffix)
{
	uint64_t value = UNTOUCHED, again = 0;
	char buffer[64];
	struct text text;
	int rc = parse(s, &value);

	if (rc != 0) {
		check_failure(rc);
		require(value == UNTOUCHED);
		return;
	}
	text_init(&text, buffer, sizeof(buffer));
	text_add(&text, "%" PRIu64 "%s", value, suffix);
	require(parse(buffer, &again) == 0 && again == value);

	text_init(&text, buffer, sizeof(buffer));
	text_count(&text, value);
	text_bytes(&text, value);
	require(!text.cut);
	text_init(&text, buffer, sizeof(buffer));
	text_duration(&text, value);
	require(!text.cut && text.len == strlen(buffer));
}

static void check_ports(const char *s)
{
	uint16_t low = 0, high = 0;
	int rc = unit_ports(s, &low, &high);

	if (rc == 0) {
		require(low >= 1 && low <= high);
	} else {
		check_failure(rc);
		require(low == 0 && high == 0);
	}
}

static void check_ip(const char *s)
{
	struct ip ip, again, next;
	char text[IP_TEXT_BYTES];

	if (ip_parse(s, &ip) != 0)
		return;
	require(ip_parse(ip_format(&ip, text), &again) == 0);
	require(ip_equal(&ip, &again) && ip_distance(&ip, &again) == 0);
	next = ip_add(&ip, 1);
	require(!ip_equal(&ip, &next));
	next = ip_add(&next, UINT64_MAX);
	require(ip_equal(&ip, &next));
}

/* What is taken is within a day, and comes back from its own words to the millisecond. */
static void check_moment(const char *s)
{
	const uint64_t now_ns = UINT64_C(1795435200000000000);
	uint64_t at_ns = UNTOUCHED, again_ns = 0;
	char text[MOMENT_TEXT_BYTES];
	struct err err = {""};

	if (moment_parse("--start-at", s, now_ns, &at_ns, &err) != 0) {
		require(at_ns == UNTOUCHED && strlen(err.text) > 0);
		return;
	}
	require(at_ns >= now_ns && at_ns - now_ns <= MOMENT_AHEAD_S * NS_PER_S);
	(void)moment_parse("--start-at", moment_format(at_ns, text), now_ns, &again_ns, &err);
	require(again_ns == at_ns - at_ns % NS_PER_MS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char s[128];

	if (size >= sizeof(s))
		return 0;
	memcpy(s, data, size);
	s[size] = '\0';
	check_unit(unit_count, s, "");
	check_unit(unit_rate, s, "/s");
	check_unit(unit_size, s, "B");
	check_unit(unit_duration, s, "ns");
	check_ports(s);
	check_ip(s);
	check_moment(s);
	return 0;
}
