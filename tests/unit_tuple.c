/* unit_tuple: the bijection, asked in both directions of everything near a small plan and at random
 * of large ones; the pool of source ports. */
#include "plan/tuple.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#define NO_MOST     UINT32_MAX
#define SOURCES     (1U << 24) /* more than any plan here uses */

static struct tuple_plan plan;
static uint8_t excluded[TUPLE_PORT_BYTES];
static uint64_t seed = 1;

static uint64_t draw(uint64_t below)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (seed >> 16) % below;
}

static void set_addresses(const char *source, const char *target, uint16_t target_port_low)
{
	struct ip first;

	memset(&plan, 0, sizeof(plan));
	assert_int_equal(ip_parse(source, &first), 0);
	pool_set(&plan.sources, &first, SOURCES);
	assert_int_equal(ip_parse(target, &plan.target), 0);
	plan.target_port_low = target_port_low;
}

static struct ip source_first(void)
{
	return plan.sources.ranges[0].first;
}

static struct ip source_after(uint64_t n)
{
	struct ip first = source_first();

	return ip_add(&first, n);
}

static void exclude(const uint16_t *ports, size_t count)
{
	memset(excluded, 0, sizeof(excluded));
	for (size_t i = 0; i < count; i++)
		tuple_port_mark(excluded, ports[i]);
}

static bool same(const struct tuple *a, const struct tuple *b)
{
	return ip_equal(&a->source, &b->source) && ip_equal(&a->target, &b->target) &&
	       a->source_port == b->source_port && a->target_port == b->target_port;
}

/* --- the bijection ------------------------------------------------------------------------ */

static uint64_t index_by_hand(uint64_t source, uint64_t position, uint64_t target_port)
{
	uint64_t rest = plan.by_source ? source * plan.port_count + position
	                               : position * plan.source_count + source;

	return rest * plan.target_port_count + target_port;
}

/* Asks for every tuple in a box wider than the plan, by arithmetic of its own: what the plan has
 * not is -1, what it has is an index below the room that nobody else has and that leads back. */
static void check_box(uint16_t port_from, uint16_t port_to)
{
	uint64_t room = tuple_room(&plan), found = 0;
	uint8_t *seen = calloc(room, 1);
	struct tuple t = {.target = plan.target};

	assert_non_null(seen);
	for (uint32_t s = 0; s < plan.source_count + 2; s++) {
		t.source = source_after(s);
		for (uint32_t p = port_from; p <= port_to; p++) {
			t.source_port = (uint16_t)p;
			for (uint32_t q = 0; q < plan.target_port_count + 2; q++) {
				t.target_port = (uint16_t)(plan.target_port_low - 1U + q);
				bool is_in = s < plan.source_count && plan.position_of[p] > 0 &&
				             q >= 1 && q <= plan.target_port_count;
				int64_t index = tuple_index(&plan, &t);

				assert_true(is_in == (index >= 0));
				if (!is_in) {
					assert_int_equal(index, -1);
					continue;
				}
				assert_true((uint64_t)index < room);
				assert_int_equal(seen[index]++, 0);
				struct tuple back = tuple_at(&plan, (uint64_t)index);

				assert_true(same(&t, &back));
				assert_int_equal(index,
				                 index_by_hand(s, plan.position_of[p] - 1U, q - 1));
				found++;
			}
		}
	}
	assert_int_equal(found, room);
	free(seen);
}

static const struct {
	const char *source, *target;
	uint16_t target_port_low;
} networks[] = {
	{"198.18.0.1", "198.19.0.1", 8090},       {"127.0.0.2", "127.0.0.1", 8090},
	{"198.18.255.254", "198.19.0.1", 65530}, /* a carry into the next bytes */
	{"10.255.255.253", "10.0.0.1", 1},        {"2001:2::1:1", "2001:2::1", 8090},
	{"2001:2::ffff:fffe", "2001:2::1", 8090}, {"::1", "::1", 8090},
};

static void test_small_plans(void **state)
{
	static const struct {
		uint32_t sources, target_ports;
	} shapes[] = {{1, 1}, {1, 5}, {5, 1}, {2, 3}, {7, 4}, {20, 3}};
	static const uint16_t holes[] = {40000, 40003, 40004, 40010, 40031};

	(void)state;
	exclude(holes, COUNT_OF(holes));
	for (size_t n = 0; n < COUNT_OF(networks); n++) {
		for (size_t s = 0; s < COUNT_OF(shapes); s++) {
			for (int e = 0; e < 2; e++) {
				set_addresses(networks[n].source, networks[n].target,
				              networks[n].target_port_low);
				plan.source_count = shapes[s].sources;
				plan.target_port_count = shapes[s].target_ports;
				assert_int_equal(tuple_set_ports(&plan, 40000, 40031,
				                                 e == 0 ? NULL : excluded, NO_MOST),
				                 e == 0 ? 32 : 27);
				assert_int_equal(tuple_room(&plan), (e == 0 ? 32U : 27U) *
				                                            shapes[s].sources *
				                                            shapes[s].target_ports);
				check_box(39998, 40033);
				plan.by_source = true;
				check_box(39998, 40033);
			}
		}
	}
}

