/* watch: parses the options of `megaconn watch` and starts the monitor. */
#include "cmd/watch.h"

#include "base/opt.h"
#include "base/result.h"
#include "base/text.h"
#include "cmd/choices.h"
#include "cmd/tell.h"
#include "out/http.h"
#include "run/watch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct command {
	struct watch_options watch;
	int sort;
	const char *token_file;
	bool help;
};

#define AT(field) offsetof(struct command, field)
static const struct opt options[] = {
	{"interval", 'i', OPT_DURATION, AT(watch.interval_ns), WATCH_INTERVAL_LEAST_NS,
         WATCH_INTERVAL_MOST_NS, NULL, "T", "between samples (default 1s)"},
	{"count", 'c', OPT_COUNT, AT(watch.count), 1, 0, NULL, "N", "end after N samples"},
	{"netns", 0, OPT_TEXT, AT(watch.netns), 0, 0, NULL, "NAME",
         "a network namespace: a name of ip-netns(8), a process id, or a path"},
	{"sort", 's', OPT_CHOICE, AT(sort), 0, 0, screen_sorts, "KEY",
         "slab caches by bytes, objects, growth or name"},
	{"ports", 'p', OPT_FLAG, AT(watch.has_ports), 0, 0, NULL, NULL,
         "sockets by port and state: every 5 s, for 0.2 s at most"},
	{"plain", 0, OPT_FLAG, AT(watch.is_plain), 0, 0, NULL, NULL,
         "lines, as where there is no terminal"},
	{"http", 0, OPT_TEXT, AT(watch.http), 0, 0, NULL, "ADDR:PORT",
         "live page and Prometheus metrics: 127.0.0.1:9464"},
	{"http-token-file", 0, OPT_TEXT, AT(token_file), 0, 0, NULL, "FILE",
         "token of who asks --http; else $MEGACONN_TOKEN, or made"},
	CHOICES_ROW_HELP,
};
#define OPTION_COUNT (sizeof(options) / sizeof(options[0]))

static void print_help(void)
{
	printf("usage: megaconn watch [options]\n\n"
	       "Shows the TCP of this host, whatever its servers are: sockets, connects and\n"
	       "accepts, drops, retransmits, memory a connection, slab caches, memory left and\n"
	       "when it is gone, limits that are near, CPUs. Changes nothing, and costs a few\n"
	       "milliseconds a sample, however many sockets there are. Slab caches are for root\n"
	       "alone.\n\n");
	opt_print_help(options, OPTION_COUNT);
	printf("\nkeys: q quit, s sort, p ports, h help, space pause, + - interval, c clear peaks\n"
	       "exit codes: 0 ended as told (q, Ctrl-C, --count), 1 failed, 2 usage, 4 refused\n");
}

static int parse(int argc, char **argv, struct command *c, struct err *err)
{
	int operands;
	int failed = opt_parse(options, OPTION_COUNT, "watch", argc, argv, c, &operands, err);

	if (failed != 0)
		return failed;
	if (operands < argc)
		return err_set(err, -EINVAL, "unexpected '%s' (see 'megaconn watch --help')",
		               text_quote(argv[operands], strlen(argv[operands])).text);
	c->watch.sort = (enum screen_sort)c->sort;
	return 0;
}

static void say(const char *line)
{
	struct err err;

	err_set(&err, 0, "%s", line);
	err_print(&err);
}

static int code_of(int failed)
{
	switch (failed) {
	case 0:
		return EXIT_PASS;
	case -EINVAL:
	case -ENOENT:
	case -ESRCH:
		return EXIT_USAGE;
	case -EPERM:
	case -EACCES:
	case -EADDRINUSE:
	case -EADDRNOTAVAIL:
		return EXIT_REFUSED;
	default:
		return EXIT_FAILED;
	}
}

int cmd_watch(int argc, char **argv)
{
	struct command c = {.watch = {.interval_ns = NS_PER_S}};
	struct err err = {""};
	int failed = parse(argc, argv, &c, &err);

	if (failed != 0 || c.help)
		return tell_usage(failed, &err, print_help);
	if (c.watch.http)
		failed = http_check(c.watch.http, &err);
	if (failed == 0 && c.watch.http)
		failed = http_token_choose(c.watch.http, c.token_file, &c.watch.token, &err);
	else if (failed == 0 && c.token_file)
		failed = err_set(&err, -EINVAL, "--http-token-file is of --http");
	if (failed == 0)
		failed = watch_run(&c.watch, say, &err);
	if (failed != 0 && err.text[0] != '\0')
		err_print(&err);
	return code_of(failed);
}
