/* plan: parses the options of `megaconn plan`, does the arithmetic, prints it. */
#include "cmd/plan.h"

#include "base/opt.h"
#include "base/result.h"
#include "base/text.h"
#include "cmd/choices.h"
#include "cmd/plan_json.h"
#include "cmd/plan_screen.h"
#include "cmd/tell.h"
#include "out/json.h"
#include "out/whole_file.h"
#include "plan/sizing.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define DEFAULT_N 1000000

struct command {
	struct plan_view view;
	uint64_t server_ports;
	struct opt_ports ports;
	const char *json;
	bool help;
};

#define AT(field) offsetof(struct command, field)
static const struct opt options[] = {
	{"connections", 'n', OPT_COUNT, AT(view.ask.n), 1, SIZING_N_MOST, NULL, "N",
         "how many connections (default 1M; with --memory as many as it holds)"},
	{"memory", 'm', OPT_SIZE, AT(view.ask.memory_bytes), 1, 0, NULL, "SIZE",
         "free memory of each machine: how many it holds"},
	{"ports", 0, OPT_PORTS, AT(ports), 0, 0, NULL, "LO-HI",
         "source ports of each source IP (default 32768-60999)"},
	{"server-ports", 0, OPT_COUNT, AT(server_ports), 1, SIZING_SERVER_PORTS_MOST, NULL, "K",
         "ports that the server listens on (default 1)"},
	{"sources", 's', OPT_COUNT, AT(view.ask.sources), 1, SIZING_IPV4_ADDRESSES, NULL, "K",
         "source IPs that there are (default: as many as N needs)"},
	{"nofile", 0, OPT_COUNT, AT(view.ask.nofile), SIZING_SPARE_DESCRIPTORS + 1, 0, NULL, "N",
         "open files of a process, for programs without io_uring (default 1048576)"},
	{"ipv6", '6', OPT_FLAG, AT(view.ask.is_ipv6), 0, 0, NULL, NULL, "IPv6 in place of IPv4"},
	{"json", 'j', OPT_TEXT, AT(json), 0, 0, NULL, "FILE", "write the plan (- for stdout)"},
	CHOICES_ROW_HELP,
};
#define OPTION_COUNT (sizeof(options) / sizeof(options[0]))

static void print_help(void)
{
	printf("usage: megaconn plan [-n N] [--memory SIZE] [options]\n\n"
	       "Says what N connections need (source IPs, ports, descriptors, memory), how many a\n"
	       "given memory holds, and the command lines for it. It is arithmetic: it asks\n"
	       "nothing of this machine and needs no rights.\n\n");
	opt_print_help(options, OPTION_COUNT);
	printf("\nexit codes: 0 it fits what is given, 1 failed, 2 usage, 3 it does not fit\n");
}

static int parse(int argc, char **argv, struct command *c, struct err *err)
{
	struct sizing_ask *ask = &c->view.ask;
	int operands;
	int failed = opt_parse(options, OPTION_COUNT, "plan", argc, argv, c, &operands, err);

	if (failed == 0 && operands < argc)
		failed = err_set(err, -EINVAL, "unexpected '%s' (see 'megaconn plan --help')",
		                 text_quote(argv[operands], strlen(argv[operands])).text);
	if (failed != 0 || c->help)
		return failed;
	if (ask->n == 0 && ask->memory_bytes == 0)
		ask->n = DEFAULT_N;
	c->view.port_low = c->ports.low;
	c->view.port_high = c->ports.high;
	ask->source_ports = (uint32_t)(c->ports.high - c->ports.low) + 1;
	ask->server_ports = (uint32_t)c->server_ports;
	return c->json ? whole_file_check(c->json, err) : 0;
}

/* The plan on stdout, or on stderr where stdout has the JSON. */
static int show(const struct command *c)
{
	bool has_stdout = c->json && strcmp(c->json, "-") == 0;
	struct err err = {""};

	plan_screen_print(has_stdout ? stderr : stdout, &c->view);
	if (c->json && plan_json_write(c->json, &c->view, &err) != 0) {
		err_print(&err);
		return EXIT_FAILED;
	}
	return c->view.sizing.fits ? EXIT_PASS : EXIT_UNPROVED;
}

int cmd_plan(int argc, char **argv)
{
	struct command c = {
		.view.ask.nofile = SIZING_NOFILE_USUAL,
		.server_ports = 1,
		.ports = {.low = SIZING_PORT_LOW, .high = SIZING_PORT_HIGH},
	};
	struct plan_view *view = &c.view;
	struct err err = {""};
	int failed = parse(argc, argv, &c, &err);

	if (failed != 0 || c.help)
		return tell_usage(failed, &err, print_help);
	sizing_work(&view->ask, &view->sizing);
	view->command_count = plan_commands(&view->ask, &view->sizing, view->port_low,
	                                    view->port_high, view->commands);
	return show(&c);
}
