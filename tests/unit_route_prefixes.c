/* unit_route_prefixes: ranges of addresses as prefixes: all ranges of small spaces against the best
 * there is, and the ends of both families' address spaces. */
#include "kernel/route.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/socket.h>

#define SPACE 64 /* addresses of a small space, which begins at a multiple of it */
#define MOST  64

static struct ip parsed(const char *text)
{
	struct ip ip;

	assert_int_equal(ip_parse(text, &ip), 0);
	return ip;
}

static uint32_t size_of(const struct route_prefix *prefix)
{
	return UINT32_C(1) << ((prefix->first.family == AF_INET ? 32 : 128) - prefix->len);
}

/* fewest[from][count]: how few blocks of 2^n that begin at multiples of 2^n make up a range. */
static uint32_t fewest[SPACE][SPACE + 1];

static uint32_t best(uint32_t from, uint32_t count)
{
	uint32_t least = count;

	for (uint32_t size = 1; size <= count && from % size == 0; size *= 2) {
		uint32_t rest = size < count ? fewest[from + size][count - size] : 0;

		least = 1 + rest < least ? 1 + rest : least;
	}
	return least;
}

static void compute_fewest(void)
{
	for (uint32_t count = 1; count <= SPACE; count++) {
		for (uint32_t from = 0; from + count <= SPACE; from++)
			fewest[from][count] = best(from, count);
	}
}

/* Each begins where the last one ended, has no host bits, and the last ends where the range does.
 */
static void check_cover(const struct ip *first, uint32_t count, const struct route_prefix *out,
                        uint32_t found)
{
	uint64_t at = 0;

	for (uint32_t i = 0; i < found; i++) {
		struct ip expected = ip_add(first, at);
		struct route_prefix whole = route_prefix_of(&out[i].first, out[i].len);

		assert_true(ip_equal(&out[i].first, &expected));
		assert_true(ip_equal(&out[i].first, &whole.first));
		at += size_of(&out[i]);
	}
	assert_int_equal(at, count);
}

static void check_space(const char *base_text)
{
	struct ip base = parsed(base_text);
	struct route_prefix out[MOST];

	for (uint32_t from = 0; from < SPACE; from++) {
		for (uint32_t count = 1; from + count <= SPACE; count++) {
			struct ip first = ip_add(&base, from);
			uint32_t found = route_prefixes_of(&first, count, out, MOST);

			assert_int_equal(found, fewest[from][count]);
			check_cover(&first, count, out, found);
		}
	}
}

static void test_all_ranges(void **state)
{
	static const char *const bases[] = {"0.0.0.0",
	                                    "198.18.0.0",
	                                    "198.18.255.192",
	                                    "255.255.255.192",
	                                    "::",
	                                    "2001:2::",
	                                    "2001:2::ffff:ffff:ffff:ffc0",
	                                    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffc0"};

	(void)state;
	compute_fewest();
	assert_int_equal(fewest[0][SPACE], 1);
	assert_int_equal(fewest[1][SPACE - 2], 10); /* 1, 2, 4, 8, 16 and back */
	for (size_t i = 0; i < sizeof(bases) / sizeof(bases[0]); i++)
		check_space(bases[i]);
}

static void check_long(const char *first_text, uint32_t count, uint32_t expected)
{
	struct ip first = parsed(first_text);
	struct route_prefix out[MOST];

	assert_int_equal(route_prefixes_of(&first, count, out, MOST), expected);
	check_cover(&first, count, out, expected);
}

/* As long as a count can say. */
static void test_long_ranges(void **state)
{
	(void)state;
	check_long("0.0.0.0", UINT32_MAX, 32);
	check_long("0.0.0.1", UINT32_MAX, 32);
	check_long("0.0.0.1", UINT32_MAX - 1, 62);
	check_long("198.18.0.0", 1 << 17, 1);
	check_long("198.18.0.1", (1 << 17) - 2, 32);
	check_long("0.0.0.0", UINT32_C(1) << 31, 1);
	check_long("128.0.0.0", UINT32_C(1) << 31, 1);
	check_long("::", UINT32_MAX, 32);
	check_long("2001:2::1", UINT32_MAX - 1, 62);
	check_long("2001:2::ffff:ffff:0:0", UINT32_MAX, 32);
	check_long("2001:2::ffff:ffff:0:1", UINT32_MAX, 32);
}

/* What does not fit is counted, and not written. */
static void test_room(void **state)
{
	struct ip first = parsed("198.18.0.1");
	struct route_prefix out[4], untouched;

	(void)state;
	memset(&untouched, 0x5a, sizeof(untouched));
	for (uint32_t most = 0; most < 4; most++) {
		memset(out, 0x5a, sizeof(out));
		assert_int_equal(route_prefixes_of(&first, 14, out, most), 6);
		for (uint32_t i = 0; i < 4; i++) {
			if (i < most)
				assert_int_equal(out[i].len, 32 - i);
			else
				assert_memory_equal(&out[i], &untouched, sizeof(untouched));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_ranges),
		cmocka_unit_test(test_long_ranges),
		cmocka_unit_test(test_room),
	};

	return cmocka_run_group_tests_name("unit_route_prefixes", tests, NULL, NULL);
}
