/* connect against servers that are not ours and not good: what each of its connections meets is
 * counted under its cause, and the sums are exact. */
#include "apart.h"
#include "peer.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PORT 28500
#define HERE "127.0.0.1:28500"

static const char *const targets[APART_ENGINES] = {HERE, "127.0.0.1:28501"};

static void assert_opened(const struct trial *connect, int64_t n)
{
	assert_non_null(connect->result);
	assert_int_equal(trial_number(connect, "established.client"), n);
}

/* What was asked for is opened, failed or not tried. */
static void assert_adds_up(const struct trial *connect, int64_t opened, int64_t n)
{
	assert_int_equal(opened + trial_number(connect, "failed.total") +
	                         trial_number(connect, "not_tried"),
	                 n);
}

/* A peer of this kind for each engine, on a port of its own, and a connect to it with its own
 * arguments: both wait at the same time. */
static void start_peers(const struct peer *kind, pid_t pids[APART_ENGINES])
{
	for (int i = 0; i < APART_ENGINES; i++) {
		struct peer peer = *kind;

		peer.port = (uint16_t)(PORT + i);
		pids[i] = peer_start(&peer);
	}
}

static void end_connect(struct trial *connect, pid_t peer)
{
	trial_end(connect);
	peer_end(peer);
}

static void wait_connect(struct trial *connect)
{
	trial_wait(connect, 90);
	trial_assert_no_process_left(connect);
}

/* Its queue takes backlog + 1; nobody answers the rest. */
static void small_queue_that_is_never_emptied(void **state)
{
	const struct peer peer = {.manner = PEER_NEVER_ACCEPTS, .backlog = 20};
	struct trial connects[APART_ENGINES];
	pid_t pids[APART_ENGINES];

	(void)state;
	start_peers(&peer, pids);
	for (int i = 0; i < APART_ENGINES; i++) {
		const char *const args[] = {targets[i],      "-n",        "100",  "--engine",
		                            apart_engine(i), "--proof",   "none", "--timeout",
		                            "700ms",         "--retries", "0",    "--hold",
		                            "200ms",         NULL};

		apart_connect(&connects[i], NULL, args);
	}
	for (int i = 0; i < APART_ENGINES; i++) {
		wait_connect(&connects[i]);
		trial_assert_code(&connects[i], 1);
		assert_string_equal(trial_word(&connects[i], "verdict"), "fail");
		assert_opened(&connects[i], 21);
		apart_assert_failed(&connects[i], "timeout", 79);
		apart_assert_lost(&connects[i], "timeout", 0);
		assert_int_equal(trial_number(&connects[i], "not_tried"), 0);
		end_connect(&connects[i], pids[i]);
	}
}

static void large_queue_that_is_never_emptied(void **state)
{
	const struct peer peer = {.manner = PEER_NEVER_ACCEPTS, .backlog = 4096};
	struct trial connects[APART_ENGINES];
	pid_t pids[APART_ENGINES];

	(void)state;
	start_peers(&peer, pids);
	for (int i = 0; i < APART_ENGINES; i++) {
		const char *const args[] = {
			targets[i],  "-n",    apart_n_text(), "--hold",        "200ms",
			"--timeout", "500ms", "--engine",     apart_engine(i), NULL};

		apart_connect(&connects[i], NULL, args);
	}
	for (int i = 0; i < APART_ENGINES; i++) {
		wait_connect(&connects[i]);
		trial_assert_code(&connects[i], 0);
		assert_opened(&connects[i], apart_n());
		assert_non_null(strstr(connects[i].err, "no echo proof is possible"));
		assert_non_null(strstr(connects[i].out, "not proved, as nobody echoes"));
		apart_assert_lost(&connects[i], "closed", 0);
		end_connect(&connects[i], pids[i]);
	}
}

