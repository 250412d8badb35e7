/* Labs that end otherwise: workers and supervisors killed, interrupts once and twice. Whatever ends
 * a run, it says so, and nothing is left behind. */
#include "trial.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *size(void)
{
	return trial_n("5000", "2000", "1M");
}

/* Starts a run and waits until it holds. */
static void start_and_hold(struct trial *trial, const char *hold)
{
	const char *args[] = {"-n", size(), "--hold", hold, NULL};

	trial_start(trial, NULL, args);
	trial_wait_text(trial, "hold ", 120);
}

static int64_t n_of(void)
{
	return trial_is_full() ? 1000000 : strtol(size(), NULL, 10);
}

static void client_worker_killed(void **state)
{
	struct trial trial;
	int64_t alloc = trial_tcp_alloc();

	(void)state;
	start_and_hold(&trial, "1s");
	kill(trial_find(&trial, "mc-client-0"), SIGKILL);
	trial_wait(&trial, 120);
	trial_assert_code(&trial, 1);
	assert_string_equal(trial_word(&trial, "verdict"), "fail");
	assert_int_equal(trial_number(&trial, "workers.died"), 1);
	assert_non_null(strstr(trial_word(&trial, "reason"), "client worker 0"));
	/* Its connections are lost by that cause, and the others go on and are proved. */
	int64_t lost = trial_number(&trial, "lost_by_cause.worker_died");

	assert_true(lost > 0);
	assert_int_equal(trial_number(&trial, "lost"), lost);
	assert_int_equal(trial_number(&trial, "proved.echoed"), n_of() - lost);
	trial_assert_nothing_left(&trial, alloc);
	trial_end(&trial);
}

static void server_worker_killed(void **state)
{
	struct trial trial;
	int64_t alloc = trial_tcp_alloc();

	(void)state;
	start_and_hold(&trial, "1s");
	kill(trial_find(&trial, "mc-server-0"), SIGKILL);
	trial_wait(&trial, 150);
	trial_assert_code(&trial, 1);
	assert_int_equal(trial_number(&trial, "workers.died"), 1);
	int64_t lost = trial_number(&trial, "lost");

	/* Clients meet the reset, or the FIN, of each at the second proof. */
	assert_true(lost > 0);
	assert_int_equal(trial_number(&trial, "proved.echoed"), n_of() - lost);
	trial_assert_nothing_left(&trial, alloc);
	trial_end(&trial);
}

static void server_worker_killed_in_ramp(void **state)
{
	const char *const args[] = {"-n",        "3000",  "--rate",    "2k/s", "--hold", "0",
	                            "--timeout", "500ms", "--retries", "1",    NULL};
	struct trial trial;
	int64_t alloc = trial_tcp_alloc();

	(void)state;
	trial_start(&trial, NULL, args);
	trial_wait_text(&trial, "ramp ", 30);
	kill(trial_find(&trial, "mc-server-1"), SIGKILL);
	trial_wait(&trial, 60);
	trial_assert_code(&trial, 1);
	assert_string_equal(trial_word(&trial, "verdict"), "fail");
	assert_int_equal(trial_number(&trial, "workers.died"), 1);
	trial_assert_nothing_left(&trial, alloc);
	trial_end(&trial);
}

static void supervisor_killed(void **state)
{
	struct trial trial;
	int64_t alloc = trial_tcp_alloc();

	(void)state;
	start_and_hold(&trial, "60s");
	kill(trial.pid, SIGKILL);
	trial_wait(&trial, 5);
	trial_assert_code(&trial, 128 + SIGKILL);
	assert_null(trial.result);
	trial_assert_nothing_left(&trial, alloc);
	trial_end(&trial);
}

static void supervisor_killed_in_ramp(void **state)
{
	const char *args[] = {"-n", size(), "--hold", "60s", NULL};
	struct trial trial;
	int64_t alloc = trial_tcp_alloc();

	(void)state;
	trial_start(&trial, NULL, args);
	trial_find(&trial, "mc-client-0");
	kill(trial.pid, SIGKILL);
	trial_wait(&trial, 5);
	trial_assert_nothing_left(&trial, alloc);
	trial_end(&trial);
}

