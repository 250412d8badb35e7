/* unit_shard: the parts of a run that several hosts make. */
#include "plan/shard.h"
#include "plan/tuple.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct tuple_plan plan;
static struct err err;
static uint64_t seed = 1;

static uint64_t draw(uint64_t below)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (seed >> 16) % below;
}

static void reads_a_shard(void **state)
{
	struct shard shard;

	(void)state;
	assert_int_equal(shard_parse("3/20", &shard, &err), 0);
	assert_int_equal(shard.number, 3);
	assert_int_equal(shard.of, 20);
	assert_int_equal(shard_parse("1/1", &shard, &err), 0);
	assert_int_equal(shard_parse("4096/4096", &shard, &err), 0);
}

static void refuses_what_is_none(void **state)
{
	static const char *const bad[] = {
		"",
		"3",
		"/",
		"3/",
		"/20",
		"0/20",
		"21/20",
		"1/0",
		"1/4097",
		"-1/20",
		"3/20 ",
		" 3/20",
		"3/20x",
		"3//20",
		"3/2/0",
		"+3/20",
		"18446744073709551617/20",
	};
	struct shard shard = {7, 9};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(shard_parse(bad[i], &shard, &err), -EINVAL);
		assert_non_null(strstr(err.text, "--shard"));
		assert_int_equal(shard.number, 7);
	}
}

/* n * (K - 1) / M, as anybody would reckon it. */
static void goes_by_equal_parts_without_addresses(void **state)
{
	const struct shard third = {3, 20};
	struct shard_part part;

	(void)state;
	assert_int_equal(shard_divide(&third, 1000000, 0, &part, &err), 0);
	assert_int_equal(part.whole, 1000000);
	assert_int_equal(part.first, 100000);
	assert_int_equal(part.count, 50000);
	assert_int_equal(part.source_count, 0);
	/* 40 addresses are two each: the indexes are the same. */
	assert_int_equal(shard_divide(&third, 1000000, 40, &part, &err), 0);
	assert_int_equal(part.first, 100000);
	assert_int_equal(part.count, 50000);
	assert_int_equal(part.source_first, 4);
	assert_int_equal(part.source_count, 2);
}

/* Of three addresses the second of two hosts has two, and so two thirds. */
static void indexes_follow_the_addresses(void **state)
{
	const struct shard first = {1, 2}, second = {2, 2};
	struct shard_part part;

	(void)state;
	assert_int_equal(shard_divide(&first, 30, 3, &part, &err), 0);
	assert_int_equal(part.source_count, 1);
	assert_int_equal(part.count, 10);
	assert_int_equal(shard_divide(&second, 30, 3, &part, &err), 0);
	assert_int_equal(part.source_first, 1);
	assert_int_equal(part.source_count, 2);
	assert_int_equal(part.first, 10);
	assert_int_equal(part.count, 20);
}

static void refuses_what_cannot_be_shared(void **state)
{
	const struct shard shard = {1, 20};
	struct shard_part part;

	(void)state;
	assert_int_equal(shard_divide(&shard, 1000, 19, &part, &err), -EINVAL);
	assert_non_null(strstr(err.text, "19 addresses for 20 shards"));
	assert_int_equal(shard_divide(&shard, 19, 0, &part, &err), -EINVAL);
	assert_non_null(strstr(err.text, "none of 19 connections"));
	assert_int_equal(shard_divide(&shard, SHARD_INDEXES_MAX + 1, 0, &part, &err), -EINVAL);
	assert_int_equal(shard_divide(&shard, SHARD_INDEXES_MAX, 0, &part, &err), 0);
}

/* The parts of all shards of any run, one after the other, are exactly the whole: of indexes, of
 * addresses, and of every number that is shared. */
static void parts_are_the_whole(void **state)
{
	static const uint64_t mosts[] = {100, 100000, 5000000, SHARD_INDEXES_MAX};

	(void)state;
	for (int i = 0; i < 2000; i++) {
		uint32_t of = 1 + (uint32_t)draw(i % 2 == 0 ? 32 : SHARDS_MAX);
		uint32_t sources = draw(3) == 0 ? 0 : of + (uint32_t)draw(UINT64_C(3) * of);
		uint64_t n = 2 * (uint64_t)(sources > of ? sources : of) + draw(mosts[i % 4]);
		uint64_t all = draw(UINT32_MAX), next = 0, next_source = 0, shared = 0;

		n = n < SHARD_INDEXES_MAX ? n : SHARD_INDEXES_MAX;
		for (uint32_t k = 1; k <= of; k++) {
			const struct shard shard = {k, of};
			struct shard_part part;

			assert_int_equal(shard_divide(&shard, n, sources, &part, &err), 0);
			assert_int_equal(part.first, next);
			assert_true(part.count > 0);
			assert_int_equal(part.source_first, sources > 0 ? next_source : 0);
			assert_true(sources == 0 || part.source_count > 0);
			next += part.count;
			next_source += part.source_count;
			shared += shard_share(&part, all);
		}
		assert_int_equal(next, n);
		assert_int_equal(next_source, sources);
		assert_int_equal(shared, all);
	}
}