/* Once all are held, the peers are told to reset some of them. */
static void run_and_reset(struct trial connects[APART_ENGINES], const char *proof)
{
	pid_t pids[APART_ENGINES];

	for (int i = 0; i < APART_ENGINES; i++) {
		const struct peer peer = {
			.manner = PEER_RESETS, .port = (uint16_t)(PORT + i), .number = 7};
		const char *const args[] = {targets[i],      "-n",     apart_n_text(), "--proof",
		                            proof,           "--hold", "2s",           "--engine",
		                            apart_engine(i), NULL};

		pids[i] = peer_start(&peer);
		apart_connect(&connects[i], NULL, args);
	}
	for (int i = 0; i < APART_ENGINES; i++)
		trial_wait_text(&connects[i], "holding ", 60);
	apart_sleep(300);
	for (int i = 0; i < APART_ENGINES; i++)
		kill(pids[i], SIGUSR1);
	for (int i = 0; i < APART_ENGINES; i++) {
		trial_wait(&connects[i], 60);
		trial_assert_no_process_left(&connects[i]);
		assert_opened(&connects[i], apart_n());
		assert_int_equal(trial_number(&connects[i], "retried.total"), 0);
		peer_end(pids[i]);
	}
}

static void every_seventh_is_reset(void **state)
{
	struct trial connects[APART_ENGINES];
	const int64_t lost = apart_n() / 7;

	(void)state;
	run_and_reset(connects, "none");
	for (int i = 0; i < APART_ENGINES; i++) {
		trial_assert_code(&connects[i], 1);
		apart_assert_lost(&connects[i], "reset", lost);
		assert_int_equal(trial_number(&connects[i], "open_at_end"), apart_n() - lost);
		trial_end(&connects[i]);
	}
}

/* It echoes, and is asked first whether it does: on a connection that is the first it accepts. Not
 * watched, the loss is met at the second proof. */
static void every_seventh_is_reset_and_proved(void **state)
{
	struct trial connects[APART_ENGINES];
	const int64_t lost = (apart_n() + 1) / 7;

	(void)state;
	run_and_reset(connects, "auto");
	for (int i = 0; i < APART_ENGINES; i++) {
		trial_assert_code(&connects[i], 3);
		assert_int_equal(trial_number(&connects[i], "proved_ramp.echoed"), apart_n());
		assert_int_equal(trial_number(&connects[i], "proved.echoed"), apart_n() - lost);
		apart_assert_lost(&connects[i], "reset", lost);
		trial_end(&connects[i]);
	}
}

static void closed_after_a_second(void **state)
{
	const struct peer peer = {.manner = PEER_CLOSES, .number = 1000};
	struct trial connects[APART_ENGINES];
	pid_t pids[APART_ENGINES];

	(void)state;
	start_peers(&peer, pids);
	for (int i = 0; i < APART_ENGINES; i++) {
		const char *const args[] = {targets[i], "-n",      apart_n_text(), "--hold",
		                            "30s",      "--watch", "--engine",     apart_engine(i),
		                            NULL};

		apart_connect(&connects[i], NULL, args);
	}
	for (int i = 0; i < APART_ENGINES; i++) {
		wait_connect(&connects[i]);
		trial_assert_code(&connects[i], 3);
		apart_assert_lost(&connects[i], "closed", apart_n());
		assert_int_equal(trial_number(&connects[i], "open_at_end"), 0);
		assert_int_equal(trial_number(&connects[i], "failed.total"), 0);
		end_connect(&connects[i], pids[i]);
	}
}

/* --- a server that dies while connections are made -------------------------------------------- */

static void starts_to_connect(struct trial *connect, int engine, const char *reconnect)
{
	const char *const args[] = {targets[engine],
	                            "-n",
	                            apart_n_text(),
	                            "--rate",
	                            trial_is_small() ? "1k/s" : "2k/s",
	                            "--engine",
	                            apart_engine(engine),
	                            "--watch",
	                            "--hold",
	                            "2s",
	                            "--timeout",
	                            "1s",
	                            "--retries",
	                            "1",
	                            "--in-flight",
	                            "100",
	                            reconnect,
	                            NULL};

	apart_connect(connect, NULL, args);
	trial_wait_text(connect, "ramp ", 30);
}

static pid_t start_echo(int number)
{
	const struct peer peer = {.manner = PEER_ECHOES, .port = (uint16_t)(PORT + number)};

	return peer_start(&peer);
}

