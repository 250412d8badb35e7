/* addr: parses the verb and its pool, asks who has the addresses, puts them on a link and takes
 * them away again. */
#include "cmd/addr.h"

#include "base/map.h"
#include "base/opt.h"
#include "base/result.h"
#include "base/text.h"
#include "cmd/addr_tell.h"
#include "cmd/classic_conf.h"
#include "cmd/classic_files.h"
#include "cmd/classic_next.h"
#include "cmd/verb.h"
#include "kernel/address.h"
#include "kernel/addresses.h"
#include "kernel/addresses_down.h"
#include "kernel/neighbour.h"
#include "kernel/route.h"
#include "plan/pool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ANYIP_ASKED_BITS 16 /* a prefix with at most so many host bits is asked for */

struct command {
	const char *config, *device, *pool_text;
	uint64_t prefix_len; /* 0: not given */
	bool anyip, force, dry_run, allow_public, help;

	/* What follows from it. */
	struct classic_conf conf;
	struct pool pool; /* not of --anyip */
	struct range ranges[POOL_RANGES_MAX];
	struct link link;
	struct address_list list; /* what is to be added */
};

#define AT(field) offsetof(struct command, field)
static const struct opt options[] = {
	{"dev", 'd', OPT_TEXT, AT(device), 0, 0, NULL, "DEV", "the link (default: as FILE says)"},
	{"prefix", 'p', OPT_COUNT, AT(prefix_len), 1, 128, NULL, "LEN",
         "up: prefix length of the addresses (default 32 or 128: none but themselves)"},
	{"anyip", 0, OPT_FLAG, AT(anyip), 0, 0, NULL, NULL,
         "up: one local route for the prefix POOL in place of its addresses"},
	{"force", 'f', OPT_FLAG, AT(force), 0, 0, NULL, NULL,
         "up: also where an address is taken; down: see below"},
	{"dry-run", 0, OPT_FLAG, AT(dry_run), 0, 0, NULL, NULL,
         "up, down: say what would be done, ask nobody, change nothing"},
	{"allow-public", 0, OPT_FLAG, AT(allow_public), 0, 0, NULL, NULL,
         "ping, up: addresses that may be somebody's in the Internet"},
	{"config", 'c', OPT_TEXT, AT(config), 0, 0, NULL, "FILE",
         "take client-ips and device of a megaconn.conf for POOL and DEV, and say the next step"},
	{"help", 'h', OPT_FLAG, AT(help), 0, 0, NULL, NULL, "this text"},
};
#define OPTION_COUNT (sizeof(options) / sizeof(options[0]))

static int refuse(const struct err *err, int code)
{
	err_print(err);
	return code;
}

/* What went wrong below, as an exit code. */
static int exit_of(int failed)
{
	return failed == -EPERM || failed == -EACCES ? EXIT_REFUSED : EXIT_FAILED;
}

static void *marks_of(size_t bytes, struct err *err)
{
	void *at = map_private(bytes);

	if (!at)
		err_set(err, -ENOMEM, "no memory for %zu bytes", bytes);
	return at;
}

/* ---- the pool ------------------------------------------------------------------------------- */

static int check_range(const struct command *c, const struct ip *first, const struct ip *last,
                       struct err *err)
{
	const struct ip *ends[] = {first, last};
	char text[IP_TEXT_BYTES];

	for (int i = 0; i < 2; i++) {
		if (!ip_is_host(ends[i]))
			return err_set(err, -EINVAL, "%s is no address that a host can have",
			               ip_format(ends[i], text));
		if (ip_is_public(ends[i]) && !c->allow_public)
			return err_set(err, -EPERM,
			               "%s is neither a loopback, private, link-local nor "
			               "benchmark address: --allow-public, if it is yours",
			               ip_format(ends[i], text));
	}
	return 0;
}

static bool is_loopback(const struct ip *ip)
{
	return ip->family == AF_INET && ip->bytes[0] == 127;
}

