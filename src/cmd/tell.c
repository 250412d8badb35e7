/* tell: where what to print. */
#include "cmd/tell.h"

#include "base/clock.h"
#include "out/json.h"
#include "out/summary.h"

#include <stdio.h>
#include <string.h>

static void on_live(void *context, const struct live *live)
{
	struct tell *tell = context;

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

	if (tell->ready)
		tell->ready(tell->context);
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

void tell_init(struct tell *tell)
{
	progress_init(&tell->progress, tell->quiet);
	tell->view = (struct run_view){
		.context = tell,
		.say = on_say,
		.live = on_live,
		.ready = on_ready,
	};
}

int tell_result(struct tell *tell, const struct result *result, int argc, char **argv)
{
	struct err err = {""};
	bool has_begun = result->established.client != RESULT_UNKNOWN ||
	                 result->established.server != RESULT_UNKNOWN;

	progress_end(&tell->progress);
	if (result->verdict == VERDICT_REFUSED || !has_begun) {
		err_set(&err, 0, "%s", result->reason);
		err_print(&err);
	} else if (!tell->quiet) {
		summary_print(tell->json && strcmp(tell->json, "-") == 0 ? stderr : stdout, result);
	}
	if (tell->json && result->exit_code != EXIT_USAGE &&
	    json_write(tell->json, result, argc + 1, argv - 1, &err) != 0) {
		err_print(&err);
		return result->exit_code == EXIT_PASS ? EXIT_FAILED : result->exit_code;
	}
	return result->exit_code;
}
