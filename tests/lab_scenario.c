/* megaconn run: scenarios from files: more connections and fewer, traffic, churn and storms one
 * after the other; each stage is seen in the result. */
#include "apart.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Most of 1000 where the test is small, of 5000 else. */
static int part(int thousandths)
{
	return thousandths * (trial_is_small() ? 1 : 5);
}

struct file {
	char path[64];
};

static struct file write_file(const char *text)
{
	struct file file = {"/tmp/megaconn-scenario-XXXXXX"};
	int fd = mkstemp(file.path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	chmod(file.path, 0644);
	return file;
}

static void run_file(struct trial *trial, const char *text, trial_prepare prepare,
                     const char *const *args)
{
	struct file file = write_file(text);

	trial_start_scenario(trial, file.path, prepare, args);
	trial_wait(trial, 60);
	unlink(file.path);
}

static int64_t of_stage(const struct trial *trial, int stage, const char *path)
{
	char whole[96];

	snprintf(whole, sizeof(whole), "stages.%d.%s", stage, path);
	return trial_number(trial, whole);
}

static void assert_open(const struct trial *trial, int stage, const char *name, int before,
                        int after)
{
	char path[32];

	snprintf(path, sizeof(path), "stages.%d.name", stage);
	assert_string_equal(trial_word(trial, path), name);
	assert_int_equal(of_stage(trial, stage, "open_before"), before);
	assert_int_equal(of_stage(trial, stage, "open_after"), after);
}

/* Each message that was said has been answered, and there were some. */
static void assert_answered(const struct trial *trial, int stage)
{
	int64_t said = of_stage(trial, stage, "traffic.said");

	assert_true(said > 0);
	assert_int_equal(of_stage(trial, stage, "traffic.answers.good"), said);
}

/* --- all there is ------------------------------------------------------------------------- */

static const char *everything(void)
{
	static char text[1024];

	snprintf(text, sizeof(text),
	         "[scenario]\ncommand = lab\nconnections = %d\n"
	         "[ramp]\nconnections = %d\nrate = 20k/s\n"
	         "[stage calm]\nfor = 50ms\n"
	         "[stage up]\nfor = 250ms\nconnections = %d\nrate = 20k/s\n"
	         "traffic = echo\nmessage-rate = 1k/s\n"
	         "[stage churn]\nfor = 300ms\nchurn = 600/s\ntraffic = echo\nevery = 250ms\n"
	         "[stage storm]\nfor = 250ms\nstorm = 30%%\nat = 50ms\n"
	         "[stage down]\nfor = 250ms\nconnections = %d\nrate = 20k/s\n"
	         "[stage again]\nfor = 100ms\nconnections = %d\n",
	         part(1000), part(400), part(1000), part(200), part(600));
	return text;
}

static void assert_everything(const struct trial *trial)
{
	trial_assert_code(trial, 0);
	assert_string_equal(trial_word(trial, "verdict"), "pass");
	assert_int_equal(trial_number(trial, "target"), part(1000));
	assert_int_equal(trial_number(trial, "ramped"), part(400));
	assert_int_equal(trial_number(trial, "established.kernel"), part(400));
	assert_int_equal(trial_number(trial, "proved_ramp.echoed"), part(400));
	assert_int_equal(trial_number(trial, "staged"), part(600) + part(400));
	assert_int_equal(trial_number(trial, "unstaged"), part(800));
	assert_int_equal(trial_number(trial, "open_at_end"), part(600));
	assert_int_equal(trial_number(trial, "proved.echoed"), part(600));
	assert_int_equal(trial_number(trial, "lost"), 0);

	assert_open(trial, 0, "calm", part(400), part(400));
	assert_open(trial, 1, "up", part(400), part(1000));
	assert_answered(trial, 1);
	assert_open(trial, 2, "churn", part(1000), part(1000));
	assert_answered(trial, 2);
	assert_true(of_stage(trial, 2, "churn.closed") > 100);
	assert_int_equal(of_stage(trial, 2, "churn.closed"), of_stage(trial, 2, "churn.opened"));
	assert_open(trial, 3, "storm", part(1000), part(1000));
	assert_int_equal(of_stage(trial, 3, "storm.cut"), part(300));
	assert_int_equal(of_stage(trial, 3, "storm.back"), part(300));
	assert_open(trial, 4, "down", part(1000), part(200));
	assert_open(trial, 5, "again", part(200), part(600));
	assert_int_equal(of_stage(trial, 6, "open_after"), -1);
}

static void all_of_it(void **state)
{
	static const char *const none[] = {NULL};
	int64_t alloc = trial_tcp_alloc();
	struct trial trial;

	(void)state;
	run_file(&trial, everything(), NULL, none);
	assert_everything(&trial);
	trial_assert_nothing_left(&trial, alloc);
	trial_end(&trial);
}

static void all_of_it_by_epoll(void **state)
{
	static const char *const args[] = {"--engine", "epoll", NULL};
	struct trial trial;

	(void)state;
	if (!trial_is_full())
		apart_skip("only in test-full");
	run_file(&trial, everything(), NULL, args);
	assert_everything(&trial);
	assert_string_equal(trial_word(&trial, "engine.client"), "epoll");
	trial_end(&trial);
}

static void all_of_it_by_our_own_tcp(void **state)
{
	static const char *const args[] = {"--clients", "tun", NULL};
	struct trial trial;

	(void)state;
	if (!trial_is_root() || !apart_has_tun())
		apart_skip("needs root and /dev/net/tun");
	run_file(&trial, everything(), NULL, args);
	assert_everything(&trial);
	assert_string_equal(trial_word(&trial, "engine.client"), "tun");
	trial_end(&trial);
}

/* --- fewer, in the middle of it ------------------------------------------------------------- */

/* Only on those that stay is anything said, so that all of it is answered. */
static void fewer_while_they_talk(void **state)
{
	static const char text[] = "[scenario]\ncommand = lab\nconnections = 1000\nclients = "
				   "sockets\n[stage talk]\nfor = 300ms\nconnections = 300\n"
				   "traffic = echo\n";
	static const char *const none[] = {NULL};
	struct trial trial;

	(void)state;
	run_file(&trial, text, NULL, none);
	trial_assert_code(&trial, 0);
	assert_open(&trial, 0, "talk", 1000, 300);
	assert_answered(&trial, 0);
	assert_int_equal(trial_number(&trial, "proved.echoed"), 300);
	trial_end(&trial);
}

/* Fewer than workers: who has none has no part of a rate either. */
static void one_has_the_whole_rate(void **state)
{
	static const char text[] = "[scenario]\ncommand = lab\nconnections = 1000\nclients = "
				   "sockets\nworkers = 2\n[stage one]\nfor = 100ms\n"
				   "connections = 1\n[stage talk]\nfor = 1s\ntraffic = echo\n"
				   "message-rate = 100/s\nchurn = 20/s\n";
	static const char *const none[] = {NULL};
	struct trial trial;

	(void)state;
	run_file(&trial, text, NULL, none);
	trial_assert_code(&trial, 0);
	assert_answered(&trial, 1);
	assert_true(of_stage(&trial, 1, "traffic.said") >= 80);
	assert_true(of_stage(&trial, 1, "churn.closed") >= 18);
	trial_end(&trial);
}

/* A server alone sees them go, and come back; --close says how. */
static void clients_alone(void **state)
{
	static const char *const args[] = {"--close", "fin", NULL};
	static const char *const listen[] = {"--listen", "127.0.0.1:28950", NULL};
	static const char text[] = "[scenario]\ncommand = connect\ntarget = 127.0.0.1:28950\n"
				   "connections = 500\nsource = 127.0.1.1\n"
				   "[stage fewer]\nfor = 200ms\nconnections = 100\n"
				   "[stage still]\nfor = 100ms\ntraffic = echo\nevery = 50ms\n";
	struct trial serve, trial;

	(void)state;
	apart_serve(&serve, NULL, listen);
	run_file(&trial, text, NULL, args);
	trial_assert_code(&trial, 0);
	assert_open(&trial, 0, "fewer", 500, 100);
	assert_open(&trial, 1, "still", 100, 100);
	assert_answered(&trial, 1);
	assert_int_equal(trial_number(&trial, "proved_ramp.echoed"), 500);
	assert_int_equal(trial_number(&trial, "proved.echoed"), 100);
	trial_end(&trial);
	apart_stop(&serve, SIGINT, 0);
	assert_int_equal(trial_number(&serve, "served.accepted"), 500);
	assert_int_equal(trial_number(&serve, "served.closed_by_peer"), 500);
	trial_end(&serve);
}

static void interrupted(void **state)
{
	static const char text[] = "[scenario]\ncommand = lab\nconnections = 500\n"
				   "[stage first]\nfor = 100ms\n[stage long]\nfor = 1h\n"
				   "[stage never]\nfor = 1s\n";
	static const char *const none[] = {NULL};
	struct file file = write_file(text);
	struct trial trial;

	(void)state;
	trial_start_scenario(&trial, file.path, NULL, none);
	trial_wait_text(&trial, "hold ", 30);
	apart_sleep(150);
	kill(trial.pid, SIGINT);
	trial_wait(&trial, 30);
	unlink(file.path);
	trial_assert_code(&trial, 130);
	assert_string_equal(trial_word(&trial, "verdict"), "partial");
	assert_open(&trial, 1, "long", 500, 500);
	assert_int_equal(of_stage(&trial, 2, "open_after"), -1);
	trial_assert_no_process_left(&trial);
	trial_end(&trial);
}

/* --- words that were given here hold ------------------------------------------------------------
 */

static void options_hold(void **state)
{
	static const char text[] = "[scenario]\ncommand = lab\nconnections = 200\nengine = epoll\n"
				   "[stage a]\nfor = 50ms\n";
	static const char *const args[] = {"-n", "300", "--quiet", NULL};
	struct trial trial;

	(void)state;
	run_file(&trial, text, NULL, args);
	trial_assert_code(&trial, 0);
	assert_int_equal(trial_number(&trial, "target"), 300);
	assert_string_equal(trial_word(&trial, "engine.server"), "epoll");
	assert_string_equal(trial.err, "");
	/* The record has what was typed. */
	assert_string_equal(
		json_string_value(json_array_get(json_object_get(trial.result, "command"), 1)),
		"run");
	trial_end(&trial);
}

static void check_mistake(const char *text, const char *const *args, const char *says)
{
	struct trial trial;

	run_file(&trial, text, NULL, args);
	trial_assert_code(&trial, 2);
	if (!strstr(trial.err, says) || apart_count(&trial, "\n") != 1)
		fail_msg("\"%s\", not \"%s\"", trial.err, says);
	trial_end(&trial);
}

static void mistakes(void **state)
{
	static const char good[] = "[scenario]\ncommand = lab\n[stage a]\nfor = 1s\n";
	static const char no_path[] = "[scenario]\ncommand = lab\npath = /x\n[stage a]\nfor = 1s\n";
	static const char no_target[] = "[scenario]\ncommand = connect\n[stage a]\nfor = 1s\n";
	static const char *const none[] = {NULL}, *const hold[] = {"--hold", "5s", NULL};
	static const char *const echo[] = {"--traffic", "echo", NULL};
	static const char *const find[] = {"--find-max", NULL};

	(void)state;
	check_mistake("[scenario]\ncommand = lab\n[stage a]\nfor = 1x\n", none,
	              ":4: for 1x: not a duration");
	check_mistake(good, hold, "stands in the scenario's stages");
	check_mistake(good, echo, "stands in the scenario's stages");
	check_mistake(good, find, "--find-max is of one hold");
	check_mistake(no_path, none, "[scenario]: path is of traffic http");
	check_mistake(no_target, none, "where to?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		APART_TEST(all_of_it),
		APART_TEST(all_of_it_by_epoll),
		APART_TEST(all_of_it_by_our_own_tcp),
		APART_TEST(fewer_while_they_talk),
		APART_TEST(one_has_the_whole_rate),
		APART_TEST(clients_alone),
		APART_TEST(interrupted),
		APART_TEST(options_hold),
		APART_TEST(mistakes),
	};

	if (!trial_program())
		return 77;
	return cmocka_run_group_tests_name("scenario", tests, apart_set_up, NULL);
}
