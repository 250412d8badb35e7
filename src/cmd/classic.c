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
#include "cmd/classic_conf.h"
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
#include <string.h>

#define LOG_BYTES  PIDFILE_PATH_BYTES
#define TIMEOUT_NS (5 * NS_PER_S)
#define RETRIES    3

struct command {
	const char *config;
	bool help;
};

/* The server or the client: what differs between their verbs. */
struct side {
	const char *file; /* of pidfile and log, without its end */
	const char *what, *run, *stop;
	int (*inside)(const struct classic_conf *conf, int ready_fd);
	void (*say_ready)(const struct classic_conf *conf, pid_t pid, const char *log);
};

static const struct opt options[] = {
	{"config", 'c', OPT_TEXT, offsetof(struct command, config), 0, 0, NULL, "FILE",
         "what to run (default megaconn.conf)"},
	{"help", 'h', OPT_FLAG, offsetof(struct command, help), 0, 0, NULL, NULL, "this text"},
};
#define OPTION_COUNT (sizeof(options) / sizeof(options[0]))

/* A million connections take some seconds to close in order, and longer after a kill. */
static const struct pidfile_patience patience = {.term_ns = 30 * NS_PER_S,
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

static int serve_in_background(const struct classic_conf *conf, int ready_fd)
{
	static struct result result;
	struct tell tell = {.ready = on_ready, .context = &ready_fd};
	const struct serve_options serve = {
		.listens = {{.address = conf->server,
	                     .port_low = conf->server_ports.low,
	                     .port_high = last_port(conf)}},
		.listen_count = 1,
		.n = conf->n,
		.engine = engine_of(conf),
		.close = ENGINE_CLOSE_RESET, /* so that a next run meets no TIME_WAIT */
	};

	(void)tell_init(&tell, 0, NULL);
	serve_run(&serve, &tell.view, &result);
	return tell_result(&tell, &result, 0, NULL);
}

static int connect_in_background(const struct classic_conf *conf, int ready_fd)
{
	static struct result result;
	char target[CLASSIC_TARGET_BYTES], first[IP_TEXT_BYTES];
	struct tell tell = {.ready = on_ready, .context = &ready_fd};

	const struct connect_options connect = {
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
	};

	(void)tell_init(&tell, 0, NULL);
	connect_run(&connect, &tell.view, &result);
	return tell_result(&tell, &result, 0, NULL);
}

/* ---- the sides ------------------------------------------------------------------------------ */

static void say_server(const struct classic_conf *conf, pid_t pid, const char *log)
{
	uint32_t ports = classic_conf_server_ports(conf);

	printf("server: listens on %s, port%s %u", conf->server_ip, ports > 1 ? "s" : "",
	       conf->server_ports.low);
	if (ports > 1)
		printf("-%u", conf->server_ports.high);
	printf(" (pid %d)\nlog: %s\nnext: make run-cli; make stop-srv ends it\n", pid, log);
}

static void say_client(const struct classic_conf *conf, pid_t pid, const char *log)
{
	char buffer[64];
	struct text text;

	text_init(&text, buffer, sizeof(buffer));
	text_duration(&text, conf->hold_ns);
	printf("client: connected, holds for %s (pid %d)\nlog: %s\n"
	       "next: make stop-cli ends it before that\n",
	       buffer, pid, log);
}

static const struct side server = {
	.file = "srv",
	.what = "server",
	.run = "run-srv",
	.stop = "make stop-srv",
	.inside = serve_in_background,
	.say_ready = say_server,
};
static const struct side client = {
	.file = "cli",
	.what = "client",
	.run = "run-cli",
	.stop = "make stop-cli",
	.inside = connect_in_background,
	.say_ready = say_client,
};

static int find_files(const struct side *side, struct pidfile *file, char log[LOG_BYTES],
                      struct err *err)
{
	char dir[PIDFILE_DIR_BYTES];
	int failed = pidfile_dir(dir, err);

	if (failed < 0)
		return failed;
	*file = (struct pidfile){.what = side->what, .stop = side->stop};
	snprintf(file->path, sizeof(file->path), "%s/%s.pid", dir, side->file);
	snprintf(log, LOG_BYTES, "%s/%s.log", dir, side->file);
	return 0;
}

/* ---- run ------------------------------------------------------------------------------------ */

/* What the child is given. */
struct start {
	const struct side *side;
	const struct classic_conf *conf;
	const struct pidfile *file;
	struct pidfile_process caller;
};

static int inside(void *context, int ready_fd)
{
	const struct start *start = context;
	struct pidfile_process self;
	struct err err;

	if (pidfile_pass(start->file, &start->caller, &self, &err) < 0)
		return fail(&err);
	int code = start->side->inside(start->conf, ready_fd);

	pidfile_release(start->file, &self);
	return code;
}

static int run(const struct side *side, const struct command *c)
{
	struct classic_conf conf;
	struct pidfile file;
	struct start start = {.side = side, .conf = &conf, .file = &file};
	char log[LOG_BYTES];
	struct err err;
	pid_t pid = 0;

	if (classic_conf_read(c->config, &conf, &err) < 0) {
		err_print(&err);
		return EXIT_USAGE;
	}
	if (find_files(side, &file, log, &err) < 0)
		return fail(&err);
	int rc = pidfile_claim(&file, &start.caller, &err);

	if (rc < 0) {
		err_print(&err);
		return rc == -EEXIST ? EXIT_REFUSED : EXIT_FAILED;
	}
	const struct background background = {.inside = inside, .context = &start, .log_path = log};

	rc = background_start(&background, &pid, &err);
	if (pid > 0) {
		side->say_ready(&conf, pid, log);
		return EXIT_PASS;
	}
	pidfile_release(&file, &start.caller); /* of a child that could not take it */
	if (rc < 0)
		return fail(&err);
	if (rc > 0) {
		err_set(&err, 0, "the %s did not start (log: %s)", side->what, log);
		err_print(&err);
	}
	return rc;
}

/* ---- stop, status --------------------------------------------------------------------------- */

static int stop(const struct side *side, const struct command *c)
{
	struct pidfile_process who = {0};
	struct pidfile file;
	char log[LOG_BYTES];
	struct err err;

	(void)c; /* whatever the file says by now: what was started is ended */
	if (find_files(side, &file, log, &err) < 0)
		return fail(&err);
	int end = pidfile_stop(&file, &patience, &who, &err);

	if (end < 0)
		return fail(&err);
	if (end == PIDFILE_ENDED)
		printf("%s: ended (pid %d)\n", side->what, who.pid);
	else if (end == PIDFILE_KILLED)
		printf("%s: did not end within 30 s and was killed (pid %d)\n", side->what,
		       who.pid);
	else if (who.pid > 0)
		printf("%s: had ended already (was pid %d)\n", side->what, who.pid);
	else
		printf("%s: none runs that %s started (no %s)\n", side->what, side->run, file.path);
	return EXIT_PASS;
}

static int status(const struct side *side, const struct command *c)
{
	struct pidfile_process who = {0};
	struct pidfile file;
	char log[LOG_BYTES];
	struct err err;

	(void)c;
	if (find_files(side, &file, log, &err) < 0)
		return fail(&err);
	int state = pidfile_check(&file, &who, &err);

	if (state < 0)
		return fail(&err);
	if (state == PIDFILE_LIVE)
		printf("%s: runs (pid %d, log: %s)\n", side->what, who.pid, log);
	else if (state == PIDFILE_STALE)
		printf("%s: ended without a word (was pid %d, log: %s)\n", side->what, who.pid,
		       log);
	else
		printf("%s: does not run\n", side->what);
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
	       "The classic experiment, as megaconn.conf has it: a server and a client in the\n"
	       "background.\n\n");
	for (size_t i = 0; i < VERB_COUNT; i++)
		printf("  %-10s %s\n", verbs[i].name, verbs[i].help);
	printf("\n");
	opt_print_help(options, OPTION_COUNT);
	printf("\nPidfiles and logs are in $MEGACONN_RUN_DIR, else $XDG_RUNTIME_DIR/megaconn,\n"
	       "else /tmp/megaconn-UID.\n\n"
	       "exit codes: 0 done, 1 failed, 2 usage or a mistake in FILE, 4 it already runs,\n"
	       "130 interrupted\n");
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
	struct command c = {.config = "megaconn.conf"};
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