/* Copies the ranges, without those of 127.0.0.0/8, all of which is every host's own. */
static int take_ranges(struct command *c, struct err *err)
{
	struct ranges *out = &c->list.ranges;

	out->at = c->ranges;
	for (uint32_t i = 0; i < c->pool.range_count; i++) {
		struct range range = {.first = c->pool.ranges[i].first,
		                      .count = c->pool.ranges[i].count,
		                      .before = out->addresses};
		struct ip last = ip_add(&range.first, range.count - 1);
		int failed = check_range(c, &range.first, &last, err);

		if (failed < 0)
			return failed;
		if (is_loopback(&range.first) && is_loopback(&last)) {
			char from[IP_TEXT_BYTES], to[IP_TEXT_BYTES];

			printf("%s%s%s: local already, nothing to add\n",
			       ip_format(&range.first, from), range.count > 1 ? "-" : "",
			       range.count > 1 ? ip_format(&last, to) : "");
			continue;
		}
		c->ranges[out->count++] = range;
		out->addresses += range.count;
	}
	if (out->addresses > ADDRESSES_MOST)
		return err_set(err, -EINVAL,
		               "%u addresses: at most %d (--anyip takes a whole prefix)",
		               out->addresses, ADDRESSES_MOST);
	return 0;
}

static struct ip last_of(const struct route_prefix *prefix)
{
	struct ip last = prefix->first;

	for (uint32_t bit = prefix->len; bit < address_bits(last.family); bit++)
		last.bytes[bit / 8] |= (uint8_t)(0x80u >> bit % 8);
	return last;
}

static int not_a_prefix(const char *text, struct err *err)
{
	return err_set(err, -EINVAL,
	               "%s: --anyip takes one prefix without host bits, of 8-32 or 32-128 bits "
	               "(try 198.18.0.0/16)",
	               text_quote(text, strlen(text)).text);
}

static int parse_prefix(const char *text, struct route_prefix *out, struct err *err)
{
	char address[IP_TEXT_BYTES], *end;
	const char *slash = strchr(text, '/');
	struct ip ip;

	if (!slash || (size_t)(slash - text) >= sizeof(address) || slash[1] < '0' || slash[1] > '9')
		return not_a_prefix(text, err);
	memcpy(address, text, (size_t)(slash - text));
	address[slash - text] = '\0';
	unsigned long len = strtoul(slash + 1, &end, 10);

	if (*end != '\0' || end - slash > 4 || ip_parse(address, &ip) != 0 ||
	    len < (ip.family == AF_INET ? 8 : 32) || len > address_bits(ip.family))
		return not_a_prefix(text, err);
	*out = route_prefix_of(&ip, (uint8_t)len);
	return ip_equal(&out->first, &ip) ? 0 : not_a_prefix(text, err);
}

static int take_anyip(struct command *c, struct err *err)
{
	struct route_prefix prefix = {.len = 0};
	int failed = parse_prefix(c->pool_text, &prefix, err);

	if (failed < 0)
		return failed;
	struct ip last = last_of(&prefix);

	if (!ip_is_host(&prefix.first) || !ip_is_host(&last))
		return not_a_prefix(c->pool_text, err);
	failed = check_range(c, &prefix.first, &last, err);
	if (failed < 0)
		return failed;
	if (is_loopback(&prefix.first)) {
		printf("%s: local already, nothing to add\n", c->pool_text);
		return 0;
	}
	c->list.is_anyip = true;
	c->list.prefix_len = prefix.len;
	c->ranges[0] = (struct range){.first = prefix.first, .count = 1};
	c->list.ranges = (struct ranges){.at = c->ranges, .count = 1, .addresses = 1};
	return 0;
}

static int take_pool(struct command *c, struct err *err)
{
	if (c->anyip && c->prefix_len > 0)
		return err_set(err, -EINVAL, "--prefix: --anyip has that of POOL");
	if (c->anyip)
		return take_anyip(c, err);
	int failed = pool_parse(c->pool_text, &c->pool, err);

	if (failed == 0)
		failed = take_ranges(c, err);
	if (failed < 0)
		return failed;
	uint8_t bits = address_bits(c->pool.ranges[0].first.family);

	if (c->prefix_len > bits)
		return err_set(err, -EINVAL, "--prefix %u: an IPv4 address has 32 bits",
		               (unsigned int)c->prefix_len);
	c->list.prefix_len = c->prefix_len > 0 ? (uint8_t)c->prefix_len : bits;
	return 0;
}

static int take_link(struct command *c, struct err *err)
{
	int failed = link_find(c->device, &c->link);

	if (failed == -ENODEV || failed == -EINVAL || failed == -ENAMETOOLONG)
		return err_set(err, -EINVAL, "--dev %s: there is no such link (see: ip link)",
		               text_quote(c->device, strlen(c->device)).text);
	if (failed < 0)
		return err_set(err, failed, "cannot look at %s: %s",
		               text_quote(c->device, strlen(c->device)).text, strerror(-failed));
	c->list.link = c->link.index;
	memcpy(c->list.link_name, c->link.name, sizeof(c->link.name));
	return 0;
}

