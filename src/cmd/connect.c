/* connect: parses the options of `megaconn connect`, runs it, prints what came of it. */
#include "cmd/connect.h"

#include "base/clock.h"
#include "base/opt.h"
#include "base/text.h"
#include "cmd/choices.h"
#include "cmd/living.h"
#include "cmd/probe_idle.h"
#include "cmd/tell.h"
#include "out/whole_file.h"
#include "run/connect.h"
#include "run/find.h"
#include "run/idle.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct command {
	struct connect_options connect;
	const char *shard, *start_at, *server_api, *server_token_file;
	int engine, proof, close, without;
	struct opt_ports ports;
	struct tell tell;
	bool ipv4, ipv6, help;
};

/* enum engine_kind */
static const char *const engines[] = {"auto", "uring", "epoll", "tun", "packet", NULL};
static const char *const proofs[] = {"auto", "echo", "none", NULL};
static const char *const closes[] = {"rst", "fin", NULL};

#define AT(field)       offsetof(struct command, field)
#define AT_STAGE(field) offsetof(struct command, connect.living.hold.field)
#define AT_RUN(field)   offsetof(struct command, connect.living.field)
static const struct opt options[] = {
	{"connections", 'n', OPT_COUNT, AT(connect.n), 1, 0, NULL, "N",
         "how many connections (default 1M)"},
	CHOICES_ROW_SOURCE(connect.source),
	CHOICES_ROW_PORTS(ports),
	CHOICES_ROW_RATE(connect.rate_per_s, ""),
	{"shard", 0, OPT_TEXT, AT(shard), 0, 0, NULL, "K/M",
         "this host's part of a run that M hosts make together"},
	{"server-api", 0, OPT_TEXT, AT(server_api), 0, 0, NULL, "URL",
         "serve --http of the server, http://HOST:9464: its counts must agree"},
	{"server-token-file", 0, OPT_TEXT, AT(server_token_file), 0, 0, NULL, "FILE",
         "its token (else $MEGACONN_TOKEN)"},
	{"in-flight", 0, OPT_COUNT, AT(connect.in_flight), 1, 1000000, NULL, "N",
         "connects (default 256 a worker), and messages, at a time"},
	CHOICES_ROW_START_AT,
	CHOICES_ROW_TIMEOUT(connect.timeout_ns),
	CHOICES_ROW_RETRIES(connect.retries),
	{"hold", 0, OPT_DURATION, AT(connect.hold_ns), 0, UINT64_C(30) * 86400 * NS_PER_S, NULL,
         "T", "how long they are held (default 10s)"},
	{"proof", 0, OPT_CHOICE, AT(proof), 0, 0, proofs, "P",
         "echo: each must get its token back; auto: where the server echoes"},
	{"close", 0, OPT_CHOICE, AT(close), 0, 0, closes, "HOW",
         "rst (leaves no TIME_WAIT) or fin"},
	{"watch", 0, OPT_FLAG, AT(connect.watch), 0, 0, NULL, NULL,
         "see a loss when it comes, not at the second proof (260 B each)"},
	{"reconnect", 0, OPT_FLAG, AT(connect.reconnect), 0, 0, NULL, NULL,
         "open again what is lost, and never give up connecting"},
	{"probe-idle", 0, OPT_DURATION, AT(connect.probe_idle_ns), 100 * NS_PER_MS, IDLE_MOST_NS,
         NULL, "[T]", "find after which idle time, up to T (default 10m), they are dead"},
	{"ipv4", '4', OPT_FLAG, AT(ipv4), 0, 0, NULL, NULL, "only an IPv4 address of the name"},
	{"ipv6", '6', OPT_FLAG, AT(ipv6), 0, 0, NULL, NULL, "only an IPv6 address of the name"},
	{"allow-public", 0, OPT_FLAG, AT(connect.allow_public), 0, 0, NULL, NULL,
         "a target beyond loopback, private, link-local and benchmark addresses"},
	{"engine", 0, OPT_CHOICE, AT(engine), 0, 0, engines, "E",
         "auto, uring, epoll; tun, packet: our own TCP, root"},
	{"dev", 0, OPT_TEXT, AT(connect.device), 0, 0, NULL, "DEV",
         "with --engine packet: clients on the LAN of this link, from --source"},
	CHOICES_ROW_WORKERS(connect.workers, 1024, "processes"),
	CHOICES_ROW_RESERVE(connect.reserve_bytes, "memory the ramp leaves free"),
	{"without", 0, OPT_CHOICE, AT(without), 0, 0, choices_without, "F",
         "do without a kernel feature: bind, defer, bind+defer; not of our own TCP"},
	CHOICES_ROW_HTTP,
	CHOICES_ROW_HTTP_TOKEN,
	CHOICES_ROW_JSON("write the result"),
	CHOICES_ROW_OUT,
	CHOICES_ROW_QUIET,
	CHOICES_ROW_HELP,
	/* what they do: a part of its own in --help */
	LIVING_ROWS_STAGE,
	LIVING_ROWS_RUN,
};
#define OPTION_COUNT (sizeof(options) / sizeof(options[0]))
#define LIVING_FIRST (OPTION_COUNT - LIVING_STAGE_COUNT - LIVING_RUN_COUNT)

