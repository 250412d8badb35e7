/* Storms: a part of the connections is cut at once and comes back; who does not is named by its
 * cause. */
#include "apart.h"
#include "staged.h"
#include "trial.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* 30 %, to the connection; all are back, in this order, and proved. */
static void run_storm(const char *option, const char *value)
{
	const char *n = trial_n("5000", "2000", "20000");
	const char *args[] = {"-n",   n,       "--hold", "700ms", "--storm", "30%",
	                      "--at", "100ms", option,   value,   NULL};
	int64_t cut = strtol(n, NULL, 10) / 10 * 3;
	struct trial trial;

	trial_run(&trial, NULL, args);
	trial_assert_passed(&trial, cut / 3 * 10);
	staged_assert(&trial, "storm.cut", cut);
	staged_assert(&trial, "storm.back", cut);
	staged_assert(&trial, "storm.failed", 0);
	double half = staged_number(&trial, 0, "storm.back_50_s");
	double most = staged_number(&trial, 0, "storm.back_99_s");

	assert_true(half > 0 && half < most);
	staged_assert_within(&trial, "storm.back_100_s", most, 5);
	trial_end(&trial);
}

static void of_sockets(void **state)
{
	(void)state;
	for (int i = 0; i < APART_ENGINES; i++)
		run_storm("--engine", apart_engine(i));
}

static void of_own_tcp(void **state)
{
	(void)state;
	if (!apart_has_tun())
		apart_skip("no /dev/net/tun");
	run_storm("--clients", "tun");
}

/* A server that has gone refuses them: each is lost by that cause, and the run has failed. */
static void refused(void **state)
{
	const char *serve_args[] = {"--listen", "127.0.0.1:9310", NULL};
	const char *args[] = {"127.0.0.1:9310", "-n",        "1000", "--hold",
	                      "1500ms",         "--retries", "1",    "--at",
	                      "700ms",          "--storm",   "50%",  NULL};
	struct trial serve, connect;

	(void)state;
	apart_serve(&serve, NULL, serve_args);
	apart_hold(&connect, NULL, args);
	kill(serve.pid, SIGKILL);
	trial_wait(&serve, 10);
	trial_wait(&connect, 20);
	trial_assert_code(&connect, 3);
	int64_t cut = (int64_t)staged_number(&connect, 0, "storm.cut");

	/* Where the kernel has closed some before the storm, these are no part of it. */
	assert_in_range(cut, 0, 500);
	staged_assert(&connect, "storm.back", 0);
	staged_assert(&connect, "storm.failed", cut);
	if (cut > 0)
		staged_assert(&connect, "storm.failed_by_cause.refused", cut);
	trial_end(&connect);
	trial_end(&serve);
}

/* A server that stands still takes as many as its queue holds. The others' time is over when the
 * stage's is: they are lost, by that cause. */
static void stopped(void **state)
{
	const char *serve_args[] = {"--listen", "127.0.0.1:9311", "--backlog", "16", NULL};
	const char *args[] = {
		"127.0.0.1:9311", "-n", "400",  "--hold", "1s",      "--retries", "0",
		"--timeout",      "1s", "--at", "500ms",  "--storm", "50%",       "--rate",
		"1k/s",           NULL};
	struct trial serve, connect;
	pid_t pids[8];
	int count;

	(void)state;
	apart_serve(&serve, NULL, serve_args);
	apart_hold(&connect, NULL, args);
	count = trial_pids(&serve, "mc-server", pids, 8);
	for (int i = 0; i < count; i++)
		kill(pids[i], SIGSTOP);
	apart_sleep(1500);
	for (int i = 0; i < count; i++)
		kill(pids[i], SIGCONT);
	trial_wait(&connect, 20);
	staged_assert(&connect, "storm.cut", 200);
	double back = staged_number(&connect, 0, "storm.back");
	double failed = staged_number(&connect, 0, "storm.failed");

	assert_true(failed > 0);
	assert_int_equal((int64_t)(back + failed), 200);
	staged_assert(&connect, "storm.failed_by_cause.timeout", (int64_t)failed);
	assert_int_equal(trial_number(&connect, "lost"), (int64_t)failed);
	apart_stop(&serve, SIGINT, 0);
	trial_end(&connect);
	trial_end(&serve);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		APART_TEST(of_sockets),
		APART_TEST(of_own_tcp),
		APART_TEST(refused),
		APART_TEST(stopped),
	};

	return cmocka_run_group_tests_name("lab_storm", tests, apart_set_up, NULL);
}