static void assert_is_back(struct trial *connect)
{
	trial_wait(connect, 60);
	trial_assert_code(connect, 0);
	int64_t lost = trial_number(connect, "lost");

	assert_in_range(lost, 1, apart_n());
	assert_int_equal(trial_number(connect, "reconnected"), lost);
	assert_int_equal(trial_number(connect, "open_at_end"), apart_n());
	assert_int_equal(trial_number(connect, "failed.total"), 0);
	assert_in_range(trial_number(connect, "retried.total"), 1, 1000000);
	assert_int_equal(trial_number(connect, "proved.echoed"), apart_n());
	trial_assert_no_process_left(connect);
	trial_end(connect);
}

static void dies_and_comes_back(void **state)
{
	struct trial connects[APART_ENGINES];
	pid_t pids[APART_ENGINES];

	(void)state;
	for (int i = 0; i < APART_ENGINES; i++) {
		pids[i] = start_echo(i);
		starts_to_connect(&connects[i], i, "--reconnect");
		apart_sleep(200);
		peer_end(pids[i]);
	}
	apart_sleep(300);
	for (int i = 0; i < APART_ENGINES; i++)
		pids[i] = start_echo(i);
	for (int i = 0; i < APART_ENGINES; i++) {
		assert_is_back(&connects[i]);
		peer_end(pids[i]);
	}
}

static void dies_for_good(void **state)
{
	struct trial connects[APART_ENGINES];

	(void)state;
	for (int i = 0; i < APART_ENGINES; i++) {
		pid_t pid = start_echo(i);

		starts_to_connect(&connects[i], i, NULL);
		apart_sleep(200);
		peer_end(pid);
	}
	for (int i = 0; i < APART_ENGINES; i++) {
		wait_connect(&connects[i]);
		trial_assert_code(&connects[i], 1);
		int64_t lost = trial_number(&connects[i], "lost");

		assert_in_range(lost, 1, apart_n() - 1);
		assert_int_equal(trial_number(&connects[i], "open_at_end"), 0);
		assert_adds_up(&connects[i], lost, apart_n());
		assert_in_range(trial_number(&connects[i], "failed.by_cause.refused"), 100,
		                apart_n());
		assert_in_range(trial_number(&connects[i], "not_tried"), 1, apart_n());
		assert_non_null(strstr(trial_word(&connects[i], "reason"), "were not tried"));
		trial_end(&connects[i]);
	}
}

/* --- servers that send something else ----------------------------------------------------------
 */

static void greets_first(void **state)
{
	const struct peer peer = {.manner = PEER_GREETS};
	struct trial connects[APART_ENGINES];
	pid_t pids[APART_ENGINES];

	(void)state;
	start_peers(&peer, pids);
	for (int i = 0; i < APART_ENGINES; i++) {
		const char *const args[] = {targets[i], "-n",       apart_n_text(),  "--hold",
		                            "500ms",    "--engine", apart_engine(i), NULL};

		apart_connect(&connects[i], NULL, args);
	}
	for (int i = 0; i < APART_ENGINES; i++) {
		wait_connect(&connects[i]);
		trial_assert_code(&connects[i], 0);
		assert_opened(&connects[i], apart_n());
		assert_non_null(strstr(connects[i].err, "no echo proof is possible"));
		assert_int_equal(trial_number(&connects[i], "unasked_bytes"),
		                 apart_n() * (int64_t)strlen(PEER_GREETING));
		apart_assert_lost(&connects[i], "mismatched", 0);
		end_connect(&connects[i], pids[i]);
	}
}

static void answers_something_else(void **state)
{
	const struct peer peer = {.manner = PEER_GARBLES};
	struct trial connects[APART_ENGINES];
	pid_t pids[APART_ENGINES];

	(void)state;
	start_peers(&peer, pids);
	for (int i = 0; i < APART_ENGINES; i++) {
		const char *const args[] = {
			targets[i], "-n",   apart_n_text(), "--hold",        "0",
			"--proof",  "echo", "--engine",     apart_engine(i), NULL};

		apart_connect(&connects[i], NULL, args);
	}
	for (int i = 0; i < APART_ENGINES; i++) {
		wait_connect(&connects[i]);
		trial_assert_code(&connects[i], 3);
		assert_int_equal(trial_number(&connects[i], "proved_ramp.sent"), apart_n());
		assert_int_equal(trial_number(&connects[i], "proved_ramp.echoed"), 0);
		assert_int_equal(trial_number(&connects[i], "proved_ramp.mismatched"), apart_n());
		apart_assert_lost(&connects[i], "mismatched", apart_n());
		end_connect(&connects[i], pids[i]);
	}
}

