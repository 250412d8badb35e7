/* unit_sampler: a sample of this machine has everything that there is to know here; and of another
 * network namespace, what is that one's. */
#include "run/sampler.h"

#include "base/figure.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct sample now, before;

/* Known only where the kernel has it: connection tracking, a bounded cgroup, newer counters. */
static bool may_be_unknown(enum figure_id id)
{
	return id == FIGURE_CONNTRACK || id == FIGURE_CONNTRACK_MAX || id == FIGURE_CGROUP_LEFT ||
	       id == FIGURE_MEMORY_PERCPU || id == FIGURE_TCP_SYN_RETRANSMITS ||
	       id == FIGURE_TCP6_INUSE;
}

static void everything_is_filled(void **state)
{
	(void)state;
	sampler_take(&before);
	sampler_take(&now);
	for (int i = 0; i < FIGURE_COUNT; i++) {
		const struct figure *figure = figure_at((enum figure_id)i);

		if (figure->group == FIGURE_RUN || figure->group == FIGURE_SLABS)
			continue;
		if (figure_sum(figure, &now) == PROBE_UNKNOWN && !may_be_unknown((enum figure_id)i))
			fail_msg("%s is not known", figure->name);
	}
	assert_int_equal(now.has_slabs, geteuid() == 0);
	if (now.has_slabs)
		assert_true(figure_count(figure_at(FIGURE_SLAB), &now) > 20);
	assert_false(now.has_run);
	assert_true(now.at_ns > before.at_ns && now.unix_ns > before.unix_ns);
}

static void quiet_has_three_looks(void **state)
{
	const struct sample *looks = sampler_wait_quiet(0);

	(void)state;
	for (int i = 1; i < SAMPLER_LOOKS; i++)
		assert_in_range(looks[i].at_ns - looks[i - 1].at_ns, 50000000, 5000000000);
}

/* A child in a network namespace of its own, which it leaves when the pipe ends. */
static pid_t start_apart(int *hold, int *said)
{
	int down[2], up[2];
	char byte = 0;
	pid_t pid;

	assert_int_equal(pipe2(down, O_CLOEXEC), 0);
	assert_int_equal(pipe2(up, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		close(down[1]);
		byte = unshare(CLONE_NEWNET) == 0;
		(void)!write(up[1], &byte, 1);
		(void)!read(down[0], &byte, 1);
		_exit(0);
	}
	close(down[0]);
	close(up[1]);
	*hold = down[1];
	*said = up[0];
	return pid;
}

/* In a child: setns(2) is for good. Returns 0, or the number of what went wrong. */
static int look_from(const char *which)
{
	struct err err = {""};

	if (socket(AF_INET, SOCK_STREAM, 0) < 0 || sampler_enter_netns(which, &err) != 0)
		return 1;
	sampler_take(&now);
	if (now.sockets.tcp_inuse != 0 || now.tcp.active_opens != 0)
		return 2;
	return now.sockets.tcp_alloc > 0 ? 0 : 3; /* the machine's */
}

static void another_namespace(void **state)
{
	int hold, said, status = -1;
	char byte = 0, which[2][64];
	pid_t apart = start_apart(&hold, &said);

	(void)state;
	assert_int_equal(read(said, &byte, 1), 1);
	snprintf(which[0], sizeof(which[0]), "%d", (int)apart);
	snprintf(which[1], sizeof(which[1]), "/proc/%d/ns/net", (int)apart);
	for (int i = 0; i < 2 && byte; i++) {
		pid_t child = fork();

		if (child == 0)
			_exit(look_from(which[i]));
		waitpid(child, &status, 0);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
	}
	close(hold);
	close(said);
	waitpid(apart, &status, 0);
	if (!byte)
		skip(); /* an ordinary user */
}

static void no_namespace(void **state)
{
	static const struct {
		const char *which, *says;
		int code;
	} cases[] = {
		{"no_such_one", "there is no network namespace 'no_such_one'", -ENOENT},
		{"", "there is no network namespace ''", -ENOENT},
		{"..", "network namespace", 0},
		{"99999999999", "there is no network namespace", -ENOENT},
		{"/proc/self/ns/uts", "'/proc/self/ns/uts' is not a network namespace", -EINVAL},
		{"/dev/null", "is not a network namespace", -EINVAL},
		{"a\nb", "'a\\x0ab'", -ENOENT},
	};
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int failed;

		err.text[0] = '\0';
		failed = sampler_enter_netns(cases[i].which, &err);
		assert_true(failed < 0);
		if (!strstr(err.text, cases[i].says))
			fail_msg("%s: %s", cases[i].which, err.text);
		if (cases[i].code != 0)
			assert_int_equal(failed, cases[i].code);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_is_filled),
		cmocka_unit_test(quiet_has_three_looks),
		cmocka_unit_test(another_namespace),
		cmocka_unit_test(no_namespace),
	};

	return cmocka_run_group_tests_name("unit_sampler", tests, NULL, NULL);
}
