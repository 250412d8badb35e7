/* Labs that pass: every solution over IPv4 and IPv6, in namespaces and on the host's network, and
 * one whose kernel counters are read independently while it holds. */
#include "trial.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void run_passes(const char *solution, const char *family)
{
	const char *n = trial_n("5000", "2000", "100000");
	const char *args[] = {"-n", n, "--hold", "100ms", "--solution", solution, family, NULL};
	struct trial trial;

	trial_run(&trial, NULL, args);
	trial_assert_passed(&trial, strtol(n, NULL, 10));
	assert_int_equal(trial_number(&trial, "source_ips"), strcmp(solution, "2") == 0 ? 1 : 20);
	assert_int_equal(trial_number(&trial, "server_ports"), strcmp(solution, "1") == 0 ? 1 : 30);
	assert_int_equal(trial_number(&trial, "ip_version"), family ? 6 : 4);
	assert_true(trial_real(&trial, "timing.rate_per_s") > 0);
	assert_true(trial_real(&trial, "timing.connect_ns.p50") > 0);
	trial_end(&trial);
}

static void solution_1_ipv4(void **state)
{
	(void)state;
	run_passes("1", NULL);
}

static void solution_2_ipv4(void **state)
{
	(void)state;
	run_passes("2", NULL);
}

static void mixed_ipv4(void **state)
{
	(void)state;
	run_passes("mixed", NULL);
}

static void solution_1_ipv6(void **state)
{
	(void)state;
	run_passes("1", "--ipv6");
}

static void solution_2_ipv6(void **state)
{
	(void)state;
	run_passes("2", "--ipv6");
}

static void mixed_ipv6(void **state)
{
	(void)state;
	run_passes("mixed", "--ipv6");
}

/* One field of a slab of the result, or -1. */
static int64_t slab_number(const struct trial *trial, const char *name, const char *field)
{
	const json_t *slabs = json_object_get(json_object_get(trial->result, "memory"), "slabs");
	json_t *slab;
	size_t i;

	json_array_foreach (slabs, i, slab) {
		if (strcmp(json_string_value(json_object_get(slab, "name")), name) == 0)
			return json_integer_value(json_object_get(slab, field));
	}
	return -1;
}

/* The bill is of the whole machine, so whatever else runs on it shows: one quiet run of three will
 * do. */
static void memory_is_billed(void **state)
{
	const char *const args[] = {"-n", "30000", "--hold", "0", NULL};
	struct trial trial;
	bool is_right = false;

	(void)state;
	if (geteuid() != 0)
		skip(); /* /proc/slabinfo is root's */
	for (int tries = 0; tries < 3 && !is_right; tries++) {
		trial_run(&trial, NULL, args);
		trial_assert_passed(&trial, 30000);
		double kernel = trial_real(&trial, "memory.kernel_bytes_per_connection");
		int64_t sockets = slab_number(&trial, "TCP", "objects");
		int64_t inodes = slab_number(&trial, "sock_inode_cache", "objects");

		is_right = kernel > 6500 && kernel < 10000 && sockets > 59000 && sockets < 61000 &&
		           inodes > 59000 && inodes < 61000;
		trial_end(&trial);
	}
	assert_true(is_right);
}

static void on_hosts_network(void **state)
{
	const char *const v4[] = {"-n", "3000", "--hold", "0", "--no-netns", NULL};
	const char *const v6[] = {"-n",         "3000", "--hold", "0", "--no-netns",
	                          "--solution", "2",    "--ipv6", NULL};
	struct trial trial;

	(void)state;
	trial_run(&trial, NULL, v4);
	trial_assert_passed(&trial, 3000);
	assert_string_equal(trial_word(&trial, "network"), "host");
	trial_end(&trial);
	trial_run(&trial, NULL, v6);
	trial_assert_passed(&trial, 3000);
	trial_end(&trial);
}

static void more_workers_than_connections(void **state)
{
	const char *const args[] = {"-n", "3", "--workers", "4", "--hold", "0", NULL};
	struct trial trial;

	(void)state;
	trial_run(&trial, NULL, args);
	trial_assert_passed(&trial, 3);
	assert_int_equal(trial_number(&trial, "workers.client"), 3);
	trial_end(&trial);
}

static void smallest(void **state)
{
	const char *const args[] = {"-n", "1", "--hold", "0", NULL};
	struct trial trial;

	(void)state;
	trial_run(&trial, NULL, args);
	trial_assert_passed(&trial, 1);
	trial_end(&trial);
}

