/* push: the server speaks to all connections in rounds, and every client hears every round, once;
 * on each engine, over several stages, and from a server that is another program. */
#include "apart.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define PORT 28650
#define HERE "127.0.0.1:28650"

/* A number of a stage's traffic. */
static int64_t number(const struct trial *trial, size_t stage, const char *name)
{
	json_t *traffic = json_object_get(
		json_array_get(json_object_get(trial->result, "stages"), stage), "traffic");
	const json_t *value = json_object_get(traffic, name);

	if (!value)
		value = json_object_get(json_object_get(traffic, "answers"), name);
	assert_true(json_is_integer(value));
	return (int64_t)json_integer_value(value);
}

static int64_t count_of(const struct trial *trial, size_t stage, const char *name)
{
	json_t *traffic = json_object_get(
		json_array_get(json_object_get(trial->result, "stages"), stage), "traffic");

	return (int64_t)json_integer_value(
		json_object_get(json_object_get(traffic, name), "count"));
}

/* Rounds of n messages each, all heard in time and nothing else. */
static void assert_heard(const struct trial *trial, size_t stage, int64_t n, int64_t rounds)
{
	static const char *const bad[] = {"mismatched", "repeated", "partial", "missing",
	                                  "unasked"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(number(trial, stage, bad[i]), 0);
	assert_int_equal(number(trial, stage, "said"), n * rounds);
	assert_int_equal(number(trial, stage, "good") + number(trial, stage, "late"), n * rounds);
	assert_int_equal(count_of(trial, stage, "corrected_ns"), n * rounds);
	assert_int_equal(count_of(trial, stage, "first_ns"), rounds);
	assert_int_equal(count_of(trial, stage, "last_ns"), rounds);
}

/* How many rounds there were: those that a hold has, and one less where listening took long. */
static int64_t rounds_of(const struct trial *trial, int64_t n, int64_t most)
{
	int64_t rounds = number(trial, 0, "said") / n;

	assert_in_range(rounds, most - 1, most);
	return rounds;
}

static void lab_with(const char *option, const char *engine, const char *size)
{
	const char *n = trial_n("5000", "2000", "100k");
	const char *const args[] = {
		"-n",    n,        "--traffic", "push",           option, engine, "--every",
		"500ms", "--hold", "1500ms",    "--message-size", size,   NULL};
	struct trial trial;
	int64_t count;

	trial_run(&trial, NULL, args);
	trial_assert_code(&trial, 0);
	count = trial_number(&trial, "target");
	trial_assert_passed(&trial, count);
	assert_heard(&trial, 0, count, rounds_of(&trial, count, 3));
	assert_int_equal(trial_number(&trial, "unasked_bytes"), 0);
	trial_end(&trial);
}

static void lab_on_uring(void **state)
{
	(void)state;
	if (strcmp(apart_engine(0), "uring") != 0)
		apart_skip("no io_uring here");
	lab_with("--engine", "uring", "64");
}

static void lab_on_epoll(void **state)
{
	(void)state;
	lab_with("--engine", "epoll", "32-300");
}

static void lab_on_tun(void **state)
{
	(void)state;
	if (!apart_has_tun())
		apart_skip("no /dev/net/tun here");
	lab_with("--clients", "tun", "64");
}

/* Larger than a read, and than a send. */
static void lab_of_large(void **state)
{
	const char *const args[] = {
		"-n",    "200",    "--traffic", "push", "--message-size", "20000-50000", "--every",
		"300ms", "--hold", "600ms",     NULL};
	struct trial trial;

	(void)state;
	trial_run(&trial, NULL, args);
	trial_assert_code(&trial, 0);
	trial_assert_passed(&trial, 200);
	assert_heard(&trial, 0, 200, rounds_of(&trial, 200, 2));
	trial_end(&trial);
}

/* A server that is none of this run's: the first round that is heard counts, and both proofs stand
 * in its midst. */
static void from_a_server(void **state)
{
	(void)state;
	for (int i = 0; i < APART_ENGINES; i++) {
		const char *const args[] = {"--listen", HERE,    "--mode",   "push",
		                            "--every",  "100ms", "--engine", apart_engine(i),
		                            NULL};
		const char *const connect_args[] = {
			HERE,    "-n",     "1000", "--traffic", "push",          "--every",
			"100ms", "--hold", "1s",   "--engine",  apart_engine(i), NULL};
		struct trial serve, connect;

		apart_serve(&serve, NULL, args);
		apart_run(&connect, NULL, connect_args);
		apart_assert_proved(&connect, 1000);
		assert_int_equal(number(&connect, 0, "missing"), 0);
		assert_int_equal(number(&connect, 0, "repeated"), 0);
		assert_int_equal(number(&connect, 0, "mismatched"), 0);
		assert_in_range(number(&connect, 0, "good"), 8 * 1000, 20 * 1000);
		trial_end(&connect);
		kill(serve.pid, SIGTERM);
		trial_wait(&serve, 30);
		trial_assert_code(&serve, 0);
		trial_end(&serve);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		APART_TEST(lab_on_uring), APART_TEST(lab_on_epoll),  APART_TEST(lab_on_tun),
		APART_TEST(lab_of_large), APART_TEST(from_a_server),
	};

	return cmocka_run_group_tests_name("lab_push", tests, apart_set_up, NULL);
}
