/* via_rules: nft(8) as a program: its library would be one more that everybody has to install.
 *
 * The table's limit is net.netfilter.nf_conntrack_max: one number of the machine, read-only in
 * network namespaces, with which each namespace's count is compared. A limit of the box's own is
 * `ct count` (net/netfilter/nft_connlimit.c): it counts the entries that there are, looking through
 * all of them for those that are gone, once a jiffy: exact, but slower the more there are
 * (docs/boxes.md).
 *
 * NAT (net/netfilter/nf_nat_core.c, nf_nat_l4proto_unique_tuple) keeps a port that is free for the
 * same server; else it looks at 240 of the range at most, from random ones on. So of a range that
 * is nearly used up the last ports are found by chance, in several tries. A connection that found
 * none is dropped when its entry is made (insert_failed). */
#include "run/via_rules.h"

#include "kernel/program.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define RULES_BYTES 1024
#define SAID_BYTES  4096

static const char *family_of(const struct ip *ip)
{
	return ip->family == AF_INET6 ? "ip6" : "ip";
}

static void write_nat(const struct experiment *x, const struct ip *outside, struct text *t)
{
	uint64_t ports = x->via.box.limit;
	bool is_ipv6 = outside->family == AF_INET6;
	char source[IP_TEXT_BYTES];

	text_add(t, "\tchain outwards {\n\t\ttype nat hook postrouting priority 100;\n"
	            "\t\tmeta l4proto tcp oifname \"servers\" snat to ");
	text_add(t, is_ipv6 ? "[%s]" : "%s", ip_format(outside, source));
	if (ports > 0)
		text_add(t, ":%d-%llu", VIA_PORT_LOW,
		         (unsigned long long)(VIA_PORT_LOW + ports - 1));
	text_add(t, "\n\t}\n");
}

void via_rules_write(const struct experiment *x, const struct ip *outside, struct text *t)
{
	uint64_t limit = x->via.box.limit;

	text_add(t, "table %s megaconn {\n\tcounter refused { }\n\tcounter invalid { }\n",
	         family_of(outside));
	text_add(t, "\tchain through {\n\t\ttype filter hook forward priority 0;\n"
	            "\t\tct state invalid counter name invalid drop\n");
	if (x->via.box.kind == VIA_CONNTRACK && limit > 0)
		text_add(t, "\t\tct state new ct count over %llu counter name refused drop\n",
		         (unsigned long long)limit);
	text_add(t, "\t}\n");
	if (x->via.box.kind == VIA_NAT)
		write_nat(x, outside, t);
	text_add(t, "}\n");
}

uint64_t via_rules_packets(const char *said, const char *counter)
{
	static const char packets[] = "packets ";
	char name[64];
	struct text t;

	text_init(&t, name, sizeof(name));
	text_add(&t, "counter %s {", counter);
	const char *at = strstr(said, name);

	at = at ? strstr(at, packets) : NULL;
	return at ? strtoull(at + sizeof(packets) - 1, NULL, 10) : RESULT_UNKNOWN;
}

/* Runs it to its end; its exit code or a negative errno. */
static int run(const char *const *argv, int in, int out)
{
	const struct program nft = {.path = argv[0], .argv = argv, .net = -1, .in = in, .out = out};
	pid_t pid = program_start(&nft);

	return pid < 0 ? (int)pid : program_wait(pid);
}

int via_rules_set(const struct experiment *x, const struct ip *outside, struct err *err)
{
	const char *const argv[] = {x->via.program, "-f", "/proc/self/fd/0", NULL};
	char rules[RULES_BYTES], line[256];
	struct text t;

	text_init(&t, rules, sizeof(rules));
	via_rules_write(x, outside, &t);
	int in = program_text(rules, t.len), out = program_text("", 0);
	int code = in >= 0 && out >= 0 ? run(argv, in, out) : -ENOMEM;

	program_last_line(out, line, sizeof(line));
	close(in);
	close(out);
	if (code == 0)
		return 0;
	return err_set(err, -EPERM, "nft(8) cannot set the rules of --via %s: %s",
	               via_name(x->via.box.kind),
	               code < 0       ? strerror(-code)
	               : line[0] != 0 ? line
	                              : "it says nothing");
}

void via_rules_look(const struct experiment *x, struct result_via *out)
{
	const char *const argv[] = {x->via.program, "list", "counters", NULL};
	char said[SAID_BYTES];
	int in = program_text("", 0), to = program_text("", 0);

	if (in >= 0 && to >= 0 && run(argv, in, to) == 0) {
		ssize_t len = pread(to, said, sizeof(said) - 1, 0);

		said[len > 0 ? len : 0] = '\0';
		out->refused = via_rules_packets(said, "refused");
		out->invalid = via_rules_packets(said, "invalid");
	}
	close(in);
	close(to);
}