static void test_small_solutions(void **state)
{
	static const uint16_t holes[] = {101, 102, 111};

	(void)state;
	exclude(holes, COUNT_OF(holes));
	for (int solution = 0; solution < SOLUTION_COUNT; solution++) {
		for (uint64_t n = 1; n < 1000; n += 1 + n / 3) {
			for (size_t i = 0; i < COUNT_OF(networks); i++) {
				set_addresses(networks[i].source, networks[i].target,
				              networks[i].target_port_low);
				assert_int_equal(
					tuple_set_ports(&plan, 100, 111, excluded, NO_MOST), 9);
				uint64_t room = tuple_shape(&plan, (enum solution)solution, n, 6,
				                            5);

				assert_int_equal(room, tuple_room(&plan));
				check_box(99, 112);
				plan.by_source = true;
				check_box(99, 112);
			}
		}
	}
}

/* Consecutive indexes, as the header orders them: target port fastest, source port slowest. */
static void test_order(void **state)
{
	struct tuple t;
	struct ip first;

	(void)state;
	set_addresses("198.18.0.1", "198.19.0.1", 8090);
	first = source_first();
	tuple_set_ports(&plan, 1024, 1033, NULL, NO_MOST);
	plan.source_count = 3;
	plan.target_port_count = 2;
	for (uint64_t i = 0; i < tuple_room(&plan); i++) {
		t = tuple_at(&plan, i);
		assert_int_equal(t.target_port, 8090 + i % 2);
		assert_int_equal(ip_distance(&first, &t.source), i / 2 % 3);
		assert_int_equal(t.source_port, 1024 + i / 6);
	}
	/* Disjoint ranges of whole source ports: the workers' share no bind bucket. */
	assert_int_not_equal(tuple_at(&plan, 5).source_port, tuple_at(&plan, 6).source_port);
}

/* By source: the source IP slowest, in the pool's order, and the target port fastest still. */
static void test_order_by_source(void **state)
{
	(void)state;
	set_addresses("198.18.0.1", "198.19.0.1", 8090);
	assert_int_equal(pool_parse("198.18.0.9,198.18.0.1-2", &plan.sources, NULL), 0);
	tuple_set_ports(&plan, 1024, 1033, NULL, NO_MOST);
	plan.source_count = 3;
	plan.target_port_count = 2;
	plan.by_source = true;
	assert_int_equal(tuple_per_source(&plan), 20);
	for (uint64_t i = 0; i < tuple_room(&plan); i++) {
		struct tuple t = tuple_at(&plan, i);
		struct ip expected = pool_at(&plan.sources, (uint32_t)(i / 20));

		assert_int_equal(t.target_port, 8090 + i % 2);
		assert_int_equal(t.source_port, 1024 + i / 2 % 10);
		assert_true(ip_equal(&t.source, &expected));
		assert_int_equal(tuple_index(&plan, &t), i);
	}
}

/* Workers whose ranges begin at multiples of tuple_per_source: however long these are, each has the
 * source IPs between its multiples and no others, so that each IP's packets have one device. */
static void test_workers_by_source(void **state)
{
	static const uint16_t holes[] = {20001, 20004};

	(void)state;
	exclude(holes, COUNT_OF(holes));
	for (size_t n = 0; n < COUNT_OF(networks); n++) {
		set_addresses(networks[n].source, networks[n].target, networks[n].target_port_low);
		assert_int_equal(tuple_set_ports(&plan, 20000, 20008, excluded, NO_MOST), 7);
		plan.source_count = 12;
		plan.target_port_count = 3;
		plan.by_source = true;
		uint64_t per_source = tuple_per_source(&plan);

		assert_int_equal(per_source, 7 * 3);
		assert_int_equal(tuple_room(&plan), per_source * plan.source_count);
		for (uint64_t sources = 1; sources <= plan.source_count; sources++) {
			for (uint64_t i = 0; i < tuple_room(&plan); i++) {
				struct ip first = source_first(),
					  source = tuple_at(&plan, i).source;
				uint64_t worker = i / (sources * per_source);

				assert_in_range(ip_distance(&first, &source), worker * sources,
				                worker * sources + sources - 1);
			}
		}
		/* One index further is somebody else's IP. */
		struct ip last = tuple_at(&plan, per_source - 1).source;
		struct ip next = tuple_at(&plan, per_source).source;

		assert_false(ip_equal(&last, &next));
	}
}

