/* lab_plan: megaconn plan as its user sees it: one screen, numbers, exit codes, commands that the
 * program takes, one line for what is wrong; and that it needs nothing of this machine. */
#include "trial.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT_OF(a)   (sizeof(a) / sizeof((a)[0]))
#define LINES_MOST    40
#define COLUMNS_MOST  100
#define ARGS_MOST     8
#define COMMANDS_MOST 10

/* Runs `megaconn COMMAND ARGS`; the caller ends the trial. */
static void run(struct trial *trial, const char *command, trial_prepare prepare,
                const char *const *args)
{
	trial_start_command(trial, command, prepare, args);
	trial_wait(trial, 30);
}

static void assert_one_screen(const struct trial *trial)
{
	const char *line = trial->out;
	int lines = 0;

	for (const char *end; (end = strchr(line, '\n')) != NULL; line = end + 1, lines++) {
		if (end - line > COLUMNS_MOST)
			fail_msg("%d columns: %.*s", (int)(end - line), (int)(end - line), line);
	}
	if (*line != '\0' || lines == 0 || lines > LINES_MOST)
		fail_msg("%d lines: %s", lines, trial->out);
	assert_string_equal(trial->err, "");
}

/* --- the screen ----------------------------------------------------------------------------- */

static const struct {
	const char *args[ARGS_MOST + 1];
	int code;
	const char *says[6];
} plans[] = {
	{{NULL}, 0, {"1,000,000 connections over IPv4", "36 source IPs", "36 server ports"}},
	{{"-n", "10M", "--memory", "64GiB"},
         0,
         {"64.0 GiB of memory end first, at 15,007,701", "2.8 x 10^14",
          "355 source IPs x 28,232 source ports x 1 server port = 10,022,360",
          "1 source IP x 28,232 source ports x 355 server ports = 10,022,360",
          "server 42.6 GiB | client 42.6 GiB | both on one machine 82.8 GiB",
          "server 15,007,701 | client 15,007,701 | both on one machine 7,725,858"}},
	{{"-n", "20M", "-m", "64GiB"},
         3,
         {"does not fit 64.0 GiB of memory end first, at 15,007,701", "85.3 GiB hold it",
          "serve --listen 198.19.0.1:8090 -n 15007701"}},
	{{"-m", "8GiB"}, 0, {"1,851,279 connections", "megaconn lab -n 953025"}},
	{{"-m", "100MiB"}, 3, {"100.0 MiB of memory end first, at 0", "512.0 MiB hold it"}},
	{{"-n", "28232", "--sources", "1"}, 0, {"1 source IP to 1 port ends first"}},
	{{"-n", "28233", "--sources", "1"},
         3,
         {"ends first, at 28,232", "it takes 2 source IPs, or 2 server ports"}},
	{{"-n", "10M", "-s", "20", "--server-ports", "18"}, 0, {"end first, at 10,163,520"}},
	{{"-n", "1M", "-s", "20", "--ports", "1024-65535"}, 0, {"end first, at 1,290,240"}},
	{{"-n", "65535", "--ports", "1-65535", "-s", "1"}, 0, {"at 65,535"}},
	{{"-n", "65536", "--ports", "1-65535", "-s", "1"}, 3, {"at 65,535"}},
	{{"-n", "1M", "--nofile", "1024"}, 0, {"1,000 processes with a limit of 1,024"}},
	{{"-n", "1M", "--ipv6"}, 0, {"over IPv6", "[2001:2::1]:8090", "lab -n 1M --ipv6"}},
	{{"-n", "281474976710656"},
         3,
         {"addresses of IPv4 end first, at 121,255,516,700,672", "2^32", "or --ipv6"}},
	{{"-n", "281474976710656", "-6"}, 0, {"262,144 servers"}},
	{{"-n", "281474976710656", "-6", "--ports", "1-1", "-m", "4TiB"}, 3, {"13,860 clients"}},
	{{"-n", "281474976710656", "-6", "-s", "4294967296", "--server-ports", "65535"},
         0,
         {"4,294,967,296 source IPs to 65,535 ports end first"}},
};

static void says_what_is_needed(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(plans); i++) {
		struct trial trial;

		run(&trial, "plan", NULL, plans[i].args);
		trial_assert_code(&trial, plans[i].code);
		if (plans[i].code != 2)
			assert_one_screen(&trial);
		for (size_t j = 0; j < COUNT_OF(plans[i].says) && plans[i].says[j]; j++) {
			if (!strstr(trial.out, plans[i].says[j]))
				fail_msg("no '%s' in:\n%s", plans[i].says[j], trial.out);
		}
		trial_end(&trial);
	}
}

/* --- the commands --------------------------------------------------------------------------- */

