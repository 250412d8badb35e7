/* classic: parses the verb, reads megaconn.conf, starts and ends server and client in the
 * background.
 *
 * The pidfile is claimed before the fork, so that a second start is refused before it touches the
 * first one's log, and handed to the child. Should the start be stopped meanwhile, the pidfile
 * names the caller, which passes the signal on to the child and waits for its end. */
#include "cmd/classic.h"

#include "base/clock.h"
#include "base/opt.h"
#include "base/result.h"
#include "base/text.h"
#include "cmd/classic_check.h"
#include "cmd/classic_conf.h"
#include "cmd/classic_files.h"
#include "cmd/classic_next.h"
#include "cmd/classic_say.h"
#include "cmd/tell.h"
#include "cmd/verb.h"
#include "kernel/background.h"
#include "kernel/pidfile.h"
#include "plan/ip.h"
#include "run/connect.h"
#include "run/serve.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TIMEOUT_NS   (5 * NS_PER_S)
#define RETRIES      3
#define SERVED_LEAST 1000000 /* where so many fit */

struct command {
	const char *config, *out;
	bool help;
	int argc; /* as it was called */
	char **argv;
};

/* What the child is given. */
struct start {
	const struct side *side;
	const struct classic_conf *conf;
	const struct classic_files *files;
	struct pidfile_process caller;
	const char *config, *out;
	int argc;
	char **argv;
};

/* The server or the client: what differs between their verbs. */
struct side {
	enum classic_side of;
	const char *run, *ending;
	int (*inside)(const struct start *start, int ready_fd);
	int (*check)(const struct classic_conf *conf, struct err *err);
	void (*say_ready)(const struct classic_conf *conf, const struct classic_files *files,
	                  pid_t pid);
	enum classic_step ready, ended; /* _COUNT: what follows is said otherwise */
};

static const struct opt options[] = {
	{"config", 'c', OPT_TEXT, offsetof(struct command, config), 0, 0, NULL, "FILE",
         "what to run (default megaconn.conf)"},
	{"out", 0, OPT_TEXT, offsetof(struct command, out), 0, 0, NULL, "DIR",
         "run-srv, run-cli: a record of the run there (docs/record.md)"},
	{"help", 'h', OPT_FLAG, offsetof(struct command, help), 0, 0, NULL, NULL, "this text"},
};
#define OPTION_COUNT (sizeof(options) / sizeof(options[0]))

/* A million connections take some seconds to be proved again, and some to close in order; longer
 * after a kill. */
static const struct pidfile_patience patience = {.term_ns = 300 * NS_PER_S,
                                                 .kill_ns = 60 * NS_PER_S};

/* ---- inside the background ------------------------------------------------------------------ */

static int fail(const struct err *err)
{
	err_print(err);
	return EXIT_FAILED;
}

static void on_ready(void *context)
{
	const int *ready_fd = context;

	/* A caller that is gone is as good as an interrupt. */
	if (background_ready(*ready_fd) != 0)
		raise(SIGTERM);
}

static enum engine_kind engine_of(const struct classic_conf *conf)
{
	static const enum engine_kind kinds[] = {
		[CLASSIC_AUTO] = ENGINE_AUTO,
		[CLASSIC_URING] = ENGINE_URING,
		[CLASSIC_EPOLL] = ENGINE_EPOLL,
	};

	return kinds[conf->engine];
}

static uint16_t last_port(const struct classic_conf *conf)
{
	return (uint16_t)(conf->server_ports.low + classic_conf_server_ports(conf) - 1);
}

/* The summary into the log, the result beside it, the record where it was asked for. */
static struct tell tell_of(const struct start *start, int *ready_fd)
{
	return (struct tell){.json = start->files->json,
	                     .out = start->out,
	                     .clients_know = true, /* by their megaconn.conf */
	                     .ready = on_ready,
	                     .context = ready_fd};
}

