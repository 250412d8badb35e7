/* unit_living: options become stages; what contradicts itself is refused in one line. */
#include "run/living.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TARGET "198.18.0.1:8080"

static struct experiment x;
static struct err err;

static int set(const struct living_options *options, enum run_kind kind, uint64_t hold_ns)
{
	memset(&x, 0, sizeof(x));
	x.kind = kind;
	x.asked = x.n = 1000;
	x.proof = true;
	err.text[0] = '\0';
	return living_set(options, hold_ns, TARGET, &x, &err);
}

static void set_well(const struct living_options *options, enum run_kind kind)
{
	if (set(options, kind, 10 * NS_PER_S) != 0)
		fail_msg("%s", err.text);
	assert_int_equal(living_check(options, kind, 1000, 10 * NS_PER_S, &err), 0);
}

static void check_refused(const struct living_options *options, uint64_t hold_ns,
                          const char *expected)
{
	assert_int_equal(set(options, RUN_LAB, hold_ns), -EINVAL);
	assert_string_equal(err.text, expected);
	assert_int_equal(living_check(options, RUN_LAB, 1000, hold_ns, &err), -EINVAL);
	assert_string_equal(err.text, expected);
}

/* --- what they become --------------------------------------------------------------------- */

static void nothing_is_a_hold(void **state)
{
	const struct living_options options = {0};

	(void)state;
	set_well(&options, RUN_LAB);
	assert_int_equal(x.stage_count, 1);
	assert_string_equal(x.stages[0].name, "hold");
	assert_int_equal(x.stages[0].duration_ns, 10 * NS_PER_S);
	assert_int_equal(x.hold_ns, 10 * NS_PER_S);
	assert_int_equal(x.stages[0].traffic, TRAFFIC_HOLD);
	assert_int_equal(x.mode, SERVE_ECHO);
	assert_true(x.proof);
	assert_int_equal(x.message_bytes, 0);
	assert_int_equal(x.ramp_to, 0);
	assert_false(x.has_failed_most);
	assert_true(living_is_still(&options.hold));

	assert_int_equal(set(&options, RUN_LAB, UINT64_MAX), 0);
	assert_true(x.hold_ns == UINT64_MAX && x.stages[0].duration_ns == UINT64_MAX);
	assert_int_equal(set(&options, RUN_LAB, 0), 0);
}

static void all_of_a_stage(void **state)
{
	const struct living_options options = {
		.hold = {.traffic = TRAFFIC_ECHO,
	                 .message_rate_per_s = 20000,
	                 .size = {.low = 100, .high = 5000},
	                 .churn_per_s = 300,
	                 .churn_by = 1,
	                 .storm = {.parts = 300000, .is_given = true},
	                 .storm_at_ns = 3 * NS_PER_S},
		.p99_most_ns = 5 * NS_PER_MS,
		.failed_most = {.parts = 10, .is_given = true},
	};
	const struct stage *stage = &x.stages[0];

	(void)state;
	set_well(&options, RUN_LAB);
	assert_int_equal(stage->traffic, TRAFFIC_ECHO);
	assert_int_equal(stage->message_rate_per_s, 20000);
	assert_true(stage->size_least_bytes == 100 && stage->size_most_bytes == 5000);
	assert_true(stage->churn_per_s == 300 && stage->churn_by_reset);
	assert_int_equal(stage->storm_parts, 300000);
	assert_int_equal(stage->storm_at_ns, 3 * NS_PER_S);
	assert_true(x.message_bytes >= 5000);
	assert_int_equal(x.p99_most_ns, 5 * NS_PER_MS);
	assert_true(x.has_failed_most && x.failed_most_parts == 10);
	assert_false(living_is_still(&options.hold));
}

static void usual_values(void **state)
{
	const struct living_options echo = {.hold = {.traffic = TRAFFIC_ECHO}};
	const struct living_options push = {.hold = {.traffic = TRAFFIC_PUSH}};
	const struct living_options as_fast = {.hold = {.churn_per_s = UINT64_MAX}};

	(void)state;
	set_well(&echo, RUN_LAB);
	assert_int_equal(x.stages[0].size_least_bytes, LIVING_SIZE_USUAL);
	assert_int_equal(x.stages[0].size_most_bytes, LIVING_SIZE_USUAL);
	set_well(&push, RUN_LAB);
	assert_int_equal(x.mode, SERVE_PUSH);
	assert_int_equal(x.push.every_ns, LIVING_PUSH_NS);
	assert_true(x.proof);
	set_well(&as_fast, RUN_LAB);
	assert_true(x.stages[0].churn_per_s == STAGE_AS_FAST);
	assert_false(x.stages[0].churn_by_reset);
}

