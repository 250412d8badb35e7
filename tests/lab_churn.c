/* Churn: connections are closed and replaced at a rate, or as fast as it goes, while as many stay
 * open; by FIN with TIME_WAIT, by RST without; all are proved after it. */
#include "apart.h"
#include "staged.h"
#include "trial.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define RATE      2000
#define UNDER_WAY 512 /* flights of two client workers */

/* What holds of every churn that nothing disturbs. */
static void assert_churned(const struct trial *trial, int64_t n)
{
	int64_t closed = (int64_t)staged_number(trial, 0, "churn.closed");

	assert_true(closed > 0);
	staged_assert(trial, "churn.opened", closed);
	staged_assert(trial, "churn.failed", 0);
	staged_assert_within(trial, "churn.open_least", (double)(n - UNDER_WAY), (double)n);
	staged_assert(trial, "churn.open_most", n);
	assert_int_equal(trial_number(trial, "open_at_end"), n);
}

/* To the connection: what is due is done, or counted as put off. The sanitized program may be too
 * slow for it. */
static void assert_rate(const struct trial *trial, double rate)
{
	double due = rate * staged_number(trial, 0, "seconds");
	double done = staged_number(trial, 0, "churn.closed");
	double rested = staged_number(trial, 0, "churn.rested");

	if (trial_is_small())
		assert_true(done + rested > due * 0.97 && done < due * 1.01);
	else
		staged_assert_within(trial, "churn.rate_per_s", rate * 0.97, rate * 1.01);
}

static void run_lab(struct trial *trial, const char *hold, const char *option, const char *value,
                    const char *by)
{
	const char *args[] = {"-n",   apart_n_text(), "--hold",     hold, "--churn", "2k/s",
	                      option, value,          "--churn-by", by,   NULL};

	trial_run(trial, NULL, args);
	trial_assert_passed(trial, apart_n());
	assert_churned(trial, apart_n());
	assert_rate(trial, RATE);
}

/* A second of it, less what left TIME_WAIT: the tuple plan has some to spare, and the census counts
 * these too. */
static void by_fin(void **state)
{
	struct trial trial;

	(void)state;
	run_lab(&trial, "1200ms", "--engine", apart_engine(0), "fin");
	staged_assert_within(&trial, "churn.time_wait_most", RATE / 2.0, RATE * 2.5);
	trial_end(&trial);
}

static void by_reset(void **state)
{
	struct trial trial;

	(void)state;
	run_lab(&trial, "1200ms", "--engine", apart_engine(1), "rst");
	staged_assert(&trial, "churn.time_wait_most", 0);
	trial_end(&trial);
}

/* Our own TCP uses the same tuple again, and has the server end the life before in order: of each
 * connection SYN, ACK, and two tokens with their ACKs; of each other life SYN, ACK, FIN and ACK.
 * There is no RST, but where a server is late. */
static void by_own_tcp(void **state)
{
	struct trial trial;

	(void)state;
	if (!apart_has_tun())
		apart_skip("no /dev/net/tun");
	run_lab(&trial, "600ms", "--clients", "tun", "fin");
	double n = (double)apart_n(), closed = staged_number(&trial, 0, "churn.closed");
	double rightly = 6 * n + 4 * closed;

	assert_true(trial_is_small() ||
	            (double)trial_number(&trial, "packets.sent") < rightly + closed / 2);
	trial_end(&trial);
}

/* Connect, one exchange, close: of each life exactly one is said, but where the stage's end came
 * between. */
static void as_fast_as_it_goes(void **state)
{
	const char *args[] = {"-n",  apart_n_text(), "--hold", "500ms", "--churn",
	                      "max", "--traffic",    "echo",   NULL};
	struct trial trial;

	(void)state;
	trial_run(&trial, NULL, args);
	trial_assert_passed(&trial, apart_n());
	assert_churned(&trial, apart_n());
	double opened = staged_number(&trial, 0, "churn.opened");

	staged_assert_within(&trial, "traffic.said", opened - UNDER_WAY, opened);
	staged_assert_within(&trial, "traffic.answers.good", opened - UNDER_WAY, opened);
	trial_end(&trial);
}

/* In a closed loop every connection always has a message under way: none of these is cut. */
static void busy_ones_are_waited_for(void **state)
{
	const char *args[] = {"-n",    apart_n_text(), "--hold", "800ms", "--churn",
	                      "500/s", "--traffic",    "echo",   NULL};
	struct trial trial;

	(void)state;
	trial_run(&trial, NULL, args);
	trial_assert_passed(&trial, apart_n());
	assert_churned(&trial, apart_n());
	staged_assert(&trial, "traffic.answers.cut", 0);
	assert_true(staged_number(&trial, 0, "traffic.said") >
	            staged_number(&trial, 0, "churn.closed"));
	trial_end(&trial);
}

