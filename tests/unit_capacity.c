/* unit_capacity: each wall alone, with exact numbers on both sides of it, and its words. */
#include "plan/capacity.h"

#include "base/result.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#define MIB         (UINT64_C(1) << 20)
#define GIB         (UINT64_C(1) << 30)

/* Nothing but the width of an index stops these. */
static struct capacity_limits roomy(void)
{
	return (struct capacity_limits){
		.memory_left_bytes = UINT64_C(1) << 60,
		.cgroup_left_bytes = CAPACITY_NO_LIMIT,
		.reserve_bytes = 512 * MIB,
		.ends = 2,
		.connection_bytes = CAPACITY_PAIR_BYTES_IPV4,
		.files_left = CAPACITY_NO_LIMIT,
		.tuples = UINT64_C(1) << 50,
		.process_most = UINT64_C(1) << 27,
		.workers_most = 64,
	};
}

static const char *const wall_words[] = {
	[WALL_MEMORY] = "memory: ",
	[WALL_CGROUP_MEMORY] = "cgroup's memory limit: ",
	[WALL_FILES] = "fs.file-max: ",
	[WALL_PORTS] = "4-tuples: ",
	[WALL_DESCRIPTORS] = "descriptors and locked memory: ",
	[WALL_INDEX] = "index",
};

/* The wall is `wall`, at `largest` (`text`), and says so. */
static void expect_wall(const struct capacity_limits *limits, enum wall wall, uint64_t largest,
                        const char *text)
{
	enum wall first = WALL_COUNT;
	struct err err = {"untouched"};
	char phrase[64] = "; the largest N that fits is ";

	assert_int_equal(capacity_allows(limits, wall), largest);
	assert_int_equal(capacity_largest(limits, &first), largest);
	assert_int_equal(first, wall);
	assert_int_equal(capacity_check(limits, largest, &err), 0);
	assert_string_equal(err.text, "untouched");
	assert_int_equal(capacity_check(limits, 0, &err), 0);
	assert_int_equal(capacity_check(limits, largest + 1, NULL), -E2BIG);
	assert_int_equal(capacity_check(limits, largest + 1, &err), -E2BIG);

	const char *named = strstr(err.text, "; the largest N that fits is ");
	const char *words = strstr(err.text, wall_words[wall]);

	assert_non_null(named);
	assert_non_null(words);
	assert_true(words < named);
	strncat(phrase, text, sizeof(phrase) - strlen(phrase) - 2);
	strncat(phrase, ": ", 3);
	assert_memory_equal(named, phrase, strlen(phrase));
	assert_true(strlen(named) > strlen(phrase) + 10); /* what to do */
	assert_null(strchr(err.text, '\n'));
	assert_true(strlen(err.text) < sizeof(err.text) - 1); /* not cut */
	/* "the wall is" precedes the name: no other wall is named there. */
	words = strstr(err.text, "the wall is ");
	assert_non_null(words);
	assert_true(strncmp(words, "the wall is the ", 16) == 0 ||
	            strncmp(words + 12, wall_words[wall], strlen(wall_words[wall])) == 0);
}

static void test_memory(void **state)
{
	struct capacity_limits l = roomy();

	(void)state;
	l.memory_left_bytes = l.reserve_bytes + 1000000 * l.connection_bytes;
	expect_wall(&l, WALL_MEMORY, 1000000, "1,000,000");
	l.memory_left_bytes += l.connection_bytes - 1;
	expect_wall(&l, WALL_MEMORY, 1000000, "1,000,000");
	l.memory_left_bytes++;
	expect_wall(&l, WALL_MEMORY, 1000001, "1,000,001");
	l.connection_bytes = CAPACITY_PAIR_BYTES_IPV6;
	l.memory_left_bytes = 16 * GIB;
	expect_wall(&l, WALL_MEMORY, (16 * GIB - 512 * MIB) / CAPACITY_PAIR_BYTES_IPV6,
	            "1,869,999");
	l.memory_left_bytes = l.reserve_bytes;
	expect_wall(&l, WALL_MEMORY, 0, "0");
	l.memory_left_bytes = l.reserve_bytes - 1;
	expect_wall(&l, WALL_MEMORY, 0, "0");
	l.memory_left_bytes = 0;
	expect_wall(&l, WALL_MEMORY, 0, "0");
}