/* POOL and DEV: what is given, else what FILE says. -EPERM for public addresses. */
static int prepare(struct command *c, struct err *err)
{
	if (c->config) {
		int failed = classic_conf_read(c->config, &c->conf, err);

		if (failed < 0)
			return -EINVAL;
		c->pool_text = c->pool_text ? c->pool_text : c->conf.client_ips;
		c->device = c->device ? c->device : c->conf.device;
	}
	if (!c->pool_text)
		return err_set(err, -EINVAL,
		               "which addresses? megaconn addr ping 192.168.1.200-219 --dev eth0 "
		               "(see 'megaconn addr --help')");
	if (!c->device && !c->anyip)
		return err_set(err, -EINVAL, "on which link? --dev eth0 (see: ip link)");
	c->device = c->device ? c->device : "lo";
	int failed = take_link(c, err);

	return failed < 0 ? failed : take_pool(c, err);
}

static int exit_of_prepare(int failed)
{
	return failed == -EPERM ? EXIT_REFUSED : failed == -EINVAL ? EXIT_USAGE : EXIT_FAILED;
}

/* ---- ping ----------------------------------------------------------------------------------- */

static int ping(struct command *c)
{
	const struct ranges *ranges = &c->list.ranges;
	struct err err = {""};
	int failed = prepare(c, &err);

	if (failed < 0)
		return refuse(&err, exit_of_prepare(failed));
	if (ranges->count == 0) {
		classic_next(CLASSIC_PINGED, c->config);
		return EXIT_PASS;
	}
	size_t bytes = ranges->addresses * sizeof(struct neighbour);
	struct neighbour *neighbours = marks_of(bytes, &err);

	failed = neighbours ? neighbour_ask(&c->link, ranges, neighbours, &err) : -ENOMEM;
	if (failed < 0)
		return refuse(&err, exit_of(failed));
	addr_tell_taken(ranges, neighbours);
	addr_tell_free(ranges, neighbours, c->link.name);
	struct addr_counts counts = addr_count(ranges, neighbours);

	bool is_taken = counts.of[NEIGHBOUR_TAKEN] + counts.of[NEIGHBOUR_ECHOES] > 0;

	map_drop(neighbours, bytes);
	classic_next(is_taken ? CLASSIC_PINGED_TAKEN : CLASSIC_PINGED, c->config);
	return is_taken ? EXIT_FAILED : EXIT_PASS;
}

/* ---- up ------------------------------------------------------------------------------------- */

/* Whether to go on: 0, or an exit code with its line printed. */
static int ask_first(const struct command *c, const struct ranges *ranges)
{
	struct err err = {""};
	size_t bytes = ranges->addresses * sizeof(struct neighbour);
	struct neighbour *neighbours = marks_of(bytes, &err);
	int failed = neighbours ? neighbour_ask(&c->link, ranges, neighbours, &err) : -ENOMEM;

	if (failed < 0)
		return refuse(&err, failed == -ENETDOWN ? EXIT_REFUSED : exit_of(failed));
	struct addr_counts counts = addr_count(ranges, neighbours);
	uint32_t taken = counts.of[NEIGHBOUR_TAKEN] + counts.of[NEIGHBOUR_ECHOES];

	if (taken > 0)
		addr_tell_taken(ranges, neighbours);
	map_drop(neighbours, bytes);
	if (taken == 0 || c->force)
		return 0;
	err_set(&err, 0,
	        "%u of %u addresses are taken, nothing was added: choose others, or --force", taken,
	        ranges->addresses);
	return refuse(&err, EXIT_REFUSED);
}

/* A local route goes before all others: it cuts off what it has of a network of ours. */
static int check_cover(const struct command *c, struct err *err)
{
	char text[IP_TEXT_BYTES];
	unsigned int asked_link = link_has_neighbours(&c->link) ? c->link.index : 0;
	struct address own;
	int found = c->force ? 0 : addresses_covers_network(&c->list, asked_link, &own);

	if (found < 0)
		return err_set(err, found, "cannot ask the kernel for this host's addresses: %s",
		               strerror(-found));
	if (found == 0)
		return 0;
	return err_set(err, -EPERM,
	               "%s reaches into the network of this host's %s/%u: neighbours there "
	               "would be out of reach (--dev LINK asks them where it is a part of one; "
	               "--force, if that is meant)",
	               c->pool_text, ip_format(&own.ip, text), own.prefix_len);
}

