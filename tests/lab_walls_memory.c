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
#define RESERVE_BYTES (500 * MIB)

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

	print_message("left beside the reserve: %lld bytes\n", left - RESERVE_BYTES);
	if (llabs(left - RESERVE_BYTES) > (LIMIT_BYTES - RESERVE_BYTES) * 2 / 100)
		fail_msg("%lld bytes are left, not %lld", left, RESERVE_BYTES);
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
		.how = "connect, memory limit 720 MiB of its cgroup, --reserve 500MiB",
		.note = "what is left is the reserve; the server is in another cgroup",
		.options = {"--source", "127.0.0.2-127.0.0.9", "--reserve", "500MiB"},
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
	const char *const args[] = {"-n", text, "--reserve", "500MiB", "--hold", "700ms", NULL};

	snprintf(text, sizeof(text), "%lld", (long long)n);
	trial_start(lab, cgroup_enter, args);
	apart_keep(lab->pid);
}

/* "... the largest N that fits is 27,123: ..." */
static int64_t largest_of(const struct trial *lab)
{
	const char *at = strstr(lab->err, "largest N that fits is ");
	int64_t n = 0;

	assert_non_null(at);
	for (at += strlen("largest N that fits is "); (*at >= '0' && *at <= '9') || *at == ',';
	     at++)
		n = *at == ',' ? n : n * 10 + (*at - '0');
	return n;
}

/* Refused above doctor's number, and what is named then, less what two measurements may differ in,
 * passes: the memory that is left is the reserve. */
static void memory_of_a_lab(void **state)
{
	const struct wall wall = {
		.row = "cgroup_memory",
		.how = "lab, memory limit 720 MiB of its cgroup, --reserve 500MiB",
		.note = "both ends; a lab of 3 % more is refused; what is left is the reserve",
		.options = {"--source", "127.0.0.2-127.0.0.20", "--reserve", "500MiB"},
		.prepare = cgroup_enter,
		.is_measured = true,
		.percent = 1,
	};
	struct trial lab;

	(void)state;
	need_cgroup();
	int64_t predicted = wall_predict(&wall, "both");

	run_lab(&lab, predicted * 103 / 100);
	trial_wait(&lab, 60);
	trial_assert_code(&lab, 4);
	assert_non_null(strstr(lab.err, "the wall is cgroup_memory"));
	int64_t n = largest_of(&lab) * 995 / 1000;

	trial_end(&lab);
	run_lab(&lab, n);
	trial_wait_text(&lab, "hold ", 60);
	assert_used_up();
	trial_wait(&lab, 60);
	trial_assert_passed(&lab, n);
	trial_end(&lab);
	wall_compare(&wall, predicted, n);
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