static void interrupted_once(void **state)
{
	struct trial trial;
	int64_t alloc = trial_tcp_alloc();

	(void)state;
	start_and_hold(&trial, "60s");
	kill(trial.pid, SIGINT);
	trial_wait(&trial, 60);
	trial_assert_code(&trial, 130);
	assert_string_equal(trial_word(&trial, "verdict"), "partial");
	assert_int_equal(trial_number(&trial, "established.kernel"), n_of());
	assert_int_equal(trial_number(&trial, "proved_ramp.echoed"), n_of());
	assert_non_null(strstr(trial.out, "PARTIAL"));
	trial_assert_nothing_left(&trial, alloc);
	trial_end(&trial);
}

static void interrupted_in_ramp(void **state)
{
	const char *const args[] = {"-n", "100k", "--rate", "2k/s", NULL};
	struct trial trial;
	int64_t alloc = trial_tcp_alloc();

	(void)state;
	trial_start(&trial, NULL, args);
	trial_wait_text(&trial, "ramp ", 30);
	kill(trial.pid, SIGTERM);
	trial_wait(&trial, 30);
	trial_assert_code(&trial, 130);
	int64_t established = trial_number(&trial, "established.client");
	int64_t not_tried = trial_number(&trial, "not_tried");

	if (established + not_tried != 100000)
		fail_msg("%lld established, %lld not tried, %lld failed\n%s%s",
		         (long long)established, (long long)not_tried,
		         (long long)trial_number(&trial, "failed.total"), trial.err, trial.out);
	trial_assert_nothing_left(&trial, alloc);
	trial_end(&trial);
}

/* What was under way when the proof was cut short is neither lost nor proved. A server that is
 * stopped makes it last: else it is often over before the live line has shown it. */
static void interrupted_in_proof(void **state)
{
	const char *const args[] = {"-n", "2000", "--rate", "10k/s", "--hold", "60s", NULL};
	struct trial trial;

	(void)state;
	trial_start(&trial, NULL, args);
	pid_t server = trial_find(&trial, "mc-server-0");

	trial_wait_text(&trial, "ramp ", 30);
	kill(server, SIGSTOP);
	trial_wait_text(&trial, "proof ", 30);
	kill(trial.pid, SIGINT);
	usleep(300000);
	kill(server, SIGCONT);
	trial_wait(&trial, 30);
	trial_assert_code(&trial, 130);
	assert_int_equal(trial_number(&trial, "lost"), 0);
	assert_null(strstr(trial.err, "mismatched"));
	trial_end(&trial);
}

/* As timeout(1), a closed terminal or a service manager do. */
static void group_is_signalled(void **state)
{
	const int signals[] = {SIGTERM, SIGHUP, SIGINT};

	(void)state;
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		struct trial trial;
		int64_t alloc = trial_tcp_alloc();

		start_and_hold(&trial, "60s");
		kill(-trial.pid, signals[i]);
		trial_wait(&trial, 60);
		trial_assert_code(&trial, 130);
		assert_int_equal(trial_number(&trial, "workers.died"), 0);
		assert_int_equal(trial_number(&trial, "lost"), 0);
		trial_assert_nothing_left(&trial, alloc);
		trial_end(&trial);
	}
}

static void interrupted_twice(void **state)
{
	struct trial trial;
	int64_t alloc = trial_tcp_alloc();

	(void)state;
	start_and_hold(&trial, "60s");
	kill(trial_find(&trial, "mc-server-0"), SIGSTOP); /* so that closing in order hangs */
	kill(trial.pid, SIGINT);
	trial_wait_text(&trial, "again to abort", 10);
	usleep(200000); /* at once it would count as the same */
	kill(trial.pid, SIGINT);
	trial_wait(&trial, 10);
	trial_assert_code(&trial, 130);
	assert_non_null(strstr(trial.err, "abort"));
	trial_assert_nothing_left(&trial, alloc);
	trial_end(&trial);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(client_worker_killed),
		cmocka_unit_test(server_worker_killed),
		cmocka_unit_test(server_worker_killed_in_ramp),
		cmocka_unit_test(supervisor_killed),
		cmocka_unit_test(supervisor_killed_in_ramp),
		cmocka_unit_test(interrupted_once),
		cmocka_unit_test(interrupted_in_ramp),
		cmocka_unit_test(interrupted_in_proof),
		cmocka_unit_test(group_is_signalled),
		cmocka_unit_test(interrupted_twice),
	};

	return cmocka_run_group_tests_name("lab_endings", tests, NULL, NULL);
}