/* A prefix is asked for address by address, where there are not too many of them. */
static int ask_anyip_first(struct command *c)
{
	const struct ip *first = &c->list.ranges.at[0].first;
	uint32_t host_bits = (uint32_t)address_bits(first->family) - c->list.prefix_len;
	struct err err = {""};
	int failed = check_cover(c, &err);

	if (failed < 0)
		return refuse(&err, exit_of(failed));
	if (!link_has_neighbours(&c->link))
		return 0;
	/* The first and the last one too: in a larger network they are hosts as any other. */
	if (host_bits <= ANYIP_ASKED_BITS) {
		const struct range all = {.first = *first, .count = UINT32_C(1) << host_bits};
		const struct ranges asked = {.at = &all, .count = 1, .addresses = all.count};

		return ask_first(c, &asked);
	}
	if (c->force)
		return 0;
	err_set(&err, 0,
	        "%s has more addresses than can be asked for on %s (%d): --force goes on without",
	        c->pool_text, c->link.name, 1 << ANYIP_ASKED_BITS);
	return refuse(&err, EXIT_REFUSED);
}

static int only_say(const struct command *c, uint8_t *marks)
{
	struct err err = {""};

	if (addresses_look(&c->list, marks, &err) < 0)
		return refuse(&err, EXIT_FAILED);
	addr_tell_marked(&c->list, marks, ADDRESSES_NEW, "would add");
	addr_tell_marked(&c->list, marks, ADDRESSES_THERE, "would leave alone, is there already:");
	if (c->dry_run)
		return EXIT_PASS;
	err_set(&err, 0, "adding addresses takes root (CAP_NET_ADMIN): sudo megaconn addr up");
	return refuse(&err, EXIT_REFUSED);
}

static int add(struct command *c, uint8_t *marks)
{
	const struct address_list *list = &c->list;
	struct err err = {""};
	int code = c->anyip ? ask_anyip_first(c) : ask_first(c, &list->ranges);

	if (code != 0)
		return code;
	int failed = addresses_up(list, link_has_neighbours(&c->link), marks, &err);

	if (failed == -EADDRINUSE)
		addr_tell_marked(list, marks, ADDRESSES_FAILED, "duplicate:");
	if (failed < 0)
		return refuse(&err, exit_of(failed));
	addr_tell_marked(list, marks, ADDRESSES_THERE, "is there already, left alone:");
	addr_tell_marked(list, marks, ADDRESSES_ADDED, "added");
	if (!memchr(marks, ADDRESSES_ADDED, list->ranges.addresses))
		return EXIT_PASS;
	if (list->is_anyip && list->ranges.at[0].first.family == AF_INET6)
		printf("note: megaconn binds these; other programs need IPV6_FREEBIND, or "
		       "net.ipv6.ip_nonlocal_bind=1\n");
	printf("%s takes away what was added\n",
	       c->config ? "make ifdown" : "next: megaconn addr down");
	return EXIT_PASS;
}

static int up(struct command *c)
{
	struct err err = {""};
	int failed = prepare(c, &err);

	if (failed < 0)
		return refuse(&err, exit_of_prepare(failed));
	if (c->list.ranges.count == 0) {
		classic_next(CLASSIC_UP, c->config);
		return EXIT_PASS;
	}
	uint8_t *marks = marks_of(c->list.ranges.addresses, &err);

	if (!marks)
		return refuse(&err, EXIT_FAILED);
	int code = c->dry_run || geteuid() != 0 ? only_say(c, marks) : add(c, marks);

	map_drop(marks, c->list.ranges.addresses);
	if (code == EXIT_PASS && !c->dry_run)
		classic_next(CLASSIC_UP, c->config);
	return code;
}

/* ---- down, show ----------------------------------------------------------------------------- */

static void complain(void *context, const struct err *err)
{
	(void)context;
	err_print(err);
}

static int ended(int result, const struct err *err)
{
	if (result == 0)
		printf("nothing to do: megaconn has added no address here\n");
	else if (result < 0)
		err_print(err); /* empty where it was complained about */
	return result < 0 ? exit_of(result) : EXIT_PASS;
}

static int down(struct command *c)
{
	const struct addresses_view view = {
		.context = &c->dry_run, .event = addr_tell_event, .complain = complain};
	const struct addresses_down how = {.dry_run = c->dry_run, .force = c->force, .view = &view};
	struct pidfile_process who;
	struct err err = {""};

	if (!c->dry_run && !c->force && classic_runs(CLASSIC_SIDE_CLIENT, &who)) {
		err_set(&err, 0,
		        "the client that run-cli started runs (pid %d), and would lose its "
		        "connections: make stop-cli first, or megaconn addr down --force",
		        who.pid);
		return refuse(&err, EXIT_REFUSED);
	}
	int code = ended(addresses_down(&how, &err), &err);

	if (code == EXIT_PASS && !c->dry_run)
		classic_next(CLASSIC_DOWN, c->config);
	return code;
}

