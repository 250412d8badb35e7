/* serve: parses the options of `megaconn serve`, runs it, prints what came of it. */
#include "cmd/serve.h"

#include "base/opt.h"
#include "behave/responder.h"
#include "cmd/choices.h"
#include "cmd/living.h"
#include "cmd/tell.h"
#include "out/whole_file.h"
#include "plan/endpoint.h"
#include "run/serve.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define DEFAULT_HOST   "127.0.0.1"
#define DEFAULT_LISTEN DEFAULT_HOST ":8090"
#define BODY_NONE      UINT64_MAX /* nobody said; 0 is a size, too */

struct command {
	struct serve_options serve;
	int engine, mode, close, without;
	uint64_t body;
	struct opt_texts listen;
	struct tell tell;
	bool help;
};

/* enum serve_mode */
static const char *const modes[] = {"echo", "hold", "http", "push", "discard", "chargen", NULL};
static const char *const closes[] = {"fin", "rst", NULL};

#define AT(field) offsetof(struct command, field)
static const struct opt options[] = {
	{"listen", 'l', OPT_TEXTS, AT(listen), 0, 0, NULL, "ADDR:PORT[-PORT]",
         "where to listen, may be given again (default " DEFAULT_LISTEN ")"},
	{"connections", 'n', OPT_COUNT, AT(serve.n), 1, 0, NULL, "N",
         "most connections at once (default 1M, or as many as fit)"},
	{"mode", 'm', OPT_CHOICE, AT(mode), 0, 0, modes, "M",
         "echo (default), hold, http, push, discard or chargen: see below"},
	{"body", 0, OPT_SIZE, AT(body), 0, RESPONDER_BODY_MOST, NULL, "SIZE",
         "of each response of mode http (default 128)"},
	{"every", 0, OPT_DURATION, AT(serve.every_ns), NS_PER_MS, LIVING_MOST_NS, NULL, "T",
         "from one round of mode push to the next (default 1s)"},
	{"message-size", 0, OPT_SIZES, AT(serve.size), 1, STAGE_MESSAGE_MOST, NULL, "S[-S]",
         "of a push (default 64); echo: what is read at once"},
	CHOICES_ROW_ENGINE,
	CHOICES_ROW_WORKERS(serve.workers, 1024, "processes"),
	{"close", 0, OPT_CHOICE, AT(close), 0, 0, closes, "HOW",
         "how what is open at the end is closed: fin or rst"},
	CHOICES_ROW_BACKLOG(serve.backlog, "; somaxconn bounds it"),
	CHOICES_ROW_RESERVE(serve.reserve_bytes, "memory that stays free"),
	CHOICES_ROW_WITHOUT,
	CHOICES_ROW_HTTP,
	CHOICES_ROW_HTTP_TOKEN,
	CHOICES_ROW_JSON("write the result at the end"),
	CHOICES_ROW_OUT,
	CHOICES_ROW_QUIET,
	CHOICES_ROW_HELP,
};
#define OPTION_COUNT (sizeof(options) / sizeof(options[0]))

static void print_help(void)
{
	printf("usage: megaconn serve [--listen ADDR:PORT[-PORT]] [options]\n\n"
	       "Takes TCP connections, holds them, and sends back what they send, or does what\n"
	       "--mode says, until it is interrupted. Where descriptors or memory end it stops\n"
	       "accepting, and says so.\n\n");
	opt_print_help(options, OPTION_COUNT);
	printf("\nmodes: echo     sends back what comes\n"
	       "       hold     takes it, and says nothing\n"
	       "       http     answers each HTTP/1.1 request with 200 and a body of --body\n"
	       "       push     echoes, and sends a message to all every --every\n"
	       "       discard  takes as much as comes (RFC 863)\n"
	       "       chargen  sends without end (RFC 864)\n");
	printf("\nexit codes: 0 ended when told to, 1 it had to stop accepting, or a worker died,\n"
	       "2 usage, 4 refused\n");
}

/* An address, in brackets where it is IPv6, and ports. */
static int parse_listen(const char *text, struct experiment_listen *out, struct err *err)
{
	struct endpoint endpoint;
	int failed = endpoint_parse(text, DEFAULT_HOST, &endpoint, err);

	if (failed != 0)
		return failed;
	if (ip_parse(endpoint.host, &out->address) != 0)
		return err_set(
			err, -EINVAL,
			"--listen %s: listens on an address, not on a name (0.0.0.0 and [::] "
			"are all of this host's)",
			text_quote(text, strlen(text)).text);
	out->port_low = endpoint.port_low;
	out->port_high = endpoint.port_high;
	return 0;
}

static int parse_listens(struct command *c, struct err *err)
{
	int failed = 0;

	if (c->listen.count == 0)
		c->listen = (struct opt_texts){.at = {DEFAULT_LISTEN}, .count = 1};
	for (uint32_t i = 0; i < c->listen.count && failed == 0; i++)
		failed = parse_listen(c->listen.at[i], &c->serve.listens[i], err);
	c->serve.listen_count = c->listen.count;
	return failed;
}

/* Options that are of one mode. */
static int check_mode(const struct command *c, struct err *err)
{
	enum serve_mode mode = (enum serve_mode)c->mode;

	if (c->body != BODY_NONE && mode != SERVE_HTTP)
		return err_set(err, -EINVAL, "--body is of --mode http");
	if (c->serve.every_ns > 0 && mode != SERVE_PUSH)
		return err_set(err, -EINVAL, "--every is of --mode push");
	if (c->serve.size.high > 0 && mode != SERVE_PUSH && mode != SERVE_ECHO)
		return err_set(err, -EINVAL, "--message-size is of --mode push, or echo");
	return 0;
}

static int parse(int argc, char **argv, struct command *c, struct err *err)
{
	int operands;
	int failed = opt_parse(options, OPTION_COUNT, "serve", argc, argv, c, &operands, err);

	if (failed == 0 && operands < argc)
		failed = err_set(err, -EINVAL,
		                 "unexpected '%s': --listen says where to listen (see 'megaconn "
		                 "serve --help')",
		                 text_quote(argv[operands], strlen(argv[operands])).text);
	if (failed == 0)
		failed = parse_listens(c, err);
	if (failed == 0)
		failed = check_mode(c, err);
	if (failed != 0)
		return failed;
	c->serve.engine = (enum engine_kind)c->engine;
	c->serve.mode = (enum serve_mode)c->mode;
	c->serve.body_bytes = c->body == BODY_NONE ? SERVE_BODY_USUAL : (uint32_t)c->body;
	c->serve.close = c->close == 1 ? ENGINE_CLOSE_RESET : ENGINE_CLOSE_FIN;
	c->serve.has_api = c->tell.http != NULL;
	c->serve.without = choices_without_mask(c->without);
	return c->tell.json ? whole_file_check(c->tell.json, err) : 0;
}

int cmd_serve(int argc, char **argv)
{
	static struct result result;
	struct command c = {.serve = {.n = 1000000}, .body = BODY_NONE};
	struct err err = {""};
	int failed = parse(argc, argv, &c, &err);

	if (failed != 0 || c.help)
		return tell_usage(failed, &err, print_help);
	int refused = tell_init(&c.tell, argc, argv);

	if (refused != EXIT_PASS)
		return refused;
	serve_run(&c.serve, &c.tell.view, &result);
	return tell_result(&c.tell, &result, argc, argv);
}
