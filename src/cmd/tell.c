/* tell: where what to print. */
#include "cmd/tell.h"

#include "base/clock.h"
#include "base/text.h"
#include "out/json.h"
#include "out/summary.h"
#include "run/environment.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* Opened when the run first shows something: its processes are forked by then, and do not have the
 * socket. A port that was free before the run and is not any more does not end it. */
static void serve_http(struct tell *tell)
{
	struct err err = {""};
	char line[sizeof(err.text)];
	struct text t;

	if (!tell->http || tell->has_served)
		return;
	tell->has_served = true;
	tell->server = http_open(tell->http, &err);
	text_init(&t, line, sizeof(line));
	text_add(&t, tell->server ? "metrics and live page: %s" : "no metrics and live page: %s",
	         tell->server ? http_url(tell->server) : err.text);
	progress_say(&tell->progress, line);
}

static void on_live(void *context, const struct live *live)
{
	struct tell *tell = context;

	serve_http(tell);
	progress_draw(&tell->progress, live, clock_now_ns());
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

/* What could not be recorded: the run goes on. */
static void say_failed(struct tell *tell, int failed, const struct err *err)
{
	if (failed == 0)
		return;
	progress_end(&tell->progress);
	err_print(err);
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

static int open_record(struct tell *tell, int argc, char **argv)
{
	struct environment environment;
	struct err err = {""};

	environment_read(&environment);
	if (record_open(tell->out, argc + 1, argv - 1, &environment, &tell->record, &err) == 0)
		return EXIT_PASS;
	err_print(&err);
	return EXIT_REFUSED;
}

int tell_init(struct tell *tell, int argc, char **argv)
{
	struct err err = {""};
	int failed = tell->http ? http_check(tell->http, &err) : 0;

	if (failed != 0) {
		err_print(&err);
		return failed == -EINVAL ? EXIT_USAGE : EXIT_REFUSED;
	}
	progress_init(&tell->progress, tell->quiet);
	tell->view = (struct run_view){
		.context = tell,
		.say = on_say,
		.live = on_live,
		.walls = on_walls,
		.sample = on_sample,
		.ready = on_ready,
	};
	return tell->out ? open_record(tell, argc, argv) : EXIT_PASS;
}

/* Before anything is printed: who reads that may be gone. Returns the report's path, or NULL. */
static const char *write_record(struct tell *tell, const struct result *result)
{
	const char *report = NULL;
	struct err err;

	if (!tell->record || result->exit_code == EXIT_USAGE)
		return NULL;
	say_failed(tell, record_result(tell->record, result, &err), &err);
	say_failed(tell, record_report(tell->record, &report, &err), &err);
	return report;
}

/* Says where the report is, and ends the record. False where it is not whole. */
static bool end_record(struct tell *tell, const struct result *result, const char *report)
{
	struct record *record = tell->record;
	char line[PATH_MAX + 64];
	struct text t;

	if (!record)
		return true;
	tell->record = NULL;
	if (result->exit_code == EXIT_USAGE) {
		record_drop(record);
		return true;
	}
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
	bool is_written = end_record(tell, result, report);

	if (tell->json && result->exit_code != EXIT_USAGE &&
	    json_write(tell->json, result, argc + 1, argv - 1, &err) != 0) {
		err_print(&err);
		is_written = false;
	}
	if (!is_written && result->exit_code == EXIT_PASS)
		return EXIT_FAILED;
	return result->exit_code;
}