static void http(void **state)
{
	struct living_options options = {.hold = {.traffic = TRAFFIC_HTTP}};

	(void)state;
	set_well(&options, RUN_LAB);
	assert_int_equal(x.mode, SERVE_HTTP);
	assert_false(x.proof);
	assert_true(x.message_bytes >= 4096);
	assert_non_null(strstr(x.request.text, "GET / HTTP/1.1\r\n"));
	assert_non_null(strstr(x.request.text, "Host: 198.18.0.1:8080\r\n"));
	options.path = "/a?b";
	set_well(&options, RUN_CONNECT);
	assert_false(x.proof);
	assert_non_null(strstr(x.request.text, "GET /a?b HTTP/1.1\r\n"));
}

static void script(void **state)
{
	static const char text[] = "loop\nsend \"PING\\r\\n\"\nexpect \"+PONG\\r\\n\"\n";
	char path[] = "/tmp/megaconn-living-XXXXXX";
	const struct living_options options = {.script = path};
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
	close(fd);
	set_well(&options, RUN_CONNECT);
	unlink(path);
	assert_int_equal(x.stages[0].traffic, TRAFFIC_SCRIPT);
	assert_int_equal(x.script.count, 1);
	assert_true(x.proof); /* where the server echoes */
}

static void stages(void **state)
{
	const struct living_stage list[] = {
		{.name = "calm", .for_ns = NS_PER_S},
		{.name = "up", .for_ns = 2 * NS_PER_S, .connections = 1000, .rate_per_s = 300},
		{.name = "talk", .for_ns = NS_PER_S, .traffic = TRAFFIC_ECHO, .in_flight = 5},
		{.name = "push",
	         .for_ns = NS_PER_S,
	         .traffic = TRAFFIC_PUSH,
	         .every_ns = NS_PER_MS},
	};
	const struct living_options options = {.stages = list, .stage_count = 4, .ramp_to = 500};

	(void)state;
	assert_int_equal(set(&options, RUN_LAB, 0), 0);
	assert_int_equal(x.stage_count, 4);
	assert_int_equal(x.hold_ns, 5 * NS_PER_S);
	assert_int_equal(x.ramp_to, 500);
	assert_int_equal(experiment_ramped(&x), 500);
	assert_string_equal(x.stages[1].name, "up");
	assert_true(x.stages[1].connections == 1000 && x.stages[1].rate_per_s == 300);
	assert_int_equal(x.stages[2].in_flight, 5);
	assert_int_equal(x.mode, SERVE_PUSH);
	assert_int_equal(x.push.every_ns, NS_PER_MS);
}

/* --- what is refused ---------------------------------------------------------------------- */

struct refused {
	struct living_stage hold;
	uint64_t hold_ns;
	const char *says;
};

#define ECHO_RATE .traffic = TRAFFIC_ECHO, .message_rate_per_s = 1

