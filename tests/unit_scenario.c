/* unit_scenario: scenario files: what they become, and every error with its line. */
#include "cmd/scenario.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/text.h"
#include "cmd/connect.h"
#include "cmd/lab.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct scenario scenario;
static struct err err;

static int parse(const char *text)
{
	const struct scenario_command commands[] = {lab_scenario_command(),
	                                            connect_scenario_command()};
	size_t len = strlen(text);
	char *exact = malloc(len > 0 ? len : 1); /* so that ASan sees a read beyond the end */
	int failed;

	assert_non_null(exact);
	for (size_t i = 0; i < len; i++)
		exact[i] = text[i];
	err.text[0] = '\0';
	failed = scenario_parse(commands, 2, "a.ini", exact, len, &scenario, &err);
	free(exact);
	return failed;
}

static void parse_well(const char *text)
{
	if (parse(text) != 0)
		fail_msg("%s", err.text);
}

/* An error of a text that begins with "[scenario]" in line 1. */
static void check_error(const char *text, const char *expected)
{
	char whole[8192];
	struct text t;

	text_init(&t, whole, sizeof(whole));
	text_add(&t, "[scenario]\n%s", text);
	assert_false(t.cut);
	if (parse(whole) != -EINVAL || strcmp(err.text, expected) != 0)
		fail_msg("\"%s\": \"%s\", not \"%s\"", text, err.text, expected);
}

static void a_lab(void **state)
{
	(void)state;
	parse_well("[scenario]\nconnections = 1M\ncommand = lab\nsolution = mixed\nipv6 = yes\n"
	           "no-netns = no\ntimeout = 3s\n"
	           "[ramp]\nconnections = 500k\nrate = 20k/s\n"
	           "[stage calm]\nfor = 30s\n"
	           "[stage rush]\nfor = 1m\nconnections = 1M\nrate = 10k/s\ntraffic = echo\n"
	           "every = 30s\nmessage-size = 64-128\nchurn = 1k/s\nchurn-by = rst\n"
	           "storm = 12.5%\nat = 10s\n");
	assert_int_equal(scenario.command, 0);
	assert_null(scenario.target);
	assert_int_equal(scenario.count, 5);
	assert_string_equal(scenario.words[0], "--connections=1M");
	assert_string_equal(scenario.words[1], "--solution=mixed");
	assert_string_equal(scenario.words[2], "--ipv6");
	assert_string_equal(scenario.words[3], "--timeout=3s");
	assert_string_equal(scenario.words[4], "--rate=20k/s");
	assert_int_equal(scenario.ramp_to, 500000);
	assert_int_equal(scenario.stage_count, 2);
	const struct living_stage *rush = &scenario.stages[1];

	assert_string_equal(scenario.stages[0].name, "calm");
	assert_int_equal(scenario.stages[0].for_ns, 30 * NS_PER_S);
	assert_true(living_is_still(&scenario.stages[0]));
	assert_string_equal(rush->name, "rush");
	assert_true(rush->connections == 1000000 && rush->rate_per_s == 10000);
	assert_int_equal(rush->traffic, TRAFFIC_ECHO);
	assert_int_equal(rush->every_ns, 30 * NS_PER_S);
	assert_true(rush->size.low == 64 && rush->size.high == 128);
	assert_true(rush->churn_per_s == 1000 && rush->churn_by == 1);
	assert_true(rush->storm.is_given && rush->storm.parts == 125000);
	assert_int_equal(rush->storm_at_ns, 10 * NS_PER_S);
}

static void clients_alone(void **state)
{
	(void)state;
	parse_well("; all that there is\n[stage a]\nfor=1\n[scenario]\ncommand = connect\n"
	           "target = [::1]:8090-8099\nin-flight = 16\nreconnect = yes\n"
	           "[stage b] # the last\nfor=1\nin-flight = 5\ntraffic = http\n");
	assert_int_equal(scenario.command, 1);
	assert_string_equal(scenario.target, "[::1]:8090-8099");
	assert_int_equal(scenario.count, 2);
	assert_string_equal(scenario.words[0], "--in-flight=16");
	assert_string_equal(scenario.words[1], "--reconnect");
	assert_int_equal(scenario.ramp_to, 0);
	assert_int_equal(scenario.stages[1].in_flight, 5);
}

