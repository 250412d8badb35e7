/* megaconn: opens, holds, proves and measures very many TCP connections. The command table. */
#include "base/err.h"
#include "base/result.h"
#include "base/text.h"
#include "base/version.h"
#include "cmd/addr.h"
#include "cmd/bill.h"
#include "cmd/classic.h"
#include "cmd/connect.h"
#include "cmd/doctor.h"
#include "cmd/lab.h"
#include "cmd/merge.h"
#include "cmd/plan.h"
#include "cmd/report.h"
#include "cmd/run.h"
#include "cmd/serve.h"
#include "cmd/tune.h"
#include "cmd/watch.h"

#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} commands[] = {
	{"lab", cmd_lab, "the whole experiment on this machine, in private namespaces"},
	{"serve", cmd_serve, "a server: takes connections, holds them, echoes"},
	{"connect", cmd_connect, "clients: N connections to any server, proved where it echoes"},
	{"run", cmd_run, "a scenario from a file: stages of traffic, churn, storms, more or fewer"},
	{"doctor", cmd_doctor, "which limit of this machine stops connections, and at how many"},
	{"plan", cmd_plan,
         "what N connections need, how many a memory holds, and the commands for it"},
	{"watch", cmd_watch, "a monitor of this host's connections, whatever its servers are"},
	{"bill", cmd_bill, "where the kernel's memory for this machine's TCP sockets goes"},
	{"report", cmd_report, "a run that was recorded, as one page; or two runs compared"},
	{"merge", cmd_merge,
         "adds up the results of many hosts that made one run (connect --shard)"},
	{"addr", cmd_addr, "source addresses: which are free, adds them, takes them away"},
	{"tune", cmd_tune, "raises the settings that N connections need, and puts them back"},
	{"classic", cmd_classic, "a server and a client in the background, as megaconn.conf says"},
};
#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static void usage(FILE *to)
{
	fprintf(to, "megaconn " MEGACONN_VERSION
	            ": opens, holds, proves and measures TCP connections by the million\n\n"
	            "usage: megaconn COMMAND [options]\n\n");
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].help);
	fprintf(to, "\n'megaconn COMMAND --help' says more; try 'megaconn lab -n 100k'\n");
}

/* What could not be written to stdout was not said. */
static int told(int code)
{
	struct err err;

	if (fflush(stdout) == 0 && ferror(stdout) == 0)
		return code;
	err_set(&err, 0, "cannot write to standard output");
	err_print(&err);
	return code == EXIT_PASS ? EXIT_FAILED : code;
}

int main(int argc, char **argv)
{
	struct err err;

	if (argc < 2) {
		usage(stderr);
		return EXIT_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0) {
		usage(stdout);
		return told(EXIT_PASS);
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("megaconn " MEGACONN_VERSION "\n");
		return told(EXIT_PASS);
	}
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		if (strcmp(argv[1], commands[i].name) == 0)
			return told(commands[i].run(argc - 1, argv + 1));
	}
	err_set(&err, 0, "unknown command '%s' (see 'megaconn --help')",
	        text_quote(argv[1], strlen(argv[1])).text);
	err_print(&err);
	return EXIT_USAGE;
}