static void print_help(void)
{
	printf("usage: megaconn connect HOST:PORT[-PORT] [-n N] [options]\n\n"
	       "Opens N TCP connections to a server, proves each by an echo where the server\n"
	       "echoes (megaconn serve does), holds and watches them, and says what came of\n"
	       "each.\n\n");
	opt_print_help_part(options, OPTION_COUNT, 0, LIVING_FIRST);
	printf("\nwhat they do while they are held:\n");
	opt_print_help_part(options, OPTION_COUNT, LIVING_FIRST, OPTION_COUNT);
	printf("\nWith --engine tun or packet the clients are a TCP of our own, and come from all\n"
	       "of --source (default: what is free of 198.18.0.0/15, or 2001:2:0:1::/64), which\n"
	       "no link has to have, and ports 1024-65535. The server is on this host, on any\n"
	       "address but 127.0.0.0/8 and ::1.\n"
	       "With --engine packet --dev DEV they are hosts of their own on the LAN of DEV:\n"
	       "each of --source is asked for first, and refused where somebody has it; they\n"
	       "answer ARP and neighbour solicitations as long as the run lasts. The server is\n"
	       "another host, on that LAN or by a router.\n");
	printf("\nOf a run with --shard every host is given the same command line but for K:\n"
	       "-n, rates, --churn and --in-flight are of all hosts together, and --source is\n"
	       "the list of all, of which each takes a slice. 'megaconn merge' adds them up.\n");
	printf("\nexit codes: 0 pass, 1 failed or partial, 2 usage, 3 not proved, 4 refused,\n"
	       "130 interrupted\n");
}

static int take_operands(int argc, char **argv, int operands, struct command *c, struct err *err)
{
	if (operands == argc)
		return err_set(
			err, -EINVAL,
			"where to? megaconn connect HOST:PORT, or target = HOST:PORT in a scenario "
			"(see 'megaconn connect --help')");
	if (operands + 1 < argc)
		return err_set(err, -EINVAL,
		               "unexpected '%s': one target (see 'megaconn connect --help')",
		               text_quote(argv[operands + 1], strlen(argv[operands + 1])).text);
	c->connect.target = argv[operands];
	return 0;
}

/* A scenario's hold is its stages. */
static int take_scenario(const struct scenario *scenario, struct command *c, struct err *err)
{
	if (!living_is_still(&c->connect.living.hold) || c->connect.hold_ns > 0)
		return err_set(err, -EINVAL,
		               "what connections do, and how long, stands in the scenario's "
		               "stages: not as an option beside it");
	c->connect.living.stages = scenario->stages;
	c->connect.living.stage_count = scenario->stage_count;
	c->connect.living.ramp_to = scenario->ramp_to;
	return 0;
}

static int take_shard(struct command *c, struct err *err)
{
	if (!c->shard)
		return 0;
	if (c->connect.living.find_max)
		return err_set(err, -EINVAL, "--find-max is of one host: not with --shard");
	return shard_parse(c->shard, &c->connect.shard, err);
}

static int take_server(struct command *c, struct err *err)
{
	struct envoy_options *server = &c->connect.server;

	if (!c->server_api)
		return c->server_token_file
		               ? err_set(err, -EINVAL, "--server-token-file is of --server-api")
		               : 0;
	return fetch_base("--server-api", c->server_api, server->base, err);
}

/* EXIT_PASS, or the exit code, and the reason is printed. */
static int take_token(struct command *c)
{
	struct err err = {""};
	int failed = 0;

	if (c->server_api)
		failed = http_token_given("--server-token-file", c->server_token_file,
		                          &c->connect.server.token, &err);
	if (failed == 0)
		return EXIT_PASS;
	err_print(&err);
	return failed == -EINVAL ? EXIT_USAGE : EXIT_REFUSED;
}

/* --in-flight bounds messages as well as connects. */
static int check_living(const struct scenario *scenario, struct command *c, struct err *err)
{
	struct living_stage *hold = &c->connect.living.hold;
	bool asks = hold->traffic == TRAFFIC_HOLD ? c->connect.living.script != NULL
	                                          : hold->traffic != TRAFFIC_PUSH;

	if (!scenario && asks && hold->message_rate_per_s == 0 && hold->every_ns == 0)
		hold->in_flight = c->connect.in_flight;
	return living_check(&c->connect.living, RUN_CONNECT, c->connect.n, c->connect.hold_ns, err);
}

