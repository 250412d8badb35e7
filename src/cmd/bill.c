/* bill: parses the options of `megaconn bill`, looks once at this host, prints what its sockets
 * have. */
#include "cmd/bill.h"

#include "base/opt.h"
#include "base/result.h"
#include "base/text.h"
#include "cmd/choices.h"
#include "cmd/tell.h"
#include "kernel/slab_alias.h"
#include "out/bill_page.h"
#include "out/whole_file.h"
#include "run/account.h"
#include "run/sampler.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct command {
	const char *netns, *json;
	bool help;
};

#define AT(field) offsetof(struct command, field)
static const struct opt options[] = {
	{"netns", 0, OPT_TEXT, AT(netns), 0, 0, NULL, "NAME",
         "also of this network namespace: a name, the pid of a process in it, or a path"},
	{"json", 'j', OPT_TEXT, AT(json), 0, 0, NULL, "FILE",
         "write the bill as JSON (- for stdout, in its place)"},
	CHOICES_ROW_HELP,
};
#define OPTION_COUNT (sizeof(options) / sizeof(options[0]))

static void print_help(void)
{
	printf("usage: megaconn bill [options]\n\n"
	       "Says where the kernel's memory for the TCP sockets of this machine goes, as they\n"
	       "stand now, whosever they are: socket, inode, file, dentry, epoll items and more,\n"
	       "by whole slab pages. Needs root, as /proc/slabinfo does; without it says what can\n"
	       "be had. What a connection of a run costs is in the run's own summary.\n\n");
	opt_print_help(options, OPTION_COUNT);
	printf("\nexit codes: 0 done, 1 the JSON could not be written, 2 usage, 4 not permitted\n");
}

static int parse(int argc, char **argv, struct command *c, struct err *err)
{
	int operands;
	int failed = opt_parse(options, OPTION_COUNT, "bill", argc, argv, c, &operands, err);

	if (failed != 0)
		return failed;
	if (operands < argc)
		return err_set(err, -EINVAL, "unexpected '%s' (see 'megaconn bill --help')",
		               text_quote(argv[operands], strlen(argv[operands])).text);
	return c->json ? whole_file_check(c->json, err) : 0;
}

static uint64_t add_known(uint64_t a, uint64_t b)
{
	return a == PROBE_UNKNOWN ? b : b == PROBE_UNKNOWN ? a : a + b;
}

static void look(const struct command *c, struct bill_page *page)
{
	static struct account_host host;
	static struct sample now;

	(void)slab_alias_read(&host.aliases); /* without: each cache is its own */
	sampler_take(&now);
	account_standing(&now, &host, &page->bill);
	if (now.memory.total_bytes != PROBE_UNKNOWN)
		page->memory_bytes = now.memory.total_bytes;
	page->netns = c->netns;
	page->inuse = add_known(now.sockets.tcp_inuse, now.sockets.tcp6_inuse);
	page->time_wait = now.sockets.tcp_tw;
}

int cmd_bill(int argc, char **argv)
{
	struct command c = {0};
	struct bill_page page = {0};
	struct err err = {""};
	int failed = parse(argc, argv, &c, &err);

	if (failed != 0 || c.help)
		return tell_usage(failed, &err, print_help);
	if (c.netns && (failed = sampler_enter_netns(c.netns, &err)) != 0) {
		err_print(&err);
		return failed == -EPERM || failed == -EACCES ? EXIT_REFUSED : EXIT_USAGE;
	}
	look(&c, &page);
	if (!c.json || strcmp(c.json, "-") != 0)
		bill_page_print(stdout, &page);
	if (c.json && bill_page_write(c.json, &page, &err) != 0) {
		err_print(&err);
		return EXIT_FAILED;
	}
	return EXIT_PASS;
}
