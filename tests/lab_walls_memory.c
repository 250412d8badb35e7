/* lab_walls_memory: the wall of memory, in a cgroup of the test's own. doctor measures what a
 * connection costs on this kernel, and its number is reached to within a percent; the memory that
 * is left then is the reserve.
 *
 * Most of the cgroup is the reserve: it is there to be measured in, since the kernel charges CPUs
 * in batches of 64 pages (mm/memcontrol.c), half a megabyte that is a percent of little. */
#include "cgroup.h"
#include "wall.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIB           (1024LL * 1024)
#define LIMIT_BYTES   (720 * MIB)
#define RESERVE_BYTES (620 * MIB)

static void need_cgroup(void)
{
	wall_need_network();
	if (trial_is_small())
		apart_skip("the sanitizers' own memory is not megaconn's");
	if (!cgroup_make("720M"))
		skip();
}

/* Of what was there for connections, a percent is what may be left, or missing. */
static void assert_used_up(void)
{
	long long left = LIMIT_BYTES - cgroup_usage_bytes();

	if (llabs(left - RESERVE_BYTES) > (LIMIT_BYTES - RESERVE_BYTES) * 2 / 100)
		fail_msg("%lld bytes are left, not %lld", left, RESERVE_BYTES);
}

static void memory_is_used_up(const struct trial *held, int64_t reached)
{
	(void)held;
	(void)reached;
	fprintf(stderr, "left %lld\n", LIMIT_BYTES - cgroup_usage_bytes() - RESERVE_BYTES);
	assert_used_up();
}

static void memory_of_clients(void **state)
{
	const struct wall wall = {
		.row = "cgroup_memory",
		.how = "connect, memory limit 720 MiB of its cgroup, --reserve 620MiB",
		.note = "a connection's cost is measured; the server is in another cgroup",
		.options = {"--source", "127.0.0.2-127.0.0.9", "--reserve", "620MiB"},
		.prepare = cgroup_enter,
		.is_measured = true,
		.percent = 1,
		.beyond = memory_is_used_up,
	};

	(void)state;
	need_cgroup();
	wall_provoke_client(&wall);
}

static int restore_and_drop(void **state)
{
	int failed = wall_restore(state);

	cgroup_drop();
	return failed;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(memory_of_clients, restore_and_drop),
	};

	return cmocka_run_group_tests_name("lab_walls_memory", tests, wall_set_up, wall_tear_down);
}