/* Copies the command line at `at` without what continues it; returns what follows. */
static const char *take_line(const char *at, char *line, size_t size)
{
	size_t len = 0;

	for (; *at != '\0' && *at != '\n'; at++) {
		if (strncmp(at, "\\\n", 2) == 0)
			at++;
		else if (len + 1 < size)
			line[len++] = *at;
	}
	line[len] = '\0';
	return at;
}

/* Whether it takes --json, which tests/trial gives to every command. */
static bool is_run_here(const char *command)
{
	return strcmp(command, "lab") == 0 || strcmp(command, "serve") == 0 ||
	       strcmp(command, "connect") == 0;
}

/* With --help at its end the command is parsed to the end, and does nothing. */
static bool check_command(char *line)
{
	const char *args[TRIAL_ARGS_MOST] = {NULL};
	char *rest = line, *word;
	size_t count = 0;
	struct trial trial;

	assert_string_equal(strsep(&rest, " "), "megaconn");
	const char *command = strsep(&rest, " ");

	while ((word = strsep(&rest, " ")) != NULL && count + 2 < COUNT_OF(args)) {
		if (word[0] != '\0')
			args[count++] = word;
	}
	args[count] = "--help";
	if (!is_run_here(command)) {
		assert_true(strcmp(command, "tune") == 0 || strcmp(command, "addr") == 0);
		return false;
	}
	run(&trial, command, NULL, args);
	trial_assert_code(&trial, 0);
	assert_non_null(strstr(trial.out, "usage: megaconn "));
	assert_string_equal(trial.err, "");
	trial_end(&trial);
	return true;
}

static void printed_commands_are_taken(void **state)
{
	static const char *const asked[][ARGS_MOST + 1] = {
		{"-n", "10M"},
		{"-n", "10M", "--ipv6"},
		{"-n", "10M", "--ports", "1024-65535", "--server-ports", "30"},
		{"-m", "64GiB", "--sources", "20", "-6"},
		{"-n", "281474976710656"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(asked); i++) {
		struct trial trial;
		char line[COMMANDS_MOST][256];
		int count = 0, taken = 0;

		run(&trial, "plan", NULL, asked[i]);
		for (const char *at = trial.out; (at = strstr(at, " megaconn ")) != NULL;) {
			assert_true(count < COMMANDS_MOST);
			at = take_line(at + 1, line[count++], sizeof(line[0]));
		}
		trial_end(&trial);
		for (int j = 0; j < count; j++)
			taken += check_command(line[j]);
		assert_true(taken >= 2);
		assert_true(count >= taken + 4); /* an address and a setting at each end */
	}
}

/* --- JSON ----------------------------------------------------------------------------------- */

static void result_as_json(void **state)
{
	const char *const args[] = {"-n", "10M", "-m", "16GiB", NULL};
	struct trial trial;

	(void)state;
	run(&trial, "plan", NULL, args);
	trial_assert_code(&trial, 3);
	assert_non_null(trial.result);
	assert_string_equal(trial_word(&trial, "schema"), "megaconn.plan/1");
	assert_int_equal(trial_number(&trial, "n"), 10000000);
	assert_true(json_is_false(json_object_get(trial.result, "fits")));
	assert_int_equal(trial_number(&trial, "largest"), 3751925);
	assert_string_equal(trial_word(&trial, "ends_first"), "memory");
	assert_int_equal(trial_number(&trial, "solutions.1.source_ips"), 355);
	assert_int_equal(trial_number(&trial, "solutions.2.server_ports"), 355);
	assert_int_equal(trial_number(&trial, "descriptors.uring"), 0);
	assert_int_equal(trial_number(&trial, "descriptors.processes"), 10);
	assert_int_equal(trial_number(&trial, "held.both"), 1931464);
	assert_int_equal(trial_number(&trial, "source_ports.count"), 28232);
	assert_int_equal(json_array_size(json_object_get(trial.result, "commands")), 7);
	assert_null(json_object_get(trial.result, "settings")); /* the doctor's */
	trial_end(&trial);
}

/* "-" has stdout to itself. */
static void json_on_stdout(void **state)
{
	const char *const args[] = {"--json", "-", NULL};
	struct trial trial;

	(void)state;
	run(&trial, "plan", NULL, args);
	trial_assert_code(&trial, 0);
	json_t *o = json_loads(trial.out, 0, NULL);

	assert_string_equal(json_string_value(json_object_get(o, "schema")), "megaconn.plan/1");
	assert_non_null(strstr(trial.err, "1,000,000 connections"));
	json_decref(o);
	trial_end(&trial);
}

/* --- wrong input ---------------------------------------------------------------------------- */

static const struct {
	const char *args[4];
	const char *says;
} wrong[] = {
	{{"-n", "0"}, "at least 1"},
	{{"-n", "many"}, "many"},
	{{"-n", "281474976710657"}, "at most 281474976710656"},
	{{"-n", "99999999999999999999999"}, "at most"},
	{{"-n", "-1"}, "-n"},
	{{"-n"}, "needs a value"},
	{{"--memory", "0"}, "--memory"},
	{{"--memory", "64 GiB"}, "not a size"},
	{{"--memory", "99999999TiB"}, "at most"},
	{{"--ports", "200-100"}, "--ports"},
	{{"--ports", "0-10"}, "--ports"},
	{{"--ports", "1-65536"}, "--ports"},
	{{"--server-ports", "0"}, "at least 1"},
	{{"--server-ports", "65536"}, "at most 65535"},
	{{"--sources", "0"}, "at least 1"},
	{{"--sources", "4294967297"}, "at most 4294967296"},
	{{"--nofile", "24"}, "at least 25"},
	{{"--ipv6=yes"}, "takes no value"},
	{{"--conn", "5"}, "unknown option --conn"},
	{{"oper\x1b[31m"}, "unexpected 'oper\\x1b[31m' (see 'megaconn plan --help')"},
	{{"--json", "/no/such/directory/p.json"}, "/no/such/directory/p.json"},
};

static void one_line_and_exit_2(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(wrong); i++) {
		const char *args[5] = {0};
		struct trial trial;

		memcpy(args, wrong[i].args, sizeof(wrong[i].args));
		run(&trial, "plan", NULL, args);
		if (trial.code != 2 || strncmp(trial.err, "megaconn: ", 10) != 0 ||
		    !strstr(trial.err, wrong[i].says) ||
		    strchr(trial.err, '\n') != strrchr(trial.err, '\n') || trial.out[0] != '\0')
			fail_msg("'%s %s': exit code %d, said: %s%s", args[0],
			         args[1] ? args[1] : "", trial.code, trial.err, trial.out);
		assert_null(trial.result);
		trial_end(&trial);
	}
}