static void test_large_plans(void **state)
{
	(void)state;
	memset(excluded, 0, sizeof(excluded));
	for (uint16_t port = 10240; port < 10340; port = (uint16_t)(port + 3))
		tuple_port_mark(excluded, port);
	for (int solution = 0; solution < SOLUTION_COUNT; solution++) {
		for (size_t i = 0; i < 6; i++) {
			set_addresses(networks[i].source, networks[i].target, 1);
			tuple_set_ports(&plan, 10240, 65535, excluded, 50000);
			uint64_t room = tuple_shape(&plan, (enum solution)solution, 10000000, 60000,
			                            2048);

			assert_true(room >= 10000000);
			for (int tries = 0; tries < 100000; tries++) {
				uint64_t index = tries == 0 ? room - 1 : draw(room);
				struct tuple t = tuple_at(&plan, index);

				assert_false(tuple_port_is_marked(excluded, t.source_port));
				assert_true(t.source_port >= 10240);
				assert_int_equal(tuple_index(&plan, &t), index);
				plan.by_source = tries % 2 == 0;
			}
		}
	}
}

/* All ten million: the way back tells any two tuples apart. */
static void test_ten_million(void **state)
{
	(void)state;
	set_addresses("198.18.0.1", "198.19.0.1", 8090);
	tuple_set_ports(&plan, 10240, 65535, NULL, 50000);
	assert_int_equal(tuple_shape(&plan, SOLUTION_IPS, 10000000, 60000, 2048), 10000000);
	for (uint64_t index = 0; index < 10000000; index++) {
		struct tuple t = tuple_at(&plan, index);

		if (tuple_index(&plan, &t) != (int64_t)index)
			fail_msg("index %llu", (unsigned long long)index);
	}
}

static void expect_none(struct tuple t)
{
	assert_int_equal(tuple_index(&plan, &t), -1);
}

static void test_strangers(void **state)
{
	static const uint16_t hole = 20005;

	(void)state;
	exclude(&hole, 1);
	for (size_t i = 0; i < COUNT_OF(networks); i++) {
		struct tuple inside, t;
		struct ip other;

		set_addresses(networks[i].source, networks[i].target, networks[i].target_port_low);
		assert_int_equal(tuple_set_ports(&plan, 20000, 20010, excluded, NO_MOST), 10);
		plan.source_count = 4;
		plan.target_port_count = 5;
		inside = tuple_at(&plan, 123);
		assert_int_equal(tuple_index(&plan, &inside), 123);
#define WITH(field, value) (t = inside, t.field = (value), t)
		expect_none(WITH(source, source_after(4)));
		expect_none(WITH(source, source_after(UINT64_MAX)));
		expect_none(WITH(source, source_after(UINT32_MAX / 2)));
		expect_none(WITH(target, ip_add(&plan.target, 1)));
		expect_none(WITH(target, ip_add(&plan.target, UINT64_MAX)));
		expect_none(WITH(source_port, 0));
		expect_none(WITH(source_port, hole));
		expect_none(WITH(source_port, 19999));
		expect_none(WITH(source_port, 20011));
		expect_none(WITH(source_port, 65535));
		expect_none(WITH(target_port, 0));
		expect_none(WITH(target_port, (uint16_t)(plan.target_port_low - 1)));
		expect_none(WITH(target_port, (uint16_t)(plan.target_port_low + 5)));
		/* The same bytes in the other family, and another network above the counted bytes.
		 */
		other = inside.source;
		other.family = other.family == AF_INET ? AF_INET6 : AF_INET;
		expect_none(WITH(source, other));
		other = inside.target;
		other.family = other.family == AF_INET ? AF_INET6 : AF_INET;
		expect_none(WITH(target, other));
		other = inside.source;
		other.bytes[0] ^= 1;
		expect_none(WITH(source, other));
#undef WITH
		assert_int_equal(tuple_index(&plan, &inside), 123);
	}
}

/* Sources of a pool with holes, in an order that is not theirs: each number of sources that a plan
 * may use of it, asked of every address near. */