static int serve_in_background(const struct start *start, int ready_fd)
{
	static struct result result;
	const struct classic_conf *conf = start->conf;
	struct tell tell = tell_of(start, &ready_fd);
	char http[CLASSIC_TARGET_BYTES];

	if (conf->token[0] != '\0')
		(void)setenv(HTTP_TOKEN_ENV, conf->token, 1);
	tell.http = conf->http > 0 ? classic_conf_http(conf, http) : NULL;
	const struct serve_options serve = {
		.listens = {{.address = conf->server,
	                     .port_low = conf->server_ports.low,
	                     .port_high = last_port(conf)}},
		.listen_count = 1,
		/* Also a client whose file asks for more than this one finds room. */
		.n = conf->n > SERVED_LEAST ? conf->n : SERVED_LEAST,
		.engine = engine_of(conf),
		.close = ENGINE_CLOSE_RESET, /* so that a next run meets no TIME_WAIT */
		.has_api = conf->http > 0,
	};

	int refused = tell_init(&tell, start->argc, start->argv);

	if (refused != EXIT_PASS)
		return refused;
	serve_run(&serve, &tell.view, &result);
	return tell_result(&tell, &result, start->argc, start->argv);
}

/* Where the server tells its counts. */
static void ask_server(const struct classic_conf *conf, struct envoy_options *out)
{
	char http[CLASSIC_TARGET_BYTES];

	if (conf->http == 0)
		return;
	snprintf(out->base, sizeof(out->base), "http://%s", classic_conf_http(conf, http));
	snprintf(out->token.text, sizeof(out->token.text), "%s", conf->token);
}

static int connect_in_background(const struct start *start, int ready_fd)
{
	static struct result result;
	const struct classic_conf *conf = start->conf;
	char target[CLASSIC_TARGET_BYTES], first[IP_TEXT_BYTES];
	struct tell tell = tell_of(start, &ready_fd);
	struct connect_options connect = {
		.target = classic_conf_target(conf, target),
		.source = classic_conf_source(conf, first),
		.n = conf->n,
		.engine = engine_of(conf),
		.port_low = conf->client_ports.low,
		.port_high = conf->client_ports.high,
		.rate_per_s = conf->rate_per_s,
		.hold_ns = conf->hold_ns,
		.timeout_ns = TIMEOUT_NS,
		.retries = RETRIES,
		.close = ENGINE_CLOSE_RESET,
		.interrupt_ends_hold = true, /* make stop-cli is how the experiment ends */
	};

	ask_server(conf, &connect.server);
	int refused = tell_init(&tell, start->argc, start->argv);

	if (refused != EXIT_PASS)
		return refused;
	connect_run(&connect, &tell.view, &result);
	return tell_result(&tell, &result, start->argc, start->argv);
}

/* ---- the sides ------------------------------------------------------------------------------ */

static void say_server(const struct classic_conf *conf, const struct classic_files *files,
                       pid_t pid)
{
	(void)files;
	uint32_t ports = classic_conf_server_ports(conf);

	printf("server: listens on %s, port%s %u", conf->server_ip, ports > 1 ? "s" : "",
	       conf->server_ports.low);
	if (ports > 1)
		printf("-%u", last_port(conf));
	printf(" (pid %d)\n", pid);
}

/* "at 17:05:12", the end of the hold. */
static const char *clock_text(char out[16], uint64_t from_now_ns)
{
	time_t when = time(NULL) + (time_t)(from_now_ns / NS_PER_S);
	struct tm parts;

	if (!localtime_r(&when, &parts) || strftime(out, 16, "%H:%M:%S", &parts) == 0)
		out[0] = '\0';
	return out;
}

static void say_client(const struct classic_conf *conf, const struct classic_files *files,
                       pid_t pid)
{
	char buffer[64], at[16], held[128];
	struct text text;

	text_init(&text, buffer, sizeof(buffer));
	text_duration(&text, conf->hold_ns);
	if (classic_files_said(files->log, "holding ", held, sizeof(held)) &&
	    classic_files_is_part(held))
		printf("client: NOT ALL could be had: %s (see the log)\n", held);
	printf("client: holds its connections for %s, until about %s, then proves them again and "
	       "ends by itself (pid %d)\n",
	       buffer, clock_text(at, conf->hold_ns), pid);
}

static const struct side server = {
	.of = CLASSIC_SIDE_SERVER,
	.run = "run-srv",
	.inside = serve_in_background,
	.check = classic_check_server,
	.say_ready = say_server,
	.ending = "",
	.ready = CLASSIC_SERVING,
	.ended = CLASSIC_ENDED_SERVER,
};
static const struct side client = {
	.of = CLASSIC_SIDE_CLIENT,
	.run = "run-cli",
	.inside = connect_in_background,
	.check = classic_check_client,
	.say_ready = say_client,
	.ending = ": what it holds is proved again, then closed",
	.ready = CLASSIC_STEP_COUNT,
	.ended = CLASSIC_ENDED_CLIENT,
};