static void help_is_no_error(void **state)
{
	const char *const args[] = {"--help", NULL};
	struct trial trial;

	(void)state;
	run(&trial, "plan", NULL, args);
	trial_assert_code(&trial, 0);
	assert_non_null(strstr(trial.out, "--server-ports"));
	assert_string_equal(trial.err, "");
	trial_end(&trial);
}

/* --- nothing of this machine ---------------------------------------------------------------- */

static void limit_files(void)
{
	const struct rlimit few = {.rlim_cur = 16, .rlim_max = 16};

	if (setrlimit(RLIMIT_NOFILE, &few) != 0)
		_exit(125);
	trial_become_nobody();
}

/* Takes /proc away in a mount namespace of its own. Returns 0, or -1. */
static int hide_proc(void)
{
	int flags = geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS;

	if (unshare(flags) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		return -1;
	return mount("none", "/proc", "tmpfs", 0, NULL);
}

static void limit_files_and_hide_proc(void)
{
	if (hide_proc() != 0 || access("/proc/self", F_OK) == 0)
		_exit(125);
	limit_files();
}

static bool can_hide_proc(void)
{
	int status = 1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(hide_proc() == 0 ? 0 : 1);
	waitpid(pid, &status, 0);
	return status == 0;
}

static void expect_the_same(trial_prepare prepare)
{
	const char *const args[] = {"-n", "10M", "--memory", "64GiB", NULL};
	struct trial here, there;

	run(&here, "plan", NULL, args);
	run(&there, "plan", prepare, args);
	trial_assert_code(&there, 0);
	assert_string_equal(there.err, "");
	assert_string_equal(there.out, here.out);
	assert_non_null(there.result);
	trial_end(&here);
	trial_end(&there);
}

static void needs_no_rights(void **state)
{
	(void)state;
	expect_the_same(limit_files);
}

static void needs_no_proc(void **state)
{
	(void)state;
	if (trial_is_small()) {
		print_message("the sanitizers themselves read /proc\n");
		skip();
	}
	if (!can_hide_proc()) {
		print_message("no private mount namespace here\n");
		skip();
	}
	expect_the_same(limit_files_and_hide_proc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_what_is_needed), cmocka_unit_test(printed_commands_are_taken),
		cmocka_unit_test(result_as_json),      cmocka_unit_test(json_on_stdout),
		cmocka_unit_test(one_line_and_exit_2), cmocka_unit_test(help_is_no_error),
		cmocka_unit_test(needs_no_rights),     cmocka_unit_test(needs_no_proc),
	};

	return cmocka_run_group_tests_name("lab_plan", tests, NULL, NULL);
}