static void check_sources(const char *list, const char *const *order, uint32_t count,
                          const char *near, uint32_t near_count)
{
	struct ip first;

	set_addresses("198.18.0.1", "198.19.0.1", 8090);
	assert_int_equal(pool_parse(list, &plan.sources, NULL), 0);
	assert_int_equal(plan.sources.count, count);
	assert_int_equal(tuple_set_ports(&plan, 40000, 40002, NULL, NO_MOST), 3);
	assert_int_equal(ip_parse(near, &first), 0);
	plan.target_port_count = 2;
	for (plan.source_count = 1; plan.source_count <= count; plan.source_count++) {
		uint64_t found = 0;

		for (uint64_t index = 0; index < tuple_room(&plan); index++) {
			struct tuple t = tuple_at(&plan, index);
			struct ip expected;

			ip_parse(order[index / 2 % plan.source_count], &expected);
			assert_true(ip_equal(&t.source, &expected));
			assert_int_equal(tuple_index(&plan, &t), index);
		}
		for (uint32_t i = 0; i < near_count; i++) {
			struct tuple t = tuple_at(&plan, 3);

			t.source = ip_add(&first, i);
			found += tuple_index(&plan, &t) >= 0;
		}
		assert_int_equal(found, plan.source_count);
	}
}

static void test_sources_of_several_ranges(void **state)
{
	static const char *const ipv4[] = {"198.18.0.10", "198.18.0.11", "198.18.0.12",
	                                   "198.18.0.1",  "198.18.1.1",  "198.18.1.2",
	                                   "198.18.0.2"};
	static const char *const ipv6[] = {"2001:2::9", "2001:2::1", "2001:2::2", "2001:2::3"};

	(void)state;
	check_sources("198.18.0.10-12,198.18.0.1,198.18.1.0/30,198.18.0.2", ipv4, COUNT_OF(ipv4),
	              "198.18.0.0", 512);
	check_sources("2001:2::9,2001:2::/126", ipv6, COUNT_OF(ipv6), "2001:2::", 256);
}

/* --- the pool of source ports -------------------------------------------------------------- */

static void expect_pool(uint16_t low, uint16_t high, uint32_t most, uint32_t count)
{
	uint32_t position = 0;

	assert_int_equal(tuple_set_ports(&plan, low, high, excluded, most), count);
	assert_int_equal(plan.port_count, count);
	for (uint32_t port = 0; port < TUPLE_PORT_BITS; port++) {
		bool is_in = port >= 1 && port >= low && port <= high && position < most &&
		             !tuple_port_is_marked(excluded, (uint16_t)port);

		assert_int_equal(plan.position_of[port], is_in ? position + 1 : 0);
		if (is_in)
			assert_int_equal(plan.ports[position++], port);
	}
	assert_int_equal(position, count);
}

static void test_pool(void **state)
{
	static const uint16_t holes[] = {1, 32768, 32769, 50000, 60999, 61000, 65535};

	(void)state;
	memset(excluded, 0, sizeof(excluded));
	expect_pool(32768, 60999, NO_MOST, 28232);
	expect_pool(0, 65535, NO_MOST, 65535); /* port 0 is none */
	expect_pool(1, 65535, NO_MOST, 65535);
	expect_pool(65535, 65535, NO_MOST, 1);
	expect_pool(0, 0, NO_MOST, 0);
	expect_pool(2000, 1999, NO_MOST, 0);
	expect_pool(10240, 65535, 50000, 50000);
	expect_pool(10240, 65535, 1, 1);
	expect_pool(10240, 65535, 0, 0);
	exclude(holes, COUNT_OF(holes));
	expect_pool(32768, 60999, NO_MOST, 28228);
	expect_pool(0, 65535, NO_MOST, 65535 - 7);
	expect_pool(32768, 65535, 3, 3);
	expect_pool(65535, 65535, NO_MOST, 0);
	memset(excluded, 0xff, sizeof(excluded));
	expect_pool(1, 65535, NO_MOST, 0);
	assert_int_equal(tuple_set_ports(&plan, 1, 65535, NULL, NO_MOST), 65535);
}

static void test_port_bits(void **state)
{
	(void)state;
	memset(excluded, 0, sizeof(excluded));
	for (uint32_t port = 0; port < TUPLE_PORT_BITS; port += 7)
		tuple_port_mark(excluded, (uint16_t)port);
	for (uint32_t port = 0; port < TUPLE_PORT_BITS; port++)
		assert_true(tuple_port_is_marked(excluded, (uint16_t)port) == (port % 7 == 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small_plans),
		cmocka_unit_test(test_small_solutions),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_order_by_source),
		cmocka_unit_test(test_workers_by_source),
		cmocka_unit_test(test_large_plans),
		cmocka_unit_test(test_ten_million),
		cmocka_unit_test(test_strangers),
		cmocka_unit_test(test_sources_of_several_ranges),
		cmocka_unit_test(test_pool),
		cmocka_unit_test(test_port_bits),
	};

	return cmocka_run_group_tests_name("unit_tuple", tests, NULL, NULL);
}