static void errors_of_sections(void **state)
{
	(void)state;
	check_error("command = lab\n[foo]\n",
	            "a.ini:3: unknown section [foo] (there are [scenario], [ramp], [stage NAME])");
	check_error("command = lab\n[stage]\n",
	            "a.ini:3: unknown section [stage] (there are [scenario], [ramp], [stage "
	            "NAME])");
	check_error("command = lab\n[stage a b]\n",
	            "a.ini:3: [stage a b]: a name has 1 to 23 letters, digits, - _ or .");
	check_error("command = lab\n[stage ]\n",
	            "a.ini:3: [stage ]: a name has 1 to 23 letters, digits, - _ or .");
	check_error("command = lab\n[stage a23456789012345678901234]\n",
	            "a.ini:3: [stage a23456789012345678901234]: a name has 1 to 23 letters, "
	            "digits, - _ or .");
	check_error("command = lab\n[stage a]\nfor = 1s\n[stage a]\n",
	            "a.ini:5: [stage a]: there is one of that name (line 3)");
	check_error("command = lab\n[scenario]\n", "a.ini:3: there is one already (line 1)");
	check_error("command = lab\n[ramp]\n[ramp]\n", "a.ini:4: there is one already (line 3)");
	check_error("command = lab\n[stage a]\nfor = 1s\n[ramp]\n",
	            "a.ini:5: [ramp] comes before the stages (line 3)");
	check_error("command = lab\n[stage a\n", "a.ini:3: [stage a: not of the form [section]");
	check_error("command = lab\n[]\n", "a.ini:3: []: not of the form [section]");
	check_error("command = lab\n", "a.ini: no [stage NAME]: what is to be done?");
	check_error("command = lab\n\n[stage a]\ntraffic = echo\n",
	            "a.ini:4: [stage a]: for how long? (for = 30s)");
	assert_int_equal(parse("for = 1s\n"), -EINVAL);
	assert_string_equal(err.text, "a.ini:1: for stands before the first section");
	assert_int_equal(parse(""), -EINVAL);
	assert_string_equal(err.text,
	                    "a.ini: no command in [scenario] (command = lab, or connect)");
}

static void errors_of_the_command(void **state)
{
	(void)state;
	check_error("", "a.ini: no command in [scenario] (command = lab, or connect)");
	check_error("[Scenario]\ncommand = lab\n",
	            "a.ini:2: unknown section [Scenario] (there are [scenario], [ramp], [stage "
	            "NAME])");
	check_error("command = serve\n", "a.ini:2: command serve: must be one of lab, connect");
	check_error("command = lab\ncommand = lab\n",
	            "a.ini:3: command is given twice (first in line 2)");
	check_error("command = lab\ntarget = a:1\n",
	            "a.ini:3: target is of command = connect: a lab has none");
	check_error("command = connect\ntarget = a:1\n\ntarget = a:1\n",
	            "a.ini:5: target is given twice (first in line 3)");
	check_error("command = lab\nhold = 5s\n",
	            "a.ini:3: hold: each [stage NAME] says for how long (for)");
	check_error("command = lab\ntraffic = echo\n", "a.ini:3: traffic belongs in [stage NAME]");
	check_error("command = lab\nin-flight = 5\n", "a.ini:3: in-flight belongs in [stage NAME]");
	check_error("command = lab\nreconnect = yes\n",
	            "a.ini:3: unknown key reconnect in [scenario] (the options of 'megaconn lab "
	            "--help')");
	check_error("command = lab\nhelp = yes\n",
	            "a.ini:3: unknown key help in [scenario] (the options of 'megaconn lab "
	            "--help')");
	check_error("command = lab\nfind-max = yes\n",
	            "a.ini:3: unknown key find-max in [scenario] (the options of 'megaconn lab "
	            "--help')");
	check_error("command = lab\nipv6 = maybe\n", "a.ini:3: ipv6 maybe: must be yes or no");
	check_error("command = lab\nconnections = 5x\n",
	            "a.ini:3: connections 5x: not a count (try 1000, 10k, 1M, or max)");
	check_error("command = lab\nconnections = 5\nconnections = 5\n",
	            "a.ini:4: connections is given twice (first in line 3)");
	check_error("command = lab\nsolution =\n",
	            "a.ini:3: solution: needs a value (or take the line out)");
	check_error("command = lab\nengine = fast\n",
	            "a.ini:3: engine fast: must be one of auto, uring, epoll");
	check_error("command = lab\njust words\n",
	            "a.ini:3: just words: not of the form key = value");
}

