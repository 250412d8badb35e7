/* tell: what the commands that run something have in common: the live line and the record while it
 * lasts, the summary and the JSON when it has ended. */
#pragma once

#include "base/err.h"
#include "base/result.h"
#include "out/http.h"
#include "out/progress.h"
#include "out/record.h"
#include "run/supervisor.h"

#include <signal.h>
#include <stdbool.h>

struct tell {
	const char *json;       /* NULL: none; "-": stdout, and the summary goes to stderr */
	const char *http;       /* ADDR:PORT of metrics and live page; NULL: none          */
	const char *token_file; /* of who asks there; NULL: none is given            */
	const char *out;        /* NULL, or the directory of the record */
	bool quiet;
	bool clients_know;            /* whom to ask, and with which token: it need not be said */
	void (*ready)(void *context); /* NULL, or called once: see run_view */
	void *context;
	struct progress progress;
	struct http_token token;      /* of `http`: who may ask                           */
	const struct api_source *api; /* of a server: for other hosts' runs; NULL: none */
	struct http *server;          /* of `http`, while the run lasts */
	bool has_served;              /* or tried to                    */
	struct record *record;        /* in `out`, likewise             */
	sigset_t before;              /* signals blocked before that    */
	struct run_view view;         /* for the run; valid while the structure stays where it is */
};

/* Where nothing is run: prints the error of a command line that failed (!= 0), else the help.
 * Returns the exit code. */
int tell_usage(int failed, const struct err *err, void (*print_help)(void));

/* Sets progress and view from what stands before them, and opens the record: of a command with
 * these arguments (argv[-1] is the program); SIGINT, SIGTERM and SIGHUP then are blocked until it
 * has its result: they are the run's. EXIT_PASS; or, where nothing can run like that, the
 * exit code, and the reason is printed. */
int tell_init(struct tell *tell, int argc, char **argv);

/* Takes the live line away, ends what was served and recorded, prints the summary or the one line
 * of a refusal, writes the JSON with the same arguments. Returns the exit code. */
int tell_result(struct tell *tell, const struct result *result, int argc, char **argv);
