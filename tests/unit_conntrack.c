/* unit_conntrack: the judgement by itself, and the probe in private networks with rules of
 * nftables, where there is nft. */
#include "kernel/conntrack.h"

#include "base/err.h"
#include "base/map.h"
#include "kernel/netns.h"
#include "kernel/sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define NOT_HERE 2 /* a child's exit code, where what it needs is not here */

static void judge(void **state)
{
	static const struct {
		struct conntrack_seen seen;
		enum limits_use use;
	} cases[] = {
		{{.is_absent = true, .was_sent = true}, LIMITS_USE_NO},
		{{.before = 0, .after = 8, .was_sent = true}, LIMITS_USE_YES},
		{{.before = 0, .after = 1, .was_sent = true}, LIMITS_USE_YES},
		{{.before = 0, .after = 0, .was_sent = true}, LIMITS_USE_NO},
		/* The loopback is excepted, or nothing can be sent there; others are tracked. */
		{{.before = 5, .after = 5, .was_sent = true}, LIMITS_USE_YES},
		{{.before = 5, .after = 5}, LIMITS_USE_YES},
		{{.before = 5, .after = 0, .was_sent = true}, LIMITS_USE_YES},
		{{.before = 5, .after = LIMITS_UNKNOWN}, LIMITS_USE_YES},
		/* The table is full: all datagrams are refused. */
		{{.before = 9, .after = 9, .was_refused = true}, LIMITS_USE_YES},
		{{.before = 0, .after = 0}, LIMITS_USE_UNKNOWN},
		{{.before = 0, .after = 0, .was_refused = true}, LIMITS_USE_UNKNOWN},
		{{.before = 0, .after = 0, .was_sent = true, .was_refused = true},
	         LIMITS_USE_UNKNOWN},
		{{.before = LIMITS_UNKNOWN, .after = LIMITS_UNKNOWN, .was_sent = true},
	         LIMITS_USE_UNKNOWN},
		{{.before = 0, .after = LIMITS_UNKNOWN, .was_sent = true}, LIMITS_USE_UNKNOWN},
		{{.before = LIMITS_UNKNOWN, .after = 0, .was_sent = true}, LIMITS_USE_NO},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (conntrack_judge(&cases[i].seen) != cases[i].use)
			fail_msg("case %zu is judged %d", i, (int)conntrack_judge(&cases[i].seen));
	}
}

/* ---- in private networks --------------------------------------------------------------------- */

struct trial {
	const char *rules[8]; /* for nft, one command each; none: no rule */
	enum limits_use use;
};

/* Runs nft with one command; its exit code, 127 where it is not here. */
static int run_nft(const char *command)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

		if (null >= 0)
			dup2(null, STDERR_FILENO);
		execlp("nft", "nft", command, (char *)NULL);
		execl("/usr/sbin/nft", "nft", command, (char *)NULL);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

/* Returns 0 where the probe says what it should, twice. */
static int probe_inside(void *arg)
{
	const struct trial *trial = arg;
	struct conntrack seen;
	uint64_t count;

	for (int i = 0; trial->rules[i]; i++) {
		if (run_nft(trial->rules[i]) != 0)
			return NOT_HERE;
	}
	if (trial->use != LIMITS_USE_NO &&
	    sysctl_get_u64("net.netfilter.nf_conntrack_count", &count) != 0)
		return NOT_HERE;
	for (int i = 0; i < 2; i++) {
		conntrack_read(&seen);
		if (seen.use != trial->use)
			return 10 + (int)seen.use;
	}
	/* The numbers are those of the settings, or none at all. */
	if (sysctl_get_u64("net.netfilter.nf_conntrack_max", &count) == 0 && seen.max != count)
		return 20;
	return seen.max > 0 && seen.buckets > 0 ? 0 : 21;
}

static void assert_ends_well(int status)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_HERE) {
		print_message("skipped: no nft here, or not allowed, or no connection tracking\n");
		skip();
	}
	if (status != 0)
		fail_msg("the child ended with %d", WEXITSTATUS(status));
}

static void assert_probed(struct trial *trial)
{
	struct err why = {""};
	int lifeline[2], status = 0;
	struct netns_child child = {
		.kind = netns_probe(&why),
		.lifeline = lifeline,
		.inside = probe_inside,
		.arg = trial,
		.err = map_shared(sizeof(*child.err)),
	};

	assert_non_null(child.err);
	if (child.kind == NETNS_HOST) {
		print_message("skipped: %s\n", why.text);
		skip();
	}
	assert_int_equal(pipe2(lifeline, O_CLOEXEC), 0);
	pid_t pid = netns_spawn(&child);

	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(lifeline[0]);
	close(lifeline[1]);
	map_drop(child.err, sizeof(*child.err));
	assert_ends_well(status);
}

static void without_rules(void **state)
{
	struct trial trial = {.use = LIMITS_USE_NO};

	(void)state;
	assert_probed(&trial);
}

/* Rules that do not ask for the state make nobody track. */
static void with_other_rules(void **state)
{
	struct trial trial = {
		.rules = {"add table inet t",
	                  "add chain inet t c { type filter hook input priority 0; }",
	                  "add rule inet t c tcp dport 9 drop"},
		.use = LIMITS_USE_NO,
	};

	(void)state;
	assert_probed(&trial);
}

static void with_state_rules(void **state)
{
	static const char *const families[][4] = {
		{"add table inet t", "add chain inet t c { type filter hook input priority 0; }",
	         "add rule inet t c ct state established accept"},
		{"add table ip t", "add chain ip t c { type filter hook output priority 0; }",
	         "add rule ip t c ct state new accept"},
		{"add table ip6 t", "add chain ip6 t c { type filter hook input priority 0; }",
	         "add rule ip6 t c ct state new accept"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		struct trial trial = {.use = LIMITS_USE_YES};

		if (i == 2 && access("/proc/sys/net/ipv6", F_OK) != 0)
			continue;
		memcpy(trial.rules, families[i], sizeof(families[i]));
		assert_probed(&trial);
	}
}

/* What never left says nothing. */
static void with_loopback_closed(void **state)
{
	struct trial trial = {
		.rules = {"add table inet t",
	                  "add chain inet t c { type filter hook output priority 0; }",
	                  "add rule inet t c meta l4proto udp drop"},
		.use = LIMITS_USE_UNKNOWN,
	};

	(void)state;
	assert_probed(&trial);
}

/* A fresh network has its loopback link down: nothing can be sent. */
static int probe_down(void)
{
	struct conntrack seen;
	uint64_t count;

	if (unshare(geteuid() == 0 ? CLONE_NEWNET : CLONE_NEWUSER | CLONE_NEWNET) != 0)
		return NOT_HERE;
	conntrack_read(&seen);
	if (sysctl_get_u64("net.netfilter.nf_conntrack_count", &count) == -ENOENT)
		return seen.use == LIMITS_USE_YES ? 1 : 0;
	return seen.use == LIMITS_USE_UNKNOWN && seen.count == 0 ? 0 : 1;
}

static void with_loopback_down(void **state)
{
	int status = 0;
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(probe_down());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_HERE) {
		print_message("skipped: no network namespace can be made here\n");
		skip();
	}
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(judge),
		cmocka_unit_test(without_rules),
		cmocka_unit_test(with_other_rules),
		cmocka_unit_test(with_state_rules),
		cmocka_unit_test(with_loopback_closed),
		cmocka_unit_test(with_loopback_down),
	};

	return cmocka_run_group_tests_name("unit_conntrack", tests, NULL, NULL);
}
