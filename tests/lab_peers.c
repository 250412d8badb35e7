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

/* Its queue takes backlog + 1; nobody answers the rest. */
static void small_queue_that_is_never_emptied(void **state)
{
	const struct peer peer = {.manner = PEER_NEVER_ACCEPTS, .port = PORT, .backlog = 20};

	(void)state;
	for (int i = 0; i < APART_ENGINES; i++) {
		const char *const args[] = {
			HERE,      "-n",     "100",       "--engine", apart_engine(i),
			"--proof", "none",   "--timeout", "700ms",    "--retries",
			"0",       "--hold", "200ms",     NULL};
		struct trial connect;
		pid_t pid = peer_start(&peer);

		apart_run(&connect, NULL, args);
		trial_assert_code(&connect, 1);
		assert_string_equal(trial_word(&connect, "verdict"), "fail");
		assert_opened(&connect, 21);
		apart_assert_failed(&connect, "timeout", 79);
		apart_assert_lost(&connect, "timeout", 0);
		assert_int_equal(trial_number(&connect, "not_tried"), 0);
		trial_end(&connect);
		peer_end(pid);
	}
}

static void large_queue_that_is_never_emptied(void **state)
{
	const struct peer peer = {.manner = PEER_NEVER_ACCEPTS, .port = PORT, .backlog = 4096};

	(void)state;
	for (int i = 0; i < APART_ENGINES; i++) {
		const char *const args[] = {
			HERE,        "-n",    apart_n_text(), "--hold",        "200ms",
			"--timeout", "500ms", "--engine",     apart_engine(i), NULL};
		struct trial connect;
		pid_t pid = peer_start(&peer);

		apart_run(&connect, NULL, args);
		trial_assert_code(&connect, 0);
		assert_opened(&connect, apart_n());
		assert_non_null(strstr(connect.err, "no echo proof is possible"));
		assert_non_null(strstr(connect.out, "not proved, as nobody echoes"));
		apart_assert_lost(&connect, "closed", 0);
		trial_end(&connect);
		peer_end(pid);
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
	const struct peer peer = {.manner = PEER_CLOSES, .port = PORT, .number = 1000};

	(void)state;
	for (int i = 0; i < APART_ENGINES; i++) {
		const char *const args[] = {HERE,      "-n",       apart_n_text(),  "--hold", "30s",
		                            "--watch", "--engine", apart_engine(i), NULL};
		struct trial connect;
		pid_t pid = peer_start(&peer);

		apart_run(&connect, NULL, args);
		trial_assert_code(&connect, 3);
		apart_assert_lost(&connect, "closed", apart_n());
		assert_int_equal(trial_number(&connect, "open_at_end"), 0);
		assert_int_equal(trial_number(&connect, "failed.total"), 0);
		trial_end(&connect);
		peer_end(pid);
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
	(void)state;
	for (int i = 0; i < APART_ENGINES; i++) {
		struct trial connect;
		pid_t pid = start_echo(i);

		starts_to_connect(&connect, i, NULL);
		apart_sleep(200);
		peer_end(pid);
		trial_wait(&connect, 30);
		trial_assert_code(&connect, 1);
		int64_t lost = trial_number(&connect, "lost");

		assert_in_range(lost, 1, apart_n() - 1);
		assert_int_equal(trial_number(&connect, "open_at_end"), 0);
		assert_adds_up(&connect, lost, apart_n());
		assert_in_range(trial_number(&connect, "failed.by_cause.refused"), 100, apart_n());
		assert_in_range(trial_number(&connect, "not_tried"), 1, apart_n());
		assert_non_null(strstr(trial_word(&connect, "reason"), "were not tried"));
		trial_assert_no_process_left(&connect);
		trial_end(&connect);
	}
}

/* --- servers that send something else ----------------------------------------------------------
 */

static void greets_first(void **state)
{
	const struct peer peer = {.manner = PEER_GREETS, .port = PORT};

	(void)state;
	for (int i = 0; i < APART_ENGINES; i++) {
		const char *const args[] = {HERE,    "-n",       apart_n_text(),  "--hold",
		                            "500ms", "--engine", apart_engine(i), NULL};
		struct trial connect;
		pid_t pid = peer_start(&peer);

		apart_run(&connect, NULL, args);
		trial_assert_code(&connect, 0);
		assert_opened(&connect, apart_n());
		assert_non_null(strstr(connect.err, "no echo proof is possible"));
		assert_int_equal(trial_number(&connect, "unasked_bytes"),
		                 apart_n() * (int64_t)strlen(PEER_GREETING));
		apart_assert_lost(&connect, "mismatched", 0);
		trial_end(&connect);
		peer_end(pid);
	}
}

static void answers_something_else(void **state)
{
	const struct peer peer = {.manner = PEER_GARBLES, .port = PORT};

	(void)state;
	for (int i = 0; i < APART_ENGINES; i++) {
		const char *const args[] = {
			HERE,      "-n",   apart_n_text(), "--hold",        "0",
			"--proof", "echo", "--engine",     apart_engine(i), NULL};
		struct trial connect;
		pid_t pid = peer_start(&peer);

		apart_run(&connect, NULL, args);
		trial_assert_code(&connect, 3);
		assert_int_equal(trial_number(&connect, "proved_ramp.sent"), apart_n());
		assert_int_equal(trial_number(&connect, "proved_ramp.echoed"), 0);
		assert_int_equal(trial_number(&connect, "proved_ramp.mismatched"), apart_n());
		apart_assert_lost(&connect, "mismatched", apart_n());
		trial_end(&connect);
		peer_end(pid);
	}
}

static void echoes_byte_by_byte(void **state)
{
	const struct peer peer = {.manner = PEER_IS_SLOW, .port = PORT};

	(void)state;
	for (int i = 0; i < APART_ENGINES; i++) {
		const char *const args[] = {
			HERE, "-n",       "500",           "--hold",
			"0",  "--engine", apart_engine(i), i == 0 ? NULL : "--watch",
			NULL};
		struct trial connect;
		pid_t pid = peer_start(&peer);

		apart_run(&connect, NULL, args);
		apart_assert_proved(&connect, 500);
		trial_end(&connect);
		peer_end(pid);
	}
}

/* Those after the 300 wait for an answer in vain; a whole set of flights does, and the proof is
 * given up. */
static void stops_reading_in_the_proof(void **state)
{
	const struct peer peer = {.manner = PEER_STALLS, .port = PORT, .number = 300};

	(void)state;
	for (int i = 0; i < APART_ENGINES; i++) {
		const char *const args[] = {HERE,    "-n",       apart_n_text(),  "--hold",
		                            "0",     "--proof",  "echo",          "--timeout",
		                            "500ms", "--engine", apart_engine(i), NULL};
		struct trial connect;
		pid_t pid = peer_start(&peer);

		apart_run(&connect, NULL, args);
		trial_assert_code(&connect, 3);
		assert_int_equal(trial_number(&connect, "proved_ramp.echoed"), 300);
		assert_int_equal(trial_number(&connect, "proved_ramp.mismatched"), 0);
		apart_assert_lost(&connect, "timeout", apart_n());
		trial_end(&connect);
		peer_end(pid);
	}
}

static void nobody_listens(void **state)
{
	(void)state;
	for (int i = 0; i < APART_ENGINES; i++) {
		const char *const args[] = {HERE, "-n", apart_n_text(), "--engine", apart_engine(i),
		                            NULL};
		struct trial connect;

		apart_connect(&connect, NULL, args);
		trial_wait(&connect, trial_is_small() ? 20 : 5);
		trial_assert_code(&connect, 1);
		assert_opened(&connect, 0);
		assert_adds_up(&connect, 0, apart_n());
		apart_assert_failed(&connect, "refused", trial_number(&connect, "failed.total"));
		assert_non_null(strstr(trial_word(&connect, "reason"), "not be opened (refused "));
		trial_assert_no_process_left(&connect);
		trial_end(&connect);
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
