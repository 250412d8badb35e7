/* lab: parses the options of `megaconn lab`, runs it, prints what came of it. */
#include "cmd/lab.h"

#include "base/clock.h"
#include "base/opt.h"
#include "base/text.h"
#include "cmd/choices.h"
#include "cmd/living.h"
#include "cmd/tell.h"
#include "out/whole_file.h"
#include "run/find.h"
#include "run/lab.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define TIMEOUT_NS      (5 * NS_PER_S)
#define RETRIES         3
#define BOX_TIMEOUT_NS  (2 * NS_PER_S)
#define RETRIES_AS_EVER UINT64_MAX

struct command {
	struct lab_options lab;
	const char *start_at;
	int solution, engine, clients, without;
	const char *via;
	struct opt_ports ports;
	struct tell tell;
	bool help;
};

static const char *const solutions[] = {"1", "2", "mixed", NULL};
static const char *const clients[] = {
	[LAB_CLIENTS_AUTO] = "auto", [LAB_CLIENTS_SOCKETS] = "sockets",
	[LAB_CLIENTS_TUN] = "tun",   [LAB_CLIENTS_PACKET] = "packet",
	[LAB_CLIENTS_COUNT] = NULL,
};

#define AT(field)       offsetof(struct command, field)
#define AT_STAGE(field) offsetof(struct command, lab.living.hold.field)
#define AT_RUN(field)   offsetof(struct command, lab.living.field)
static const struct opt options[] = {
	{"connections", 'n', OPT_COUNT_MAX, AT(lab.n), 1, 0, NULL, "N",
         "how many connections (default 1M), or max: as many as fit"},
	{"solution", 's', OPT_CHOICE, AT(solution), 0, 0, solutions, "S",
         "1: many source IPs to one port, 2: one source IP to many ports, mixed"},
	CHOICES_ROW_ENGINE,
	{"clients", 0, OPT_CHOICE, AT(clients), 0, 0, clients, "C",
         "auto, sockets (the kernel's), tun or packet (a TCP of our own)"},
	CHOICES_ROW_RATE(lab.rate_per_s, ", all workers together"),
	{"hold", 0, OPT_DURATION, AT(lab.hold_ns), 0, 86400 * NS_PER_S, NULL, "T",
         "how long they are held between the two proofs (default 10s)"},
	CHOICES_ROW_START_AT,
	{"via", 0, OPT_TEXT, AT(via), 0, 0, NULL, "KIND[:LIMIT]",
         "a box in between: nat, conntrack, haproxy, nginx-stream (docs/boxes.md)"},
	CHOICES_ROW_TIMEOUT(lab.timeout_ns),
	CHOICES_ROW_RETRIES(lab.retries),
	{"ipv6", '6', OPT_FLAG, AT(lab.ipv6), 0, 0, NULL, NULL, "IPv6 in place of IPv4"},
	{"ports", 0, OPT_PORTS, AT(ports), 0, 0, NULL, "LO-HI", "source ports of each source IP"},
	CHOICES_ROW_WORKERS(lab.workers, 64, "processes of each side"),
	CHOICES_ROW_BACKLOG(lab.backlog, ""),
	CHOICES_ROW_RESERVE(lab.reserve_bytes, "memory the ramp leaves free"),
	{"no-netns", 0, OPT_FLAG, AT(lab.no_netns), 0, 0, NULL, NULL,
         "stay on the host's network: 127.0.0.0/8 or ::1, settings as they are"},
	CHOICES_ROW_WITHOUT,
	CHOICES_ROW_HTTP,
	CHOICES_ROW_HTTP_TOKEN,
	CHOICES_ROW_JSON("write the result"),
	CHOICES_ROW_OUT,
	CHOICES_ROW_QUIET,
	CHOICES_ROW_HELP,
	/* what they do: a part of its own in --help */
	LIVING_ROWS_STAGE,
	LIVING_ROW_IN_FLIGHT,
	LIVING_ROWS_RUN,
};
#define OPTION_COUNT (sizeof(options) / sizeof(options[0]))
#define LIVING_FIRST (OPTION_COUNT - LIVING_STAGE_COUNT - 1 - LIVING_RUN_COUNT)