static void test_cgroup(void **state)
{
	struct capacity_limits l = roomy();

	(void)state;
	l.cgroup_left_bytes = l.reserve_bytes + 123456 * l.connection_bytes;
	expect_wall(&l, WALL_CGROUP_MEMORY, 123456, "123,456");
	l.cgroup_left_bytes--;
	expect_wall(&l, WALL_CGROUP_MEMORY, 123455, "123,455");
	l.cgroup_left_bytes = 0;
	expect_wall(&l, WALL_CGROUP_MEMORY, 0, "0");
}

static void test_files(void **state)
{
	struct capacity_limits l = roomy();

	(void)state;
	l.files_left = 2000000;
	expect_wall(&l, WALL_FILES, 1000000, "1,000,000");
	l.files_left = 1999999;
	expect_wall(&l, WALL_FILES, 999999, "999,999");
	l.files_left = 1;
	expect_wall(&l, WALL_FILES, 0, "0");
}

static void test_ports(void **state)
{
	struct capacity_limits l = roomy();

	(void)state;
	l.tuples = 28232;
	expect_wall(&l, WALL_PORTS, 28232, "28,232");
	l.tuples = 0;
	expect_wall(&l, WALL_PORTS, 0, "0");
}

static void test_descriptors(void **state)
{
	struct capacity_limits l = roomy();

	(void)state;
	l.process_most = 512000;
	l.workers_most = 3;
	expect_wall(&l, WALL_DESCRIPTORS, 1536000, "1,536,000");
	l.workers_most = 0;
	expect_wall(&l, WALL_DESCRIPTORS, 0, "0");
}

static void test_index(void **state)
{
	struct capacity_limits l = roomy();

	(void)state;
	expect_wall(&l, WALL_INDEX, CAPACITY_INDEX_MOST, "1,073,741,824");
	l.memory_left_bytes = CAPACITY_NO_LIMIT;
	l.files_left = CAPACITY_NO_LIMIT - 1;
	expect_wall(&l, WALL_INDEX, CAPACITY_INDEX_MOST, "1,073,741,824");
}

/* The numbers a message is made of. */
static void test_words(void **state)
{
	struct capacity_limits l = roomy();
	struct err err;

	(void)state;
	l.memory_left_bytes = 8 * GIB;
	assert_int_equal(capacity_check(&l, 1000000, &err), -E2BIG);
	assert_string_equal(
		err.text,
		"1,000,000 connections do not fit; the wall is memory: 8.0 GiB left less a reserve "
		"of 512.0 MiB, at 8,450 bytes a connection with both its ends; the largest N that "
		"fits is 953,025: free memory, lower --reserve, or use a machine with more");
	l = roomy();
	l.process_most = 512000;
	l.workers_most = 4;
	assert_int_equal(capacity_check(&l, UINT64_MAX, &err), -E2BIG);
	assert_non_null(strstr(err.text, "18,446,744,073,709,551,615 connections do not fit"));
	assert_non_null(strstr(err.text, "512,000 connections a worker, 4 workers"));
	assert_non_null(strstr(err.text, "ulimit -n"));
	l = roomy();
	l.tuples = 28232;
	assert_int_equal(capacity_check(&l, 28233, &err), -E2BIG);
	assert_non_null(strstr(err.text, "28,233 connections do not fit"));
	assert_non_null(strstr(err.text, "add source IPs or server ports"));
}

/* A refusal's sentence is the result's reason: what does not fit there is never read, and what to
 * do stands at its end. */
