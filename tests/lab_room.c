/* Labs that are told how much memory they may use: who the clients are then where nobody says, and
 * as many connections as fit. What others use meanwhile is missing here. */
#include "apart.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIB       1048576
#define PAIR      8450 /* bytes of one with kernel sockets at both ends (make bench) */
#define END_LEAST 3000 /* less than one end ever costs */
#define TRIES     3    /* others use memory, too */

/* Clients of our own TCP need devices. */
static void need(void)
{
	if (!apart_is_private())
		apart_skip("no private network is allowed here");
}

/* What is free of memory, as the program itself sees it. */
static int64_t memory_left_bytes(void)
{
	const char *const args[] = {"--quick", NULL};
	struct trial trial;
	int64_t left = 0;
	json_t *row;
	size_t i;

	trial_start_command(&trial, "doctor", NULL, args);
	trial_wait(&trial, 60);
	json_array_foreach (json_object_get(trial.result, "rows"), i, row) {
		if (strcmp(json_string_value(json_object_get(row, "id")), "memory") == 0)
			left = json_integer_value(json_object_get(row, "value"));
	}
	trial_end(&trial);
	assert_true(left > 0);
	return left;
}

/* A lab that may use so much memory, and no more. */
static void run_within(struct trial *trial, int64_t room_bytes, const char *n)
{
	char reserve[32];
	const char *const args[] = {"-n", n, "--hold", "0", "--reserve", reserve, NULL};

	snprintf(reserve, sizeof(reserve), "%lld", (long long)(memory_left_bytes() - room_bytes));
	trial_run(trial, NULL, args);
}

/* Three quarters of what pairs of sockets take. */
static void auto_takes_our_own(void **state)
{
	const char *n = trial_n("40000", "20000", "400000");
	int64_t count = strtol(n, NULL, 10), room_bytes = count * PAIR / 4 * 3;
	struct trial trial;

	(void)state;
	need();
	for (int tries = 1;; tries++) {
		run_within(&trial, room_bytes, n);
		if (trial.code == 0 || tries == TRIES)
			break;
		trial_end(&trial);
	}
	trial_assert_passed(&trial, count);
	assert_string_equal(trial_word(&trial, "engine.client"),
	                    apart_has_tun() ? "tun" : "packet");
	assert_non_null(strstr(trial.err, " pairs of kernel sockets take "));
	assert_non_null(strstr(trial.err,
	                       apart_has_tun() ? "our own TCP (tun)" : "our own TCP (packet, as "));
	trial_end(&trial);
}

/* More than as many pairs of sockets, and no more than sockets of one end. */
static bool is_most(int64_t n, int64_t room_bytes)
{
	return n >= room_bytes / PAIR && n <= room_bytes / END_LEAST;
}

static void as_many_as_fit(void **state)
{
	const int64_t room_bytes = (trial_is_small() ? INT64_C(150) : INT64_C(400)) * MIB;
	struct trial trial;
	int64_t n;

	(void)state;
	need();
	for (int tries = 1;; tries++) {
		run_within(&trial, room_bytes, "max");
		n = trial_number(&trial, "target");
		if ((trial.code == 0 && is_most(n, room_bytes)) || tries == TRIES)
			break;
		trial_end(&trial);
	}
	trial_assert_passed(&trial, n);
	assert_true(is_most(n, room_bytes));
	trial_end(&trial);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		APART_TEST(auto_takes_our_own),
		APART_TEST(as_many_as_fit),
	};

	return cmocka_run_group_tests_name("lab_room", tests, apart_set_up, NULL);
}