/* A server apart sees what was closed, each in order. */
static void connect_churns(void **state)
{
	const char *serve_args[] = {"--listen", "127.0.0.1:9300", NULL};
	const char *args[] = {"127.0.0.1:9300", "-n",      apart_n_text(), "--hold",
	                      "800ms",          "--churn", "1k/s",         NULL};
	struct trial serve, connect;

	(void)state;
	apart_serve(&serve, NULL, serve_args);
	apart_run(&connect, NULL, args);
	apart_assert_proved(&connect, apart_n());
	assert_churned(&connect, apart_n());
	assert_rate(&connect, 1000);
	int64_t closed = (int64_t)staged_number(&connect, 0, "churn.closed");

	apart_settle(&serve);
	apart_stop(&serve, SIGINT, 0);
	assert_int_equal(trial_number(&serve, "served.accepted"), apart_n() + closed);
	assert_true(trial_number(&serve, "served.closed_by_peer") >= closed);
	trial_end(&connect);
	trial_end(&serve);
}

/* Too few tuples to spare are said before, with the rate that they allow; what cannot be done is
 * left out and counted, and nothing is lost. */
static void few_tuples(void **state)
{
	const char *serve_args[] = {"--listen", "127.0.0.1:9301", NULL};
	const char *args[] = {"127.0.0.1:9301", "-n",   "400",     "--hold",      "800ms",
	                      "--churn",        "1k/s", "--ports", "20000-20599", NULL};
	struct trial serve, connect;

	(void)state;
	apart_serve(&serve, NULL, serve_args);
	apart_run(&connect, NULL, args);
	assert_non_null(strstr(connect.err, " 200 are left: at most "));
	apart_assert_proved(&connect, 400);
	assert_churned(&connect, 400);
	staged_assert(&connect, "churn.closed", 200);
	staged_assert_within(&connect, "churn.rested", 550, 610);
	apart_stop(&serve, SIGINT, 0);
	trial_end(&connect);
	trial_end(&serve);
}

/* More may be under way than there are: that none is open now and then ends no hold. */
static void connect_all_under_way(void **state)
{
	const char *serve_args[] = {"--listen", "127.0.0.1:9302", NULL};
	const char *args[] = {"127.0.0.1:9302", "-n",  "5",          "--hold", "500ms",
	                      "--churn",        "max", "--churn-by", "rst",    NULL};
	struct trial serve, connect;

	(void)state;
	apart_serve(&serve, NULL, serve_args);
	apart_run(&connect, NULL, args);
	apart_assert_proved(&connect, 5);
	assert_true(trial_real(&connect, "timing.hold_s") >= 0.5);
	apart_stop(&serve, SIGINT, 0);
	trial_end(&connect);
	trial_end(&serve);
}

/* A lab whose plan has too few is refused, and told what helps. */
static void lab_with_few_tuples(void **state)
{
	const char *args[] = {"-n",      "1000",   "--solution", "2",   "--ports", "20000-20040",
	                      "--churn", "100k/s", "--hold",     "10s", NULL};
	struct trial trial;

	(void)state;
	trial_run(&trial, NULL, args);
	trial_assert_code(&trial, 4);
	assert_non_null(strstr(trial.err, "source_ports"));
	assert_non_null(strstr(trial.err, "--churn-by rst"));
	trial_end(&trial);
}

/* Whom an interrupt finds closed by us is not lost. */
static void interrupted(void **state)
{
	const char *args[] = {"-n", apart_n_text(), "--hold", "60s", "--churn", "max", NULL};
	struct trial trial;

	(void)state;
	trial_start(&trial, NULL, args);
	trial_wait_text(&trial, "hold", 20);
	apart_sleep(300);
	kill(trial.pid, SIGINT);
	trial_wait(&trial, 20);
	trial_assert_code(&trial, 130);
	assert_int_equal(trial_number(&trial, "lost"), 0);
	staged_assert(&trial, "churn.failed", 0);
	trial_end(&trial);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		APART_TEST(by_fin),
		APART_TEST(by_reset),
		APART_TEST(by_own_tcp),
		APART_TEST(as_fast_as_it_goes),
		APART_TEST(busy_ones_are_waited_for),
		APART_TEST(connect_churns),
		APART_TEST(few_tuples),
		APART_TEST(connect_all_under_way),
		APART_TEST(lab_with_few_tuples),
		APART_TEST(interrupted),
	};

	return cmocka_run_group_tests_name("lab_churn", tests, apart_set_up, NULL);
}