static void print_help(void)
{
	printf("usage: megaconn lab [-n N] [options]\n\n"
	       "Opens N TCP connections on this machine, both ends in private namespaces, proves\n"
	       "each by an echo, holds them, proves them again, and says what they cost.\n\n");
	opt_print_help_part(options, OPTION_COUNT, 0, LIVING_FIRST);
	printf("\nwhat they do while they are held:\n");
	opt_print_help_part(options, OPTION_COUNT, LIVING_FIRST, OPTION_COUNT);
	printf("\nWith --via a connect is given up after 2 s and not tried again, where\n"
	       "--timeout and --retries do not say otherwise.\n");
	printf("\nexit codes: 0 pass, 1 failed or partial, 2 usage, 3 not proved, 4 refused,\n"
	       "130 interrupted\n");
}

/* A scenario's hold is its stages. */
static int take_scenario(const struct scenario *scenario, struct command *c, struct err *err)
{
	if (!living_is_still(&c->lab.living.hold) || c->lab.hold_ns > 0)
		return err_set(err, -EINVAL,
		               "what connections do, and how long, stands in the scenario's "
		               "stages: not as an option beside it");
	c->lab.living.stages = scenario->stages;
	c->lab.living.stage_count = scenario->stage_count;
	c->lab.living.ramp_to = scenario->ramp_to;
	return 0;
}

static int parse(const struct scenario *scenario, int argc, char **argv, struct command *c,
                 struct err *err)
{
	int operands;
	int failed = opt_parse(options, OPTION_COUNT, "lab", argc, argv, c, &operands, err);

	if (failed != 0)
		return failed;
	if (operands < argc)
		return err_set(err, -EINVAL, "unexpected '%s' (see 'megaconn lab --help')",
		               text_quote(argv[operands], strlen(argv[operands])).text);
	if (c->via)
		failed = via_parse(c->via, &c->lab.via, err);
	if (failed != 0)
		return failed;
	c->lab.solution = (enum solution)c->solution;
	c->lab.engine = (enum engine_kind)c->engine;
	c->lab.clients = (enum lab_clients)c->clients;
	c->lab.port_low = c->ports.low;
	c->lab.port_high = c->ports.high;
	c->lab.without = choices_without_mask(c->without);
	failed = scenario ? take_scenario(scenario, c, err) : 0;
	if (failed != 0 || c->help)
		return failed;
	failed = choices_start_at(c->start_at, c->lab.living.find_max, &c->lab.start_at_unix_ns,
	                          err);
	if (failed != 0)
		return failed;
	failed = living_check(&c->lab.living, RUN_LAB, c->lab.n, c->lab.hold_ns, err);
	if (failed != 0)
		return failed;
	return c->tell.json ? whole_file_check(c->tell.json, err) : 0;
}

/* Whose box is full is not asked four times, 5 s each. */
static void set_patience(struct lab_options *lab)
{
	bool has_box = lab->via.kind != VIA_NONE;

	if (lab->timeout_ns == 0)
		lab->timeout_ns = has_box ? BOX_TIMEOUT_NS : TIMEOUT_NS;
	if (lab->retries == RETRIES_AS_EVER)
		lab->retries = has_box ? 0 : RETRIES;
}

/* `scenario`: NULL where there is none. */
static int run(const struct scenario *scenario, int argc, char **argv)
{
	static struct result result;
	struct command c = {
		.lab = {.n = 1000000,
	                .hold_ns = scenario ? 0 : 10 * NS_PER_S,
	                .retries = RETRIES_AS_EVER},
	};
	struct err err = {""};
	int failed = parse(scenario, argc, argv, &c, &err);

	if (failed != 0 || c.help)
		return tell_usage(failed, &err, print_help);
	set_patience(&c.lab);
	if (scenario) { /* the record has the words that were typed */
		argc = scenario->argc;
		argv = scenario->argv;
	}
	int refused = tell_init(&c.tell, argc, argv);

	if (refused != EXIT_PASS)
		return refused;
	if (c.lab.living.find_max)
		find_lab(&c.lab, &c.tell.view, &result);
	else
		lab_run(&c.lab, &c.tell.view, &result);
	return tell_result(&c.tell, &result, argc, argv);
}

int cmd_lab(int argc, char **argv)
{
	return run(NULL, argc, argv);
}

struct scenario_command lab_scenario_command(void)
{
	return (struct scenario_command){
		.name = "lab",
		.options = options,
		.count = OPTION_COUNT,
		.bytes = sizeof(struct command),
		.has_target = false,
		.run = run,
	};
}
