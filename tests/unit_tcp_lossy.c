/* unit_tcp_lossy: our TCP and a model server with a bad wire between them: packets are lost,
 * doubled, overtaken, late and corrupt, by a seed that is printed. Whatever happens, each of 1,000
 * connections has its messages back byte for byte or has failed with an errno, and is closed at the
 * end. MEGACONN_SEED=7 runs one seed; without it there are some fixed ones and one of the clock. */
#include "base/clock.h"
#include "unit_tcp_lossy/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

static void run(struct world_wire wire, uint64_t seed, struct world_result *r)
{
	wire.is_ipv6 = seed % 2;
	world_run(&wire, seed, r);
	printf("MEGACONN_SEED=%lu, %s, %u.%u %% lost, %u tries: "
	       "%u proved, %u failed (%u refused, %u ended, %u timed out, of them %u "
	       "impatient), %lu reconnected\n",
	       (unsigned long)seed, wire.is_ipv6 ? "IPv6" : "IPv4", wire.lost / 10, wire.lost % 10,
	       wire.tries, r->proved, r->failed, r->by_error[0], r->by_error[1], r->by_error[2],
	       r->impatient, (unsigned long)r->reconnected);
	printf("  %lu packets, %lu lost, %lu corrupt, %lu sent again, "
	       "%lu probes, %lu refused, %lu s\n",
	       (unsigned long)r->packets, (unsigned long)r->lost, (unsigned long)r->corrupt,
	       (unsigned long)r->retransmitted, (unsigned long)r->probes, (unsigned long)r->refused,
	       (unsigned long)r->simulated_ms / 1000);
	assert_int_equal(r->wrong, 0);
	assert_int_equal(r->unended, 0);
	assert_int_equal(r->unnamed, 0);
	assert_int_equal(r->changed, 0);
	assert_int_equal(r->proved + r->failed, WORLD_CONNECTIONS);
}

static void each_seed(void (*test)(uint64_t seed))
{
	const char *given = getenv("MEGACONN_SEED");

	if (given) {
		test(strtoull(given, NULL, 10));
		return;
	}
	for (uint64_t seed = 1; seed <= 4; seed++)
		test(seed);
	test(clock_now_ns());
}

/* Nothing is sent twice where nothing is lost. */
static void quick(uint64_t seed)
{
	struct world_result r;

	run((struct world_wire){.is_quick = true, .tries = 1}, seed, &r);
	assert_int_equal(r.proved, WORLD_CONNECTIONS);
	assert_int_equal(r.retransmitted, 0);
}

static void on_a_good_wire(void **state)
{
	(void)state;
	each_seed(quick);
}

static struct world_wire bad_wire(unsigned int lost, unsigned int tries)
{
	return (struct world_wire){
		.lost = lost, .twice = 50, .corrupt = 30, .late = 30, .tries = tries};
}

/* All of it, however long it takes. */
static void all(unsigned int lost, uint64_t seed)
{
	struct world_result r;

	run(bad_wire(lost, 8), seed, &r);
	assert_int_equal(r.proved, WORLD_CONNECTIONS);
	assert_int_equal(r.impatient, 0);
	assert_true(r.caught > 0 && r.retransmitted > 0);
}

static void lossless(uint64_t seed)
{
	all(0, seed);
}

static void without_loss(void **state)
{
	(void)state;
	each_seed(lossless);
}

static void some(uint64_t seed)
{
	all(50, seed);
}

static void with_5_percent(void **state)
{
	(void)state;
	each_seed(some);
}

static void many(uint64_t seed)
{
	all(200, seed);
}

static void with_20_percent(void **state)
{
	(void)state;
	each_seed(many);
}

/* With one try a few may fail. */
static void most(uint64_t seed)
{
	struct world_result r;

	run(bad_wire(400, 1), seed, &r);
	assert_in_range(r.proved, WORLD_CONNECTIONS * 9 / 10, WORLD_CONNECTIONS);
	run(bad_wire(400, 8), seed, &r);
	assert_in_range(r.proved, WORLD_CONNECTIONS * 99 / 100, WORLD_CONNECTIONS);
}

static void with_40_percent(void **state)
{
	(void)state;
	each_seed(most);
}

/* Many fail, each with a name. */
static void few(uint64_t seed)
{
	struct world_result r;

	run(bad_wire(750, 1), seed, &r);
	assert_in_range(r.failed, WORLD_CONNECTIONS / 10, WORLD_CONNECTIONS);
	assert_true(r.by_error[2] > 0);
}

static void with_75_percent(void **state)
{
	(void)state;
	each_seed(few);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(on_a_good_wire),  cmocka_unit_test(without_loss),
		cmocka_unit_test(with_5_percent),  cmocka_unit_test(with_20_percent),
		cmocka_unit_test(with_40_percent), cmocka_unit_test(with_75_percent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