static void test_words_fit_a_result(void **state)
{
	struct result result;

	(void)state;
	for (int wall = 0; wall < WALL_COUNT; wall++) {
		struct capacity_limits l = roomy();
		struct err err;

		l.memory_left_bytes = wall == WALL_MEMORY ? 123 * GIB : CAPACITY_NO_LIMIT;
		l.cgroup_left_bytes = wall == WALL_CGROUP_MEMORY ? 123 * GIB : CAPACITY_NO_LIMIT;
		l.files_left = wall == WALL_FILES ? 33000000 : CAPACITY_NO_LIMIT;
		l.tuples = wall == WALL_PORTS ? 15000000 : CAPACITY_NO_LIMIT;
		l.process_most = wall == WALL_DESCRIPTORS ? 512000 : UINT32_MAX;
		assert_int_equal(capacity_check(&l, UINT64_C(2000000000), &err), -E2BIG);
		assert_non_null(strstr(err.text, wall_words[wall]));
		if (strlen(err.text) >= sizeof(result.reason))
			fail_msg("%zu bytes of at most %zu: %s", strlen(err.text),
			         sizeof(result.reason) - 1, err.text);
	}
}

/* The largest is the least of the walls, whatever they are; what fits is exactly what is below. */
static void test_least(void **state)
{
	uint64_t seed = 7;

	(void)state;
	for (int tries = 0; tries < 20000; tries++) {
		uint64_t at[8], least = UINT64_MAX, largest;
		enum wall first = WALL_COUNT;
		struct err err;

		for (size_t i = 0; i < COUNT_OF(at); i++) {
			seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
			at[i] = (seed >> 20) >> (seed >> 59);
		}
		const struct capacity_limits l = {
			.memory_left_bytes = at[0],
			.cgroup_left_bytes = at[1] % 2 ? CAPACITY_NO_LIMIT : at[1],
			.reserve_bytes = at[2] % GIB,
			.ends = 2,
			.connection_bytes = 1 + at[3] % 10000,
			.files_left = at[4] % 2 ? CAPACITY_NO_LIMIT : at[4],
			.tuples = at[5],
			.process_most = at[6] % (UINT64_C(1) << 31),
			.workers_most = at[7] % 129,
		};

		for (int wall = 0; wall < WALL_COUNT; wall++) {
			uint64_t allows = capacity_allows(&l, (enum wall)wall);

			least = allows < least ? allows : least;
		}
		largest = capacity_largest(&l, &first);
		assert_int_equal(largest, least);
		assert_true(largest <= CAPACITY_INDEX_MOST);
		assert_true(first < WALL_COUNT);
		assert_int_equal(capacity_allows(&l, first), largest);
		assert_int_equal(capacity_check(&l, largest, &err), 0);
		assert_int_equal(capacity_check(&l, largest + 1, &err), -E2BIG);
		assert_non_null(strstr(err.text, wall_words[first]));
	}
}

static void test_default_reserve(void **state)
{
	(void)state;
	assert_int_equal(capacity_default_reserve(0), 512 * MIB);
	assert_int_equal(capacity_default_reserve(GIB), 512 * MIB);
	assert_int_equal(capacity_default_reserve(10 * GIB), 512 * MIB);
	assert_int_equal(capacity_default_reserve(10 * GIB + 20), 512 * MIB + 1);
	assert_int_equal(capacity_default_reserve(100 * GIB), 5 * GIB);
	assert_int_equal(capacity_default_reserve(UINT64_MAX), UINT64_MAX / 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memory),      cmocka_unit_test(test_cgroup),
		cmocka_unit_test(test_files),       cmocka_unit_test(test_ports),
		cmocka_unit_test(test_descriptors), cmocka_unit_test(test_index),
		cmocka_unit_test(test_words),       cmocka_unit_test(test_words_fit_a_result),
		cmocka_unit_test(test_least),       cmocka_unit_test(test_default_reserve),
	};

	return cmocka_run_group_tests_name("unit_capacity", tests, NULL, NULL);
}