static void paced(void **state)
{
	const char *const args[] = {"-n", "2000", "--hold", "0", "--rate", "1k/s", NULL};
	struct trial trial;

	(void)state;
	trial_run(&trial, NULL, args);
	trial_assert_passed(&trial, 2000);
	assert_true(trial_real(&trial, "timing.ramp_s") > 1.8);
	assert_true(trial_real(&trial, "timing.ramp_s") < 3.5);
	trial_end(&trial);
	/* A rate that takes more than a batch a millisecond. */
	const char *const fast[] = {"-n", "20000", "--hold", "0", "--rate", "20k/s", NULL};

	trial_run(&trial, NULL, fast);
	trial_assert_passed(&trial, 20000);
	assert_true(trial_is_small() || trial_real(&trial, "timing.ramp_s") < 1.3);
	trial_end(&trial);
}

static void without_kernel_features(void **state)
{
	const char *const missing[] = {"bind", "defer", "bind+defer"};

	(void)state;
	for (size_t i = 0; i < sizeof(missing) / sizeof(missing[0]); i++) {
		const char *const args[] = {"-n",        "3000",     "--hold", "0",
		                            "--without", missing[i], NULL};
		struct trial trial;

		trial_run(&trial, NULL, args);
		trial_assert_passed(&trial, 3000);
		trial_end(&trial);
	}
}

/* A number after a word in a file of another process's network namespace. */
static long read_in_netns(pid_t pid, const char *file, const char *line, int column)
{
	char path[64];
	int pipe_fds[2];
	long value = -1;

	assert_int_equal(pipe(pipe_fds), 0);
	pid_t child = fork();

	if (child == 0) {
		char text[512];

		snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
		int fd = open(path, O_RDONLY);

		if (fd < 0 || setns(fd, CLONE_NEWNET) != 0)
			_exit(1);
		FILE *f = fopen(file, "r");

		while (f && fgets(text, sizeof(text), f)) {
			char *rest = text, *word = strsep(&rest, " ");
			char *end;

			if (strcmp(word, line) != 0)
				continue;
			for (int i = 0; i < column; i++)
				word = strsep(&rest, " ");
			value = strtol(word, &end, 10);
			if (end != word) /* the line of names comes before that of values */
				break;
			value = -1;
		}
		(void)!write(pipe_fds[1], &value, sizeof(value));
		_exit(0);
	}
	waitpid(child, NULL, 0);
	assert_int_equal(read(pipe_fds[0], &value, sizeof(value)), sizeof(value));
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	return value;
}

static void assert_first_for_oom(pid_t pid)
{
	char path[64], text[16] = "";

	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", pid);
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	assert_non_null(fgets(text, sizeof(text), f));
	fclose(f);
	assert_string_equal(text, "1000\n");
}

/* The kernel's own counters, read from outside, against the numbers of the result. */
static void kernel_agrees(void **state)
{
	const char *const args[] = {"-n", "5000", "--hold", "1500ms", NULL};
	struct trial trial;

	(void)state;
	if (geteuid() != 0)
		skip(); /* entering the namespace of another process takes root */
	trial_start(&trial, NULL, args);
	trial_wait_text(&trial, "hold ", 30);
	pid_t server = trial_find(&trial, "mc-server-0");

	assert_int_equal(read_in_netns(server, "/proc/self/net/snmp", "Tcp:", 5),
	                 5000); /* ActiveOpens */
	assert_int_equal(read_in_netns(server, "/proc/self/net/snmp", "Tcp:", 6),
	                 5000); /* PassiveOpens */
	assert_int_equal(read_in_netns(server, "/proc/self/net/snmp", "Tcp:", 9),
	                 10000); /* CurrEstab */
	assert_first_for_oom(server);
	trial_wait(&trial, 30);
	trial_assert_passed(&trial, 5000);
	trial_end(&trial);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(solution_1_ipv4),
		cmocka_unit_test(solution_2_ipv4),
		cmocka_unit_test(mixed_ipv4),
		cmocka_unit_test(solution_1_ipv6),
		cmocka_unit_test(solution_2_ipv6),
		cmocka_unit_test(mixed_ipv6),
		cmocka_unit_test(memory_is_billed),
		cmocka_unit_test(on_hosts_network),
		cmocka_unit_test(smallest),
		cmocka_unit_test(more_workers_than_connections),
		cmocka_unit_test(paced),
		cmocka_unit_test(without_kernel_features),
		cmocka_unit_test(kernel_agrees),
	};

	return cmocka_run_group_tests_name("lab_solutions", tests, NULL, NULL);
}