static void bounds_are_shared_too(void **state)
{
	const struct shard shard = {2, 4};
	struct shard_part part;
	uint64_t rate = 3;

	(void)state;
	assert_int_equal(shard_divide(&shard, 1000, 0, &part, &err), 0);
	assert_int_equal(shard_share(&part, 0), 0);
	assert_int_equal(shard_share(&part, UINT64_MAX), UINT64_MAX);
	assert_int_equal(shard_share(&part, 1000), 250);
	assert_true(shard_share(&part, UINT64_MAX - 1) >> 60 >= 3);
	assert_int_equal(shard_take(&part, "--rate", &rate, &err), 0);
	assert_int_equal(rate, 1);
	assert_int_equal(shard_divide(&(struct shard){1, 4}, 1000, 0, &part, &err), 0);
	rate = 3;
	assert_int_equal(shard_take(&part, "--rate", &rate, &err), -EINVAL);
	assert_non_null(strstr(err.text, "--rate is of all shards together, and 3 leaves none"));
	rate = 0; /* as fast as it goes */
	assert_int_equal(shard_take(&part, "--rate", &rate, &err), 0);
	assert_int_equal(rate, 0);
}

/* --- tuples ------------------------------------------------------------------------------- */

#define SOURCES      "198.18.0.1-7,198.18.1.0/29,198.18.2.5"
#define SOURCE_COUNT 14

/* A host's own plan: its slice of the addresses, and ports of its own, which differ from those of
 * others. */
static uint64_t make_plan(const struct shard_part *part, uint32_t ports, uint32_t targets)
{
	uint16_t low = (uint16_t)(1024 + draw(1000));

	memset(&plan, 0, sizeof(plan));
	assert_int_equal(pool_parse(SOURCES, &plan.sources, &err), 0);
	assert_int_equal(plan.sources.count, SOURCE_COUNT);
	pool_slice(&plan.sources, part->source_first, part->source_count);
	assert_int_equal(plan.sources.count, part->source_count);
	plan.source_count = plan.sources.count;
	plan.target_port_low = 8090;
	plan.target_port_count = targets;
	assert_int_equal(ip_parse("198.19.0.1", &plan.target), 0);
	assert_int_equal(tuple_set_ports(&plan, low, UINT16_MAX, NULL, ports), ports);
	return tuple_room(&plan);
}

static uint64_t number_of(const struct tuple *t)
{
	const uint8_t *ip = t->source.bytes;

	return (uint64_t)ip[2] << 40 | (uint64_t)ip[3] << 32 | (uint64_t)t->source_port << 16 |
	       t->target_port;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void no_two_shards_have_a_tuple_in_common(void **state)
{
	static uint64_t tuples[20000];

	(void)state;
	for (int i = 0; i < 200; i++) {
		uint32_t of = 1 + (uint32_t)draw(SOURCE_COUNT);
		uint32_t ports = 1 + (uint32_t)draw(100), targets = 1 + (uint32_t)draw(5);
		uint64_t room = (uint64_t)SOURCE_COUNT * ports * targets;
		uint64_t n = room < SOURCE_COUNT ? room : SOURCE_COUNT + draw(room - 13), count = 0;

		for (uint32_t k = 1; k <= of; k++) {
			const struct shard shard = {k, of};
			struct shard_part part;

			assert_int_equal(shard_divide(&shard, n, SOURCE_COUNT, &part, &err), 0);
			/* What fits the whole fits each, but for one that is rounded up. */
			assert_true(make_plan(&part, ports + 1, targets) >= part.count);
			for (uint64_t t = 0; t < part.count; t++) {
				struct tuple tuple = tuple_at(&plan, t);

				tuples[count++] = number_of(&tuple);
			}
		}
		assert_int_equal(count, n);
		qsort(tuples, count, sizeof(tuples[0]), compare);
		for (uint64_t t = 1; t < count; t++)
			assert_true(tuples[t - 1] != tuples[t]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_shard),
		cmocka_unit_test(refuses_what_is_none),
		cmocka_unit_test(goes_by_equal_parts_without_addresses),
		cmocka_unit_test(indexes_follow_the_addresses),
		cmocka_unit_test(refuses_what_cannot_be_shared),
		cmocka_unit_test(parts_are_the_whole),
		cmocka_unit_test(bounds_are_shared_too),
		cmocka_unit_test(no_two_shards_have_a_tuple_in_common),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
