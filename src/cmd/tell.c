/* tell: where what to print. */
#include "cmd/tell.h"

#include "base/clock.h"
#include "base/text.h"
#include "out/json.h"
#include "out/summary.h"
#include "run/environment.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* What could not be recorded or served, also where all else is quiet: the run goes on. */
static void say_failed(struct tell *tell, int failed, const struct err *err)
{
	if (failed == 0)
		return;
	progress_end(&tell->progress);
	err_print(err);
}

/* Opened when the run first shows something: its processes are forked by then, and do not have the
 * socket. A port that was free before the run and is not any more does not end it. */
static void serve_http(struct tell *tell)
{
	struct err why = {""}, err = {""};
	char line[sizeof(err.text)];
	struct text t;

	if (!tell->http || tell->has_served)
		return;
	tell->has_served = true;
	const struct http_gate gate = {.token = &tell->token, .api = tell->api};

	tell->server = http_open(tell->http, &gate, &why);
	if (!tell->server) {
		say_failed(tell, err_set(&err, -1, "no metrics and live page: %s", why.text), &err);
		return;
	}
	text_init(&t, line, sizeof(line));
	text_add(&t, "metrics and live page: ");
	http_token_page(&tell->token, http_url(tell->server), &t);
	progress_say(&tell->progress, line);
	if (tell->quiet && tell->token.is_made) /* or nobody would ever know it */
		fprintf(stderr, "megaconn: %s\n", line);
	if (!tell->api || tell->clients_know || tell->token.text[0] == '\0')
		return;
	text_init(&t, line, sizeof(line));
	http_token_tell(&tell->token, tell->token_file, http_url(tell->server), &t);
	progress_say(&tell->progress, line);
}

/* It comes before HTTP is served, and goes while that is. */
static void on_api(void *context, const struct api_source *source)
{
	struct tell *tell = context;

	tell->api = source;
	if (!source && tell->server)
		http_leave_api(tell->server);
}

static void on_live(void *context, const struct live *live)
{
	struct tell *tell = context;

	serve_http(tell);
	progress_draw(&tell->progress, live, clock_now_ns());
}

static void on_status(void *context, const char *line)
{
	struct tell *tell = context;

	progress_status(&tell->progress, line);
}

static void on_say(void *context, const char *line)
{
	struct tell *tell = context;

	progress_say(&tell->progress, line);
}

static void on_ready(void *context)
{
	struct tell *tell = context;

	serve_http(tell);
	if (tell->ready)
		tell->ready(tell->context);
}

static void on_walls(void *context, const struct wall_report *walls)
{
	struct tell *tell = context;
	struct err err;

	if (tell->record)
		say_failed(tell, record_walls(tell->record, walls, &err), &err);
}

static void on_sample(void *context, const struct sample *sample)
{
	struct tell *tell = context;
	struct err err;

	serve_http(tell);
	if (tell->server)
		http_publish(tell->server, sample);
	if (tell->record)
		say_failed(tell, record_sample(tell->record, sample, &err), &err);
}

int tell_usage(int failed, const struct err *err, void (*print_help)(void))
{
	if (failed != 0) {
		err_print(err);
		return EXIT_USAGE;
	}
	print_help();
	return EXIT_PASS;
}

static void interrupts(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGHUP);
}

/* From when there is a record until it has its result an interrupt waits for the run's supervisor:
 * else it would leave a record of nothing, which the next run would be refused for. */
static void hold_interrupts(struct tell *tell)
{
	sigset_t set;

	interrupts(&set);
	sigprocmask(SIG_BLOCK, &set, &tell->before);
}

/* Those that came after the run had ended have nothing to end. */
static void release_interrupts(const struct tell *tell)
{
	const struct timespec at_once = {0};
	sigset_t set;

	interrupts(&set);
	while (sigtimedwait(&set, NULL, &at_once) > 0)
		;
	sigprocmask(SIG_SETMASK, &tell->before, NULL);
}

static int open_record(struct tell *tell, int argc, char **argv)
{
	struct environment environment;
	struct err err = {""};

	environment_read(&environment);
	hold_interrupts(tell);
	if (record_open(tell->out, argc + 1, argv - 1, &environment, &tell->record, &err) == 0)
		return EXIT_PASS;
	release_interrupts(tell);
	err_print(&err);
	return EXIT_REFUSED;
}

int tell_init(struct tell *tell, int argc, char **argv)
{
	struct err err = {""};
	int failed = tell->http ? http_check(tell->http, &err) : 0;

	if (failed == 0 && tell->http)
		failed = http_token_choose(tell->http, tell->token_file, &tell->token, &err);
	else if (failed == 0 && tell->token_file)
		failed = err_set(&err, -EINVAL, "--http-token-file is of --http");

	if (failed != 0) {
		err_print(&err);
		return failed == -EINVAL ? EXIT_USAGE : EXIT_REFUSED;
	}
	progress_init(&tell->progress, tell->quiet);
	tell->view = (struct run_view){
		.context = tell,
		.say = on_say,
		.live = on_live,
		.status = on_status,
		.walls = on_walls,
		.sample = on_sample,
		.ready = on_ready,
		.api = on_api,
	};
	return tell->out ? open_record(tell, argc, argv) : EXIT_PASS;
}

/* Before anything is printed: who reads that may be gone. Of a command that was called wrongly
 * there is no record. Returns the report's path, or NULL. */
static const char *write_record(struct tell *tell, const struct result *result)
{
	const char *report = NULL;
	struct err err;

	if (!tell->record)
		return NULL;
	if (result->exit_code == EXIT_USAGE) {
		record_drop(tell->record);
		tell->record = NULL;
	} else {
		say_failed(tell, record_result(tell->record, result, &err), &err);
		say_failed(tell, record_report(tell->record, &report, &err), &err);
	}
	release_interrupts(tell);
	return report;
}

/* Says where the report is, and ends the record. False where it is not whole. */
static bool end_record(struct tell *tell, const char *report)
{
	struct record *record = tell->record;
	char line[PATH_MAX + 64];
	struct text t;

	if (!record)
		return true;
	tell->record = NULL;
	if (report) {
		text_init(&t, line, sizeof(line));
		text_add(&t, "report: %s", report);
		progress_say(&tell->progress, line);
	}
	return record_close(record);
}

/* Readers of events are told how it has ended. */
static void end_http(struct tell *tell, const struct result *result)
{
	if (tell->server)
		http_result(tell->server, result);
	http_close(tell->server);
	tell->server = NULL;
}

int tell_result(struct tell *tell, const struct result *result, int argc, char **argv)
{
	struct err err = {""};
	bool has_begun = result->established.client != RESULT_UNKNOWN ||
	                 result->established.server != RESULT_UNKNOWN;
	const char *report = write_record(tell, result);

	end_http(tell, result);
	progress_end(&tell->progress);
	if (result->verdict == VERDICT_REFUSED || !has_begun) {
		err_set(&err, 0, "%s", result->reason);
		err_print(&err);
	} else if (!tell->quiet) {
		summary_print(tell->json && strcmp(tell->json, "-") == 0 ? stderr : stdout, result);
	}
	bool is_written = end_record(tell, report);

	if (tell->json && result->exit_code != EXIT_USAGE &&
	    json_write(tell->json, result, argc + 1, argv - 1, &err) != 0) {
		err_print(&err);
		is_written = false;
	}
	if (!is_written && result->exit_code == EXIT_PASS)
		return EXIT_FAILED;
	return result->exit_code;
}