static void errors_of_stages(void **state)
{
	(void)state;
	check_error("command = lab\n[stage a]\nfor = 1s\nfoo = 1\n",
	            "a.ini:5: unknown key foo in [stage NAME] (for, connections, rate, traffic, "
	            "message-rate, every, message-size, churn, churn-by, storm, at, in-flight)");
	check_error("command = lab\n[stage a]\nfor = 1s\ntimeout = 1s\n",
	            "a.ini:5: timeout belongs in [scenario]");
	check_error("command = lab\n[stage a]\nfor = 1s\ntarget = 1s\n",
	            "a.ini:5: target belongs in [scenario]");
	check_error("command = lab\n[stage a]\nfor = 1s\nfor = 2s\n",
	            "a.ini:5: for is given twice (first in line 4)");
	check_error("command = lab\n[stage a]\nfor = 0\n", "a.ini:4: for 0: must be at least 1ns");
	check_error("command = lab\n[stage a]\nconnections = 0\n",
	            "a.ini:4: connections 0: must be at least 1");
	check_error("command = lab\n[stage a]\nstorm = 101%\n",
	            "a.ini:4: storm 101%: must be at most 100%");
	check_error("command = lab\n[ramp]\ntraffic = echo\n",
	            "a.ini:4: traffic belongs in [stage NAME]");
	check_error("command = lab\n[ramp]\nfoo = 1\n",
	            "a.ini:4: unknown key foo in [ramp] (connections, rate)");
	check_error("command = lab\n[ramp]\nhold = 1\n",
	            "a.ini:4: unknown key hold in [ramp] (connections, rate)");
	check_error("command = lab\nrate = 5\n[ramp]\nrate = 5\n",
	            "a.ini:5: rate is given twice (first in line 3)");
	check_error("command = lab\n[stage a]\nfor = 1s\n\n[stage b]\nstorm = 5%\nat = 3s\nfor = "
	            "3s\n",
	            "a.ini:6: [stage b]: storm: is not before its end (for)");
}

static void most_of_all(void **state)
{
	char text[4096] = "";
	struct text t;

	(void)state;
	text_init(&t, text, sizeof(text));
	text_add(&t, "[scenario]\ncommand = lab\n");
	for (int i = 0; i < STAGES_MAX; i++)
		text_add(&t, "[stage %d]\nfor = 1s\n", i);
	parse_well(text);
	assert_int_equal(scenario.stage_count, STAGES_MAX);
	text_add(&t, "[stage more]\nfor = 1s\n");
	assert_int_equal(parse(text), -EINVAL);
	assert_string_equal(err.text, "a.ini:67: more than 32 stages");
}

/* What comes with the program can be run, and says what it is for first. */
static void examples(void **state)
{
	static char text[CONF_BYTES_MOST + 1];
	DIR *dir = opendir("examples");
	int seen = 0;

	(void)state;
	assert_non_null(dir);
	for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
		size_t len = strlen(entry->d_name);
		char path[512];

		if (len < 4 || strcmp(entry->d_name + len - 4, ".ini") != 0)
			continue;
		snprintf(path, sizeof(path), "examples/%s", entry->d_name);
		ssize_t bytes = conf_load(path, text, &err);

		assert_true(bytes > 0 && text[0] == ';');
		text[bytes] = '\0';
		parse_well(text);
		seen++;
	}
	closedir(dir);
	assert_true(seen >= 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lab),
		cmocka_unit_test(clients_alone),
		cmocka_unit_test(errors_of_sections),
		cmocka_unit_test(errors_of_the_command),
		cmocka_unit_test(errors_of_stages),
		cmocka_unit_test(most_of_all),
		cmocka_unit_test(examples),
	};

	return cmocka_run_group_tests_name("scenario", tests, NULL, NULL);
}
