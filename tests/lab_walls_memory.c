/* lab_walls_memory: the wall of memory, in a cgroup of the test's own. doctor measures what a
 * connection costs on this kernel, and its number is reached to within a percent; the memory that
 * is left then is the reserve.
 *
 * Most of the cgroup is the reserve: it is there to be measured in, since the kernel charges CPUs
 * in batches of 64 pages (mm/memcontrol.c), half a megabyte that is a percent of little. */
#include "cgroup.h"
#include "wall.h"

#include "kernel/cgroup.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIB           (1024LL * 1024)
#define LIMIT_BYTES   (400 * MIB)
#define RESERVE_BYTES (180 * MIB)

static void need_cgroup(void)
{
	wall_need_network();
	if (trial_is_small())
		apart_skip("the sanitizers' own memory is not megaconn's");
	if (!cgroup_make("400M"))
		skip();
}

static int64_t memory_left(void)
{
	return (int64_t)cgroup_memory_left_bytes();
}

/* Of what was there for connections, a percent is what may be left, or missing. */
static void assert_used_up(void)
{
	int64_t left = wall_ask_child(cgroup_enter, memory_left);

	print_message("left beside the reserve: %lld bytes\n", (long long)left - RESERVE_BYTES);
	if (llabs(left - RESERVE_BYTES) > (LIMIT_BYTES - RESERVE_BYTES) * 2 / 100)
		fail_msg("%lld bytes are left, not %lld", (long long)left, RESERVE_BYTES);
}

static void memory_is_used_up(const struct trial *held, int64_t reached)
{
	(void)held;
	(void)reached;
	assert_used_up();
}

static void memory_of_clients(void **state)
{
	const struct wall wall = {
		.row = "cgroup_memory",
		.how = "connect, memory limit 400 MiB of its cgroup, --reserve 180MiB",
		.note = "what is left is the reserve; the server is in another cgroup",
		.options = {"--source", "127.0.0.2-127.0.0.9", "--reserve", "180MiB"},
		.prepare = cgroup_enter,
		.is_measured = true,
		.percent = 1,
		.beyond = memory_is_used_up,
	};

	(void)state;
	need_cgroup();
	wall_provoke_client(&wall);
}

static void run_lab(struct trial *lab, int64_t n)
{
	char text[32];
	const char *const args[] = {"-n",    text,        "--reserve", "180MiB", "--hold",
	                            "700ms", "--clients", "sockets",   NULL};

	snprintf(text, sizeof(text), "%lld", (long long)n);
	trial_start(lab, cgroup_enter, args);
	apart_keep(lab->pid);
}

/* At doctor's number a lab passes, or its guard ends the ramp within a percent of it; the memory
 * that is left is the reserve. */
static void memory_of_a_lab(void **state)
{
	const struct wall wall = {
		.row = "cgroup_memory",
		.how = "lab, memory limit 400 MiB of its cgroup, --reserve 180MiB",
		.note = "both ends; what is left is the reserve",
		.options = {"--source", "127.0.0.2-127.0.0.20", "--reserve", "180MiB"},
		.prepare = cgroup_enter,
		.is_measured = true,
		.percent = 1,
	};
	struct trial lab;

	(void)state;
	wall_need_time("memory_of_clients shows as much");
	need_cgroup();
	int64_t predicted = wall_predict(&wall, "both");

	run_lab(&lab, predicted);
	trial_wait_text(&lab, "hold ", 60);
	assert_used_up();
	trial_wait(&lab, 60);
	int64_t reached = trial_number(&lab, "established.client");

	if (lab.code != 0)
		assert_non_null(strstr(trial_word(&lab, "reason"), "memory: the ramp was stopped"));
	assert_int_equal(trial_number(&lab, "proved.echoed"), reached);
	trial_end(&lab);
	wall_compare(&wall, predicted, reached);
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
		cmocka_unit_test_teardown(memory_of_a_lab, restore_and_drop),
	};

	return cmocka_run_group_tests_name("lab_walls_memory", tests, wall_set_up, wall_tear_down);
}
