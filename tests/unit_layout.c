/* unit_layout: what every layout promises, over a grid of limits; and that layout_most is the edge
 * of what layout_plan accepts. */
#include "engine/layout.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#define PAGE        UINT64_C(4096)
#define SPARE       24U

static const uint64_t nofiles[] = {
	0,     1,     23,    24,    25,     26,     27,     28,      32,      40,         63,
	64,    100,   256,   1000,  1024,   2047,   2098,   4096,    8216,    10000,      20000,
	32767, 32768, 32769, 65536, 100000, 262144, 524288, 1000000, 1048576, UINT64_MAX,
};
static const uint32_t listener_counts[] = {0, 1, 30, 2048};
static const uint32_t connection_counts[] = {
	1,     2,     3,     7,     64,     100,    1000,   1023,    1024,    1025,
	32767, 32768, 32769, 50000, 100000, 250000, 524288, 1000000, 1500001, 2000000,
};
static const uint64_t memlocks[] = {
	0,      4095,    8191,    12287,   12288,   16384,    65536,      262144,
	524288, 1048576, 2097152, 8388608, 1 << 26, 1U << 30, UINT64_MAX,
};

struct demand {
	uint32_t connections, listeners;
	uint64_t nofile, memlock_bytes;
};

static void wrong(const struct demand *d, const struct layout *l, const char *what)
{
	fail_msg("%s: %u connections, %u listeners, nofile %llu, memlock %llu gave %u rings of %u "
	         "slots, %u usable, sq %u, cq %u, %llu locked",
	         what, d->connections, d->listeners, (unsigned long long)d->nofile,
	         (unsigned long long)d->memlock_bytes, l->rings, l->slots, l->usable, l->sq_entries,
	         l->cq_entries, (unsigned long long)l->locked_bytes);
}

static bool is_power_of_two(uint32_t value)
{
	return value > 0 && (value & (value - 1)) == 0;
}

static void check_promises(const struct demand *d, const struct layout *l)
{
	if (l->rings == 0 || l->usable == 0 || l->usable > l->slots) {
		wrong(d, l, "an empty ring");
		return;
	}
	if ((uint64_t)l->rings * l->usable < d->connections)
		wrong(d, l, "too few slots");
	if (2 * (uint64_t)l->rings + d->listeners + SPARE > d->nofile)
		wrong(d, l, "too many ordinary descriptors");
	if (l->slots > d->nofile)
		wrong(d, l, "a table beyond the limit");
	if (!is_power_of_two(l->sq_entries) || !is_power_of_two(l->cq_entries))
		wrong(d, l, "not powers of two");
	if (l->cq_entries < l->sq_entries)
		wrong(d, l, "more submissions than completions");
	if (d->listeners > 0 && l->slots - l->usable < l->cq_entries + d->listeners)
		wrong(d, l, "no room for a burst of accepts");
	if (l->locked_bytes > d->memlock_bytes)
		wrong(d, l, "too much locked memory");
	/* Submissions, queues and buffers: whole pages each. */
	if (l->locked_bytes % (PAGE * l->rings) != 0 || l->locked_bytes < 3 * PAGE * l->rings)
		wrong(d, l, "locked memory is not counted in pages of three regions");
	if (l->locked_bytes / l->rings < l->sq_entries * 64ULL + l->cq_entries * 16ULL)
		wrong(d, l, "locked memory is less than the queues");
}

static int plan(const struct demand *d, struct layout *l)
{
	memset(l, 0x55, sizeof(*l));
	return layout_plan(d->connections, d->listeners, d->nofile, d->memlock_bytes, l);
}

static void check_demand(const struct demand *d)
{
	struct demand richer = *d;
	struct layout l, other;
	int failed = plan(d, &l);

	richer.memlock_bytes = UINT64_MAX;
	if (failed == 0)
		check_promises(d, &l);
	else if (failed != (plan(&richer, &other) == 0 ? -ENOMEM : -EMFILE))
		wrong(d, &l, "refused for the wrong reason");
	/* layout_most says the same. */
	if ((failed == 0) !=
	    (d->connections <= layout_most(d->listeners, d->nofile, d->memlock_bytes)))
		wrong(d, &l, "layout_most does not agree");
}

