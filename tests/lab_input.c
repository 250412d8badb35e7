/* Wrong input: each gets exit code 2 and one clear line that says what would be right; nothing is
 * started. */
#include "trial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

static const struct {
	const char *args[4];
	const char *says; /* part of the line */
} wrong[] = {
	{{"-n", "0"}, "-n"},
	{{"-n", "-1"}, "-n"},
	{{"-n", "many"}, "many"},
	{{"-n", "1.5"}, "1.5"},
	{{"-n", "99999999999999999999999"}, "-n"},
	{{"-n", ""}, "-n"},
	{{"-n"}, "needs a value"},
	{{"--solution", "3"}, "1, 2, mixed"},
	{{"--engine", "warp"}, "auto, uring"},
	{{"--clients", "dpdk"}, "auto, sockets, tun, packet"},
	{{"--rate", "fast"}, "--rate"},
	{{"--rate", "0"}, "--rate"},
	{{"--hold", "10x"}, "--hold"},
	{{"--hold", "2d"}, "--hold"},
	{{"--hold", "-5s"}, "--hold"},
	{{"--timeout", "0"}, "--timeout"},
	{{"--retries", "1000"}, "--retries"},
	{{"--ports", "0-99999"}, "--ports"},
	{{"--ports", "200-100"}, "--ports"},
	{{"--ports", "8090-8119", "-n", "1"}, "--ports"},
	{{"--workers", "65"}, "--workers"},
	{{"--backlog", "70000"}, "--backlog"},
	{{"--reserve", "lots"}, "--reserve"},
	{{"--without", "luck"}, "--without"},
	{{"--conn", "5"}, "--conn"},
	{{"--unknown"}, "--unknown"},
	{{"-Z"}, "-Z"},
	{{"operand"}, "operand"},
	{{"oper\x1b[31m"}, "unexpected 'oper\\x1b[31m'"},
	{{"--ipv6=yes"}, "--ipv6"},
};

static void one_line_and_exit_2(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(wrong); i++) {
		const char *args[5] = {0};
		struct trial trial;

		memcpy(args, wrong[i].args, sizeof(wrong[i].args));
		trial_run(&trial, NULL, args);
		if (trial.code != 2 || !strstr(trial.err, wrong[i].says) ||
		    strchr(trial.err, '\n') != strrchr(trial.err, '\n') || trial.out[0] != '\0')
			fail_msg("'%s %s': exit code %d, said: %s%s", args[0],
			         args[1] ? args[1] : "", trial.code, trial.err, trial.out);
		assert_null(trial.result);
		trial_end(&trial);
	}
}

static void result_file_that_cannot_be(void **state)
{
	const char *const args[] = {"-n", "10", "--json", "/no/such/directory/r.json", NULL};
	struct trial trial;

	(void)state;
	trial_run(&trial, NULL, args);
	trial_assert_code(&trial, 2);
	assert_non_null(strstr(trial.err, "/no/such/directory/r.json"));
	trial_end(&trial);
}

static void help_is_no_error(void **state)
{
	const char *const args[] = {"--help", NULL};
	struct trial trial;

	(void)state;
	trial_run(&trial, NULL, args);
	trial_assert_code(&trial, 0);
	assert_non_null(strstr(trial.out, "--solution"));
	assert_string_equal(trial.err, "");
	trial_end(&trial);
}

static void quiet_is_quiet(void **state)
{
	const char *const args[] = {"-n", "100", "--hold", "0", "--quiet", NULL};
	struct trial trial;

	(void)state;
	trial_run(&trial, NULL, args);
	trial_assert_passed(&trial, 100);
	assert_string_equal(trial.err, "");
	assert_string_equal(trial.out, "");
	trial_end(&trial);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_line_and_exit_2),
		cmocka_unit_test(result_file_that_cannot_be),
		cmocka_unit_test(help_is_no_error),
		cmocka_unit_test(quiet_is_quiet),
	};

	return cmocka_run_group_tests_name("lab_input", tests, NULL, NULL);
}