static int show(struct command *c)
{
	const struct addresses_view view = {
		.context = &c->dry_run, .event = addr_tell_event, .complain = complain};
	struct err err = {""};

	return ended(addresses_show(&view, &err), &err);
}

/* ---- the command ---------------------------------------------------------------------------- */

static const struct verb {
	const char *name;
	int (*act)(struct command *c);
	bool has_pool;
	const char *help;
} verbs[] = {
	{"ping", ping, true,
         "which of the addresses somebody has: ARP, neighbour solicitation, echo"},
	{"up", up, true, "adds them to the link, if nobody has them"},
	{"down", down, false, "takes away exactly what up has added, also after a crash"},
	{"show", show, false, "what up has added and how much of it is there"},
};
#define VERB_COUNT (sizeof(verbs) / sizeof(verbs[0]))

static void print_help(void)
{
	printf("usage: megaconn addr ping POOL --dev DEV\n"
	       "       megaconn addr up POOL --dev DEV [--prefix LEN] [options]\n"
	       "       megaconn addr up PREFIX --anyip [--dev DEV] [options]\n"
	       "       megaconn addr down | show [options]\n\n"
	       "Source addresses. POOL is 192.168.1.200-219, 198.18.0.1,198.18.0.9,\n"
	       "10.1.0.0/24, 2001:2::10-2001:2::20 or a mixture with commas.\n\n");
	for (size_t i = 0; i < VERB_COUNT; i++)
		printf("  %-10s %s\n", verbs[i].name, verbs[i].help);
	printf("\n");
	opt_print_help(options, OPTION_COUNT);
	printf("\ndown --force: forgets what is damaged or of another network namespace, and\n"
	       "deletes a primary address also where others' addresses go with it, and addresses\n"
	       "that the client of make run-cli holds connections from.\n\n"
	       "What up adds is written to " JOURNAL_DIR " before.\n\n"
	       "exit codes: 0 done, or none is taken; 1 failed, or some are taken (ping);\n"
	       "2 usage; 4 refused: an address is taken (up) or in use (down), or it takes root\n");
}

static int check_operands(const struct verb *verb, int argc, char **argv, int at, struct command *c,
                          struct err *err)
{
	int most = verb->has_pool ? 1 : 0;

	if (argc - at > most)
		return err_set(err, -EINVAL, "unexpected '%s' (see 'megaconn addr --help')",
		               text_quote(argv[at + most], strlen(argv[at + most])).text);
	if (!verb->has_pool && (c->prefix_len > 0 || c->anyip || c->allow_public || c->device))
		return err_set(err, -EINVAL,
		               "addr %s takes only --dry-run and --force (see 'megaconn addr "
		               "--help')",
		               verb->name);
	if (verb->act == ping && (c->prefix_len > 0 || c->anyip || c->force || c->dry_run))
		return err_set(err, -EINVAL,
		               "addr ping takes only --dev, --config and --allow-public (see "
		               "'megaconn addr --help')");
	c->pool_text = argc > at ? argv[at] : NULL;
	return 0;
}

static int find_verb(int argc, char **argv, struct command *c, const struct verb **verb,
                     struct err *err)
{
	const struct verb_table table = {.command = "addr",
	                                 .ask = "ping, up, down or show?",
	                                 .rows = verbs,
	                                 .row_bytes = sizeof(verbs[0]),
	                                 .row_count = VERB_COUNT,
	                                 .is_alone = false};
	int at;
	int failed = opt_parse(options, OPTION_COUNT, "addr", argc, argv, c, &at, err);

	if (failed < 0 || c->help)
		return failed;
	*verb = verb_find(&table, argc, argv, at, err);
	return *verb ? check_operands(*verb, argc, argv, at + 1, c, err) : -EINVAL;
}

int cmd_addr(int argc, char **argv)
{
	static struct command c;
	const struct verb *verb = NULL;
	struct err err = {""};

	if (find_verb(argc, argv, &c, &verb, &err) < 0)
		return refuse(&err, EXIT_USAGE);
	if (c.help || !verb) {
		print_help();
		return EXIT_PASS;
	}
	return verb->act(&c);
}