/* ---- run ------------------------------------------------------------------------------------ */

static int inside(void *context, int ready_fd)
{
	const struct start *start = context;
	struct pidfile_process self;
	struct err err;

	if (pidfile_pass(&start->files->pidfile, &start->caller, &self, &err) < 0)
		return fail(&err);
	int code = start->side->inside(start, ready_fd);

	pidfile_release(&start->files->pidfile, &self);
	return code;
}

static void say_ready(const struct start *start, pid_t pid)
{
	const struct side *side = start->side;

	side->say_ready(start->conf, start->files, pid);
	printf("log: %s\nwatch: make watch%s\n", start->files->log,
	       ip_is_loopback(&start->conf->server) ? "" : ", on both hosts");
	if (side->ready == CLASSIC_STEP_COUNT)
		printf("next: make stop-cli, when you have seen enough, or when it has ended: what "
		       "came of it\n");
	else
		classic_next(side->ready, start->config);
}

/* Of a child that ended before it was ready. */
static int not_ready(const struct side *side, const struct classic_files *files, int code)
{
	const char *what = classic_side_name(side->of);
	struct err err;

	if (code == 128 + SIGINT || code == 128 + SIGTERM)
		err_set(&err, 0, "the %s was stopped before it was ready (log: %s)", what,
		        files->log);
	else
		err_set(&err, 0, "the %s did not start (log: %s)", what, files->log);
	err_print(&err);
	return code;
}

static int launch(struct start *start, struct err *err)
{
	const struct classic_files *files = start->files;
	const struct background background = {
		.inside = inside, .context = start, .log_path = files->log};
	int rc = pidfile_claim(&files->pidfile, &start->caller, err);
	pid_t pid = 0;

	if (rc < 0) {
		err_print(err);
		return rc == -EEXIST ? EXIT_REFUSED : EXIT_FAILED;
	}
	(void)unlink(files->json); /* of the run before */
	rc = background_start(&background, &pid, err);
	if (pid > 0) {
		say_ready(start, pid);
		return EXIT_PASS;
	}
	pidfile_release(&files->pidfile, &start->caller); /* of a child that could not take it */
	if (rc < 0)
		return fail(err);
	return rc > 0 ? not_ready(start->side, files, rc) : rc;
}

static int run(const struct side *side, const struct command *c)
{
	static struct classic_conf conf;
	struct classic_files files;
	struct pidfile_process who;
	struct start start = {.side = side,
	                      .conf = &conf,
	                      .files = &files,
	                      .config = c->config,
	                      .out = c->out,
	                      .argc = c->argc,
	                      .argv = c->argv};
	struct err err;

	if (classic_conf_read(c->config, &conf, &err) < 0) {
		err_print(&err);
		return EXIT_USAGE;
	}
	if (classic_files_find(side->of, &files, &err) < 0)
		return fail(&err);
	/* One that runs already has its own line, of the pidfile. */
	if (pidfile_check(&files.pidfile, &who, &err) != PIDFILE_LIVE &&
	    side->check(&conf, &err) < 0) {
		err_print(&err);
		return EXIT_REFUSED;
	}
	return launch(&start, &err);
}

/* ---- stop, status --------------------------------------------------------------------------- */

static void say_stopped(const struct side *side, const struct classic_files *files, int end,
                        const struct pidfile_process *who)
{
	const char *what = classic_side_name(side->of);

	if (end == PIDFILE_ENDED)
		printf("%s: ended (pid %d)\n", what, who->pid);
	else if (end == PIDFILE_KILLED)
		printf("%s: did not end within %d s and was killed (pid %d)\n", what,
		       (int)(patience.term_ns / NS_PER_S), who->pid);
	else if (who->pid > 0)
		printf("%s: had ended already (was pid %d)\n", what, who->pid);
	else if (access(files->json, F_OK) == 0)
		printf("%s: has ended before; its last run came to\n", what);
	else
		printf("%s: none runs that %s started (no %s)\n", what, side->run,
		       files->pidfile.path);
}