static int check_device(const struct command *c, struct err *err)
{
	if (!c->connect.device)
		return 0;
	if (c->engine != ENGINE_PACKET)
		return err_set(err, -EINVAL,
		               "--dev is of clients with a TCP of our own on a LAN: with --engine "
		               "packet alone");
	if (!c->connect.source)
		return err_set(err, -EINVAL,
		               "--dev: from which addresses of that LAN? --source "
		               "192.168.1.200-250, which nobody has");
	return 0;
}

static int take_probe_idle(const struct scenario *scenario, const struct command *usual,
                           struct command *c, struct err *err)
{
	if (c->connect.probe_idle_ns == 0)
		return 0;
	if (scenario)
		return err_set(err, -EINVAL, "--probe-idle is no part of a scenario");
	if (c->connect.n == usual->connect.n)
		c->connect.n = 0;
	return probe_idle_check(options, OPTION_COUNT, c, usual, err);
}

static int parse(const struct scenario *scenario, int argc, char **argv, struct command *c,
                 struct err *err)
{
	const struct command usual = *c;
	int operands;

	probe_idle_complete(argc, argv);
	int failed = opt_parse(options, OPTION_COUNT, "connect", argc, argv, c, &operands, err);

	if (failed != 0 || c->help)
		return failed;
	failed = take_operands(argc, argv, operands, c, err);
	if (failed == 0 && c->ipv4 && c->ipv6)
		failed = err_set(err, -EINVAL, "--ipv4 and --ipv6: one of them, or neither");
	if (failed == 0 && c->without > 0 && engine_is_utcp((enum engine_kind)c->engine))
		failed = err_set(err, -EINVAL,
		                 "--without is of kernel sockets: not with --engine %s",
		                 engines[c->engine]);
	if (failed == 0)
		failed = check_device(c, err);
	if (failed == 0 && c->proof == CONNECT_PROOF_ECHO &&
	    c->connect.living.hold.traffic == TRAFFIC_HTTP)
		failed = err_set(err, -EINVAL,
		                 "--proof echo: a server of HTTP does not echo (--proof none)");
	if (failed == 0)
		failed = take_probe_idle(scenario, &usual, c, err);
	if (failed == 0 && scenario)
		failed = take_scenario(scenario, c, err);
	if (failed == 0)
		failed = take_shard(c, err);
	if (failed == 0)
		failed = take_server(c, err);
	if (failed == 0)
		failed = choices_start_at(c->start_at, c->connect.living.find_max,
		                          &c->connect.start_at_unix_ns, err);
	if (failed == 0)
		failed = check_living(scenario, c, err);
	if (failed != 0)
		return failed;
	c->connect.family = c->ipv4 ? AF_INET : c->ipv6 ? AF_INET6 : AF_UNSPEC;
	c->connect.port_low = c->ports.low;
	c->connect.port_high = c->ports.high;
	c->connect.engine = (enum engine_kind)c->engine;
	c->connect.proof = (enum connect_proof)c->proof;
	c->connect.close = c->close == 1 ? ENGINE_CLOSE_FIN : ENGINE_CLOSE_RESET;
	c->connect.without = choices_without_mask(c->without);
	return c->tell.json ? whole_file_check(c->tell.json, err) : 0;
}

/* `scenario`: NULL where there is none. */
static int run(const struct scenario *scenario, int argc, char **argv)
{
	static struct result result;
	struct command c = {
		.connect = {.n = 1000000,
	                    .hold_ns = scenario ? 0 : 10 * NS_PER_S,
	                    .timeout_ns = 5 * NS_PER_S,
	                    .retries = 3},
	};
	struct err err = {""};
	int failed = parse(scenario, argc, argv, &c, &err);

	if (failed != 0 || c.help)
		return tell_usage(failed, &err, print_help);
	if (scenario) { /* the record has the words that were typed */
		argc = scenario->argc;
		argv = scenario->argv;
	}
	int refused = take_token(&c);

	if (refused == EXIT_PASS)
		refused = tell_init(&c.tell, argc, argv);

	if (refused != EXIT_PASS)
		return refused;
	if (c.connect.probe_idle_ns > 0)
		idle_run(&c.connect, &c.tell.view, &result);
	else if (c.connect.living.find_max)
		find_connect(&c.connect, &c.tell.view, &result);
	else
		connect_run(&c.connect, &c.tell.view, &result);
	return tell_result(&c.tell, &result, argc, argv);
}

int cmd_connect(int argc, char **argv)
{
	return run(NULL, argc, argv);
}

struct scenario_command connect_scenario_command(void)
{
	return (struct scenario_command){
		.name = "connect",
		.options = options,
		.count = OPTION_COUNT,
		.bytes = sizeof(struct command),
		.has_target = true,
		.run = run,
	};
}