static void contradictions(void **state)
{
	static const struct refused cases[] = {
		{{.message_rate_per_s = 1},
	         1,
	         "--message-rate: of what? with traffic echo, http or script"},
		{{.every_ns = 1}, 1, "--every: what? with traffic echo, push, http or script"},
		{{.in_flight = 1}, 1, "--in-flight: of what? with traffic echo, http or script"},
		{{.size = {1, 1}}, 1, "--message-size: of what? with traffic echo or push"},
		{{ECHO_RATE, .every_ns = 1},
	         1,
	         "--every and message-rate: one of them (a rate is of all connections together)"},
		{{ECHO_RATE, .in_flight = 1},
	         1,
	         "--in-flight is of a closed loop: not with every or message-rate"},
		{{.traffic = TRAFFIC_PUSH, .message_rate_per_s = 1},
	         1,
	         "--message-rate: a push has rounds, give every"},
		{{.traffic = TRAFFIC_PUSH, .in_flight = 1},
	         1,
	         "--in-flight: in a push the server speaks, nothing is asked"},
		{{.traffic = TRAFFIC_HTTP, .size = {1, 1}},
	         1,
	         "--message-size is of echo and push: a request is as long as it is"},
		{{.traffic = TRAFFIC_SCRIPT, .size = {1, 1}},
	         1,
	         "--message-size is of echo and push: a script has its own"},
		{{ECHO_RATE, .churn_per_s = UINT64_MAX},
	         1,
	         "--churn max has one exchange on each connection: not with every or "
	         "message-rate"},
		{{.traffic = TRAFFIC_PUSH, .churn_per_s = UINT64_MAX},
	         1,
	         "--churn max has one exchange on each connection: not in a push"},
		{{.churn_by = 1}, 1, "--churn-by: of what? with churn"},
		{{.storm_at_ns = 1}, 2, "--at: what? with storm"},
		{{.storm = {1, true}, .storm_at_ns = 5},
	         5,
	         "--storm: is not before the end of --hold"},
		{{.storm = {1, true}}, 0, "--storm: is not before the end of --hold"},
		{{.traffic = TRAFFIC_ECHO}, 0, "--traffic takes time: not with --hold 0"},
		{{.churn_per_s = 1}, 0, "--churn takes time: not with --hold 0"},
		{{.traffic = TRAFFIC_SCRIPT}, 1, "--traffic script: which one? --script FILE"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct living_options options = {.hold = cases[i].hold};

		check_refused(&options, cases[i].hold_ns, cases[i].says);
	}
}

static void of_the_whole_run(void **state)
{
	const struct living_options path = {.path = "/"};
	const struct living_options bad_path = {.hold = {.traffic = TRAFFIC_HTTP}, .path = "x"};
	const struct living_options script = {.hold = {.traffic = TRAFFIC_ECHO}, .script = "x"};
	const struct living_options none = {.script = "/nonexistent/a.script"};
	const struct living_options p99 = {.p99_most_ns = 1};
	const struct living_options storm = {.hold = {.storm = {1, true}}, .find_max = true};

	(void)state;
	check_refused(&path, NS_PER_S, "--path is of traffic http");
	assert_int_equal(set(&bad_path, RUN_LAB, NS_PER_S), -EINVAL);
	assert_non_null(strstr(err.text, "slash"));
	check_refused(&script, NS_PER_S, "--script is of traffic script");
	assert_int_equal(set(&none, RUN_LAB, NS_PER_S), -ENOENT);
	assert_string_equal(err.text,
	                    "/nonexistent/a.script: cannot be read: No such file or directory");
	check_refused(&p99, NS_PER_S, "--p99 is of answers: with traffic");
	check_refused(&storm, NS_PER_S, "--find-max: a storm has no rate: without --storm");
}

static void of_scenarios(void **state)
{
	struct living_stage list[2] = {
		{.name = "a", .for_ns = NS_PER_S, .traffic = TRAFFIC_HTTP},
		{.name = "b", .for_ns = NS_PER_S, .traffic = TRAFFIC_ECHO},
	};
	struct living_options options = {.stages = list, .stage_count = 2};

	(void)state;
	check_refused(&options, 0,
	              "a lab's servers are of one kind: http, or echo and push, not both in one "
	              "scenario");
	assert_int_equal(set(&options, RUN_CONNECT, 0), 0);
	list[0] = (struct living_stage){.name = "a", .for_ns = NS_PER_S, .connections = 2000};
	check_refused(&options, 0,
	              "[stage a]: 2,000 connections, and the run has 1,000 (connections in "
	              "[scenario])");
	options.ramp_to = 1001;
	check_refused(&options, 0,
	              "[ramp]: 1,001 connections, and the run has 1,000 (connections in "
	              "[scenario])");
	options.ramp_to = 100;
	list[0].connections = 0;
	list[1].connections = 1000;
	list[1].rate_per_s = 900;
	assert_int_equal(set(&options, RUN_LAB, 0), 0);
	list[1].rate_per_s = 899;
	check_refused(&options, 0, "[stage b]: 900 more at 899/s take longer than 1.00 s (for)");
	options.ramp_to = 0;
	list[1].connections = 100;
	check_refused(&options, 0, "[stage b]: 900 fewer at 899/s take longer than 1.00 s (for)");
	list[1] = (struct living_stage){.name = "b", .for_ns = 5, .in_flight = 1};
	check_refused(&options, 0,
	              "[stage b]: in-flight: of what? with traffic echo, http or script");
	list[1] = (struct living_stage){.name = "b", .for_ns = 5};
	options.find_max = true;
	check_refused(&options, 0, "--find-max is of one hold: not with a scenario");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_a_hold),
		cmocka_unit_test(all_of_a_stage),
		cmocka_unit_test(usual_values),
		cmocka_unit_test(http),
		cmocka_unit_test(script),
		cmocka_unit_test(stages),
		cmocka_unit_test(contradictions),
		cmocka_unit_test(of_the_whole_run),
		cmocka_unit_test(of_scenarios),
	};

	return cmocka_run_group_tests_name("living", tests, NULL, NULL);
}