static int stop(const struct side *side, const struct command *c)
{
	struct pidfile_process who = {0};
	struct classic_files files;
	struct err err;

	if (classic_files_find(side->of, &files, &err) < 0)
		return fail(&err);
	/* A million take their time. */
	if (pidfile_check(&files.pidfile, &who, NULL) == PIDFILE_LIVE)
		printf("%s: is told to end%s\n", classic_side_name(side->of), side->ending);
	fflush(stdout);
	int end = pidfile_stop(&files.pidfile, &patience, &who, &err);

	if (end < 0)
		return fail(&err);
	say_stopped(side, &files, end, &who);
	(void)classic_say_result(side->of, &files);
	classic_next(side->ended, c->config);
	return EXIT_PASS;
}

static int status(const struct side *side, const struct command *c)
{
	const char *what = classic_side_name(side->of);
	struct pidfile_process who = {0};
	struct classic_files files;
	struct err err;

	(void)c;
	if (classic_files_find(side->of, &files, &err) < 0)
		return fail(&err);
	int state = pidfile_check(&files.pidfile, &who, &err);

	if (state < 0)
		return fail(&err);
	if (state == PIDFILE_LIVE)
		printf("%s: runs (pid %d, log: %s)\n", what, who.pid, files.log);
	else if (state == PIDFILE_STALE)
		printf("%s: ended without a word (was pid %d, log: %s)\n", what, who.pid,
		       files.log);
	else
		printf("%s: does not run\n", what);
	return EXIT_PASS;
}

/* ---- the command ---------------------------------------------------------------------------- */

static const struct verb {
	const char *name;
	int (*act)(const struct side *side, const struct command *c);
	const struct side *sides[2];
	const char *help;
} verbs[] = {
	{"run-srv", run, {&server}, "starts the server; returns when every port listens"},
	{"run-cli", run, {&client}, "starts the client; returns when all is connected and proved"},
	{"stop-cli", stop, {&client}, "ends what run-cli started, and waits until it is gone"},
	{"stop-srv", stop, {&server}, "ends what run-srv started, and waits until it is gone"},
	{"status", status, {&server, &client}, "says which of them run"},
};
#define VERB_COUNT (sizeof(verbs) / sizeof(verbs[0]))

static void print_help(void)
{
	printf("usage: megaconn classic VERB [--config FILE]\n\n"
	       "The classic experiment, as megaconn.conf has it, on one host or two: a server and\n"
	       "a client in the background. Each verb says the next step (docs/tutorial.md).\n\n");
	for (size_t i = 0; i < VERB_COUNT; i++)
		printf("  %-10s %s\n", verbs[i].name, verbs[i].help);
	printf("\n");
	opt_print_help(options, OPTION_COUNT);
	printf("\nPidfiles, logs and results are in $MEGACONN_RUN_DIR, else\n"
	       "$XDG_RUNTIME_DIR/megaconn, else /tmp/megaconn-UID.\n\n"
	       "exit codes: 0 done, 1 failed, 2 usage or a mistake in FILE, 4 it already runs,\n"
	       "or something comes first (make ifup, make run-srv), 130 interrupted\n");
}

static int find_verb(int argc, char **argv, struct command *c, const struct verb **verb,
                     struct err *err)
{
	const struct verb_table table = {.command = "classic",
	                                 .ask = "which verb?",
	                                 .rows = verbs,
	                                 .row_bytes = sizeof(verbs[0]),
	                                 .row_count = VERB_COUNT,
	                                 .is_alone = true};
	int at;
	int failed = opt_parse(options, OPTION_COUNT, "classic", argc, argv, c, &at, err);

	if (failed < 0 || c->help)
		return failed;
	*verb = verb_find(&table, argc, argv, at, err);
	return *verb ? 0 : -EINVAL;
}

int cmd_classic(int argc, char **argv)
{
	struct command c = {.config = "megaconn.conf", .argc = argc, .argv = argv};
	const struct verb *verb = NULL;
	struct err err = {""};
	int code = EXIT_PASS;

	if (find_verb(argc, argv, &c, &verb, &err) < 0) {
		err_print(&err);
		return EXIT_USAGE;
	}
	if (c.help || !verb) {
		print_help();
		return EXIT_PASS;
	}
	for (size_t i = 0; i < 2 && verb->sides[i]; i++) {
		int one = verb->act(verb->sides[i], &c);

		code = code == EXIT_PASS ? one : code;
	}
	return code;
}