static void echoes_byte_by_byte(void **state)
{
	const struct peer peer = {.manner = PEER_IS_SLOW};
	struct trial connects[APART_ENGINES];
	pid_t pids[APART_ENGINES];

	(void)state;
	start_peers(&peer, pids);
	for (int i = 0; i < APART_ENGINES; i++) {
		const char *const args[] = {
			targets[i], "-n",       "500",           "--hold",
			"0",        "--engine", apart_engine(i), i == 0 ? NULL : "--watch",
			NULL};

		apart_connect(&connects[i], NULL, args);
	}
	for (int i = 0; i < APART_ENGINES; i++) {
		wait_connect(&connects[i]);
		apart_assert_proved(&connects[i], 500);
		end_connect(&connects[i], pids[i]);
	}
}

/* Those after the 300 wait for an answer in vain; a whole set of flights does, and the proof is
 * given up. */
static void stops_reading_in_the_proof(void **state)
{
	const struct peer peer = {.manner = PEER_STALLS, .number = 300};
	struct trial connects[APART_ENGINES];
	pid_t pids[APART_ENGINES];

	(void)state;
	start_peers(&peer, pids);
	for (int i = 0; i < APART_ENGINES; i++) {
		const char *const args[] = {
			targets[i], "-n",       apart_n_text(),  "--hold", "0",
			"--proof",  "echo",     "--timeout",     "500ms",  "--retries",
			"0",        "--engine", apart_engine(i), NULL};

		apart_connect(&connects[i], NULL, args);
	}
	for (int i = 0; i < APART_ENGINES; i++) {
		wait_connect(&connects[i]);
		trial_assert_code(&connects[i], 3);
		assert_int_equal(trial_number(&connects[i], "proved_ramp.echoed"), 300);
		assert_int_equal(trial_number(&connects[i], "proved_ramp.mismatched"), 0);
		apart_assert_lost(&connects[i], "timeout", apart_n());
		end_connect(&connects[i], pids[i]);
	}
}

static void nobody_listens(void **state)
{
	struct trial connects[APART_ENGINES];

	(void)state;
	for (int i = 0; i < APART_ENGINES; i++) {
		const char *const args[] = {targets[i],      "-n", apart_n_text(), "--engine",
		                            apart_engine(i), NULL};

		apart_connect(&connects[i], NULL, args);
	}
	for (int i = 0; i < APART_ENGINES; i++) {
		trial_wait(&connects[i], trial_is_small() ? 20 : 5);
		trial_assert_code(&connects[i], 1);
		assert_opened(&connects[i], 0);
		assert_adds_up(&connects[i], 0, apart_n());
		apart_assert_failed(&connects[i], "refused",
		                    trial_number(&connects[i], "failed.total"));
		assert_non_null(
			strstr(trial_word(&connects[i], "reason"), "not be opened (refused "));
		trial_assert_no_process_left(&connects[i]);
		trial_end(&connects[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		APART_TEST(small_queue_that_is_never_emptied),
		APART_TEST(large_queue_that_is_never_emptied),
		APART_TEST(every_seventh_is_reset),
		APART_TEST(every_seventh_is_reset_and_proved),
		APART_TEST(closed_after_a_second),
		APART_TEST(dies_and_comes_back),
		APART_TEST(dies_for_good),
		APART_TEST(greets_first),
		APART_TEST(answers_something_else),
		APART_TEST(echoes_byte_by_byte),
		APART_TEST(stops_reading_in_the_proof),
		APART_TEST(nobody_listens),
	};

	return cmocka_run_group_tests_name("lab_peers", tests, apart_set_up, NULL);
}
