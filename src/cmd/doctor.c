/* doctor: parses the options of `megaconn doctor`, has the machine judged, prints the table. */
#include "cmd/doctor.h"

#include "base/opt.h"
#include "base/result.h"
#include "base/text.h"
#include "cmd/choices.h"
#include "cmd/tell.h"
#include "out/doctor.h"
#include "out/whole_file.h"
#include "run/doctor.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define EXIT_NO_FIT 3

struct command {
	struct doctor_options doctor;
	int role, engine;
	struct opt_ports ports;
	const char *json;
	bool ipv6, help;
};

#define AT(field) offsetof(struct command, field)
static const struct opt options[] = {
	{"connections", 'n', OPT_COUNT, AT(doctor.n), 1, 0, NULL, "N",
         "how many connections are wanted (default 1M)"},
	CHOICES_ROW_ROLE(role),
	CHOICES_ROW_SOURCE(doctor.source),
	{"target", 0, OPT_TEXT, AT(doctor.target), 0, 0, NULL, "HOST:PORT[-PORT]",
         "where the server is (default 127.0.0.1:8090); nothing is sent there"},
	CHOICES_ROW_PORTS(ports),
	{"ipv6", '6', OPT_FLAG, AT(ipv6), 0, 0, NULL, NULL, "only an IPv6 address of the name"},
	CHOICES_ROW_ENGINE,
	CHOICES_ROW_WORKERS(doctor.workers, 1024, "processes of a side"),
	CHOICES_ROW_RESERVE(doctor.reserve_bytes, "memory that stays free"),
	{"quick", 0, OPT_FLAG, AT(doctor.is_assumed), 0, 0, NULL, NULL,
         "do not measure what a connection costs: take earlier figures"},
	{"json", 'j', OPT_TEXT, AT(json), 0, 0, NULL, "FILE",
         "write the table as JSON (- for stdout, in its place)"},
	CHOICES_ROW_HELP,
};
#define OPTION_COUNT (sizeof(options) / sizeof(options[0]))

static void print_help(void)
{
	printf("usage: megaconn doctor [-n N] [options]\n\n"
	       "Says which limit of this machine stops connections, at which number, and what\n"
	       "to do; for a server, for clients, or for both here. Changes nothing, needs no\n"
	       "root.\n\n");
	opt_print_help(options, OPTION_COUNT);
	printf("\nexit codes: 0 N fits, 2 usage, 3 N does not fit, 130 interrupted\n");
}

static int parse(int argc, char **argv, struct command *c, struct err *err)
{
	int operands;
	int failed = opt_parse(options, OPTION_COUNT, "doctor", argc, argv, c, &operands, err);

	if (failed != 0)
		return failed;
	if (operands < argc)
		return err_set(err, -EINVAL, "unexpected '%s' (see 'megaconn doctor --help')",
		               text_quote(argv[operands], strlen(argv[operands])).text);
	c->doctor.role = (enum wall_role)c->role;
	c->doctor.engine = (enum engine_kind)c->engine;
	c->doctor.family = c->ipv6 ? AF_INET6 : AF_UNSPEC;
	c->doctor.port_low = c->ports.low;
	c->doctor.port_high = c->ports.high;
	return c->json ? whole_file_check(c->json, err) : 0;
}

static void say(const char *line)
{
	struct err err;

	err_set(&err, 0, "%s", line);
	err_print(&err);
}

static int examine(const struct command *c, struct err *err)
{
	static struct wall_report report;
	int failed = doctor_examine(&c->doctor, say, &report, err);

	if (failed != 0)
		return failed == -EINTR ? EXIT_INTERRUPTED : EXIT_USAGE;
	if (!c->json || strcmp(c->json, "-") != 0)
		doctor_print(stdout, &report);
	if (c->json && doctor_write_json(c->json, &report, err) != 0)
		return EXIT_FAILED;
	return report.fits ? EXIT_PASS : EXIT_NO_FIT;
}

int cmd_doctor(int argc, char **argv)
{
	struct command c = {.doctor = {.n = 1000000}};
	struct err err = {""};
	int failed = parse(argc, argv, &c, &err);

	if (failed != 0 || c.help)
		return tell_usage(failed, &err, print_help);
	int code = examine(&c, &err);

	if (err.text[0] != '\0')
		err_print(&err);
	return code;
}