static void test_grid(void **state)
{
	(void)state;
	for (size_t f = 0; f < COUNT_OF(nofiles); f++)
		for (size_t s = 0; s < COUNT_OF(listener_counts); s++)
			for (size_t c = 0; c < COUNT_OF(connection_counts); c++)
				for (size_t m = 0; m < COUNT_OF(memlocks); m++)
					check_demand(&(struct demand){connection_counts[c],
					                              listener_counts[s],
					                              nofiles[f], memlocks[m]});
}

static uint64_t draw(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *seed >> 30;
}

/* As many small values as large ones. */
static uint64_t draw_size(uint64_t *seed, unsigned int bits)
{
	uint64_t width = draw(seed) % bits + 1;

	return draw(seed) % (UINT64_C(1) << width);
}

static void test_random(void **state)
{
	uint64_t seed = 3;

	(void)state;
	for (int tries = 0; tries < 50000; tries++) {
		const struct demand d = {
			.connections = (uint32_t)draw_size(&seed, 21) + 1,
			.listeners = tries % 2 ? (uint32_t)draw_size(&seed, 11) : 0,
			.nofile = SPARE + draw_size(&seed, 20),
			.memlock_bytes = tries % 3 ? draw_size(&seed, 30) : UINT64_MAX,
		};

		check_demand(&d);
	}
}

static void check_edge(uint32_t listeners, uint64_t nofile, uint64_t memlock_bytes)
{
	uint32_t most = layout_most(listeners, nofile, memlock_bytes);
	struct demand d = {most, listeners, nofile, memlock_bytes};
	struct layout l;

	if (most > 0) {
		if (plan(&d, &l) != 0)
			wrong(&d, &l, "the most is refused");
		check_promises(&d, &l);
	}
	d.connections = most + 1;
	if (plan(&d, &l) == 0)
		wrong(&d, &l, "one more than the most is planned");
	/* No hole below. */
	for (uint32_t part = 1; part <= 16 && most > 0; part++) {
		d.connections = (uint32_t)((uint64_t)most * part / 17 + 1);
		if (plan(&d, &l) != 0)
			wrong(&d, &l, "less than the most is refused");
		check_promises(&d, &l);
	}
}

static void test_edge(void **state)
{
	(void)state;
	for (size_t f = 0; f < COUNT_OF(nofiles); f++)
		for (size_t s = 0; s < COUNT_OF(listener_counts); s++)
			for (size_t m = 0; m < COUNT_OF(memlocks); m++)
				check_edge(listener_counts[s], nofiles[f], memlocks[m]);
}

/* More of a limit never holds fewer connections, and a listener never makes room. */
static void test_monotone(void **state)
{
	(void)state;
	for (size_t s = 0; s < COUNT_OF(listener_counts); s++) {
		for (size_t m = 0; m < COUNT_OF(memlocks); m++) {
			uint32_t before = 0;

			for (size_t f = 0; f < COUNT_OF(nofiles); f++) {
				uint32_t most = layout_most(listener_counts[s], nofiles[f],
				                            memlocks[m]);

				assert_true(most >= before);
				assert_true(s == 0 || most <= layout_most(listener_counts[s - 1],
				                                          nofiles[f], memlocks[m]));
				assert_true(m == 0 ||
				            most >= layout_most(listener_counts[s], nofiles[f],
				                                memlocks[m - 1]));
				before = most;
			}
		}
	}
}

/* A table as large as the limit for each two of the ordinary descriptors: about L * L / 2. */
static void test_client_most(void **state)
{
	(void)state;
	for (uint64_t limit = SPARE; limit <= 8216; limit++)
		assert_int_equal(layout_most(0, limit, UINT64_MAX), limit * ((limit - SPARE) / 2));
	assert_int_equal(layout_most(0, 1024, UINT64_MAX), 512000);
	assert_int_equal(layout_most(0, 23, UINT64_MAX), 0);
	assert_int_equal(layout_most(0, 24, UINT64_MAX), 0);
	assert_int_equal(layout_most(0, 1024, 0), 0);
	assert_int_equal(layout_most(30, 54, UINT64_MAX), 0);
	/* A hard limit of 1024 * 1024 holds two million in one process, either side. */
	assert_true(layout_most(0, 1048576, UINT64_MAX) >= 2000000);
	assert_true(layout_most(2048, 1048576, UINT64_MAX) >= 2000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grid),        cmocka_unit_test(test_random),
		cmocka_unit_test(test_edge),        cmocka_unit_test(test_monotone),
		cmocka_unit_test(test_client_most),
	};

	return cmocka_run_group_tests_name("unit_layout", tests, NULL, NULL);
}
