/* via: addresses.
 *
 *                clients              box                                        servers
 *     IPv4       198.18.255.1   <->   198.18.255.2   198.18.255.3   <->   198.19.255.1
 *     IPv6       2001:2::ff:1         2001:2::ff:2   2001:2::ff:3         2001:2::fe:1
 *
 * 198.18.255.3 is also what NAT gives connections as their source. A proxy listens on 198.19.1.1
 * (2001:2::fd:1), and connects from 198.18.254.1 ... (2001:2::fc:1 ...). All are host addresses,
 * and each network has one route to the rest, by the box; the box has one to each side. */
#include "run/via.h"

#include "kernel/channel.h"
#include "kernel/conntrack.h"
#include "kernel/netlink.h"
#include "kernel/netns.h"
#include "kernel/pair.h"
#include "kernel/program.h"
#include "kernel/route.h"
#include "kernel/sysctl.h"
#include "plan/capacity.h"
#include "run/via_proxy.h"
#include "run/via_rules.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HASH_LEAST    16384
#define INDEX_CLIENTS 101 /* of the box's links */
#define INDEX_SERVERS 102
#define TRACKED_BYTES 320 /* of an entry of the table, and what NAT adds to it */

static const struct {
	const char *clients, *to_clients, *to_servers, *servers; /* ends of the wires */
	const char *proxy, *proxy_source;
	const char *all, *near, *far; /* prefixes: of the lab, of clients and of servers */
	uint8_t all_len, near_len, far_len;
} networks[2] = {
	{"198.18.255.1", "198.18.255.2", "198.18.255.3", "198.19.255.1", "198.19.1.1",
         "198.18.254.1", "198.18.0.0", "198.18.0.0", "198.19.0.0", 15, 16, 16},
	{"2001:2::ff:1", "2001:2::ff:2", "2001:2::ff:3", "2001:2::fe:1", "2001:2::fd:1",
         "2001:2::fc:1", "2001:2::", "2001:2::1:0", "2001:2::", 64, 112, 112},
};

static bool is_ipv6(const struct experiment *x)
{
	return x->tuples.target.family == AF_INET6;
}

static struct ip address(const char *text)
{
	struct ip ip;

	(void)ip_parse(text, &ip);
	return ip;
}

/* --- before the run ------------------------------------------------------------------------- */

int via_choose(const struct via *box, const struct limits *limits, struct experiment *x,
               struct err *err)
{
	x->via.box = *box;
	if (via_is_proxy(box->kind))
		return via_proxy_choose(limits, x, err);
	return program_find("nft", x->via.program) == 0
	               ? 0
	               : err_set(err, -ENOENT,
	                         "--via %s needs nft(8), which is not here: apt-get install "
	                         "nftables",
	                         via_name(box->kind));
}

void via_aim(struct experiment *x)
{
	x->via.server = x->tuples.target;
	if (via_is_proxy(x->via.box.kind))
		x->tuples.target = address(networks[is_ipv6(x)].proxy);
}

uint64_t via_bytes(const struct experiment *x)
{
	if (x->via.box.kind == VIA_NONE)
		return 0;
	if (!via_is_proxy(x->via.box.kind))
		return TRACKED_BYTES;
	return capacity_connection_bytes(2, is_ipv6(x)) + VIA_PROXY_BYTES;
}

/* --- networks ------------------------------------------------------------------------------- */

int via_go(const struct experiment *x, enum via_place place)
{
	const int nets[] = {
		[VIA_SERVERS] = x->via.servers_net,
		[VIA_BOX] = x->via.box_net,
		[VIA_CLIENTS] = x->via.clients_net,
	};

	return netns_enter(nets[place]);
}

static int make_networks(struct experiment *x, struct err *err)
{
	uint64_t hash = 2 * x->n > HASH_LEAST ? 2 * x->n : HASH_LEAST;

	x->via.servers_net = netns_here();
	x->via.box_net = netns_make(via_is_proxy(x->via.box.kind) ? hash : HASH_LEAST);
	x->via.clients_net = netns_make(hash);
	if (x->via.servers_net < 0)
		return err_set(err, x->via.servers_net, "cannot open /proc/self/ns/net: %s",
		               strerror(-x->via.servers_net));
	int failed = x->via.box_net < 0 ? x->via.box_net : x->via.clients_net;

	if (failed >= 0)
		return 0;
	return err_set(err, failed, "cannot make a network for the box: %s%s", strerror(-failed),
	               failed == -ENOSPC ? " (see user.max_net_namespaces)" : "");
}

/* A route from here to a prefix, over a link, by the other end of its wire. */
static int add_route(const char *prefix, uint8_t len, const char *link, const char *gateway)
{
	const struct route_prefix to = {.first = address(prefix), .len = len};
	const struct ip by = address(gateway);
	unsigned int index = if_nametoindex(link);
	struct channel c;
	int result = index > 0 ? channel_open(&c) : -errno;

	if (result != 0)
		return result;
	result = route_add_link(&c, &to, index, &by);
	channel_close(&c);
	return result;
}

static int set_up_end(const char *link, const char *own)
{
	const struct ip ip = address(own);
	int result = pair_set_up(link, ip.family == AF_INET6);

	return result == 0 ? netlink_add_addresses(link, &ip, 1) : result;
}

static int set_up_side(const struct experiment *x, enum via_place place)
{
	bool v6 = is_ipv6(x);
	const char *own = place == VIA_CLIENTS ? networks[v6].clients : networks[v6].servers;
	const char *by = place == VIA_CLIENTS ? networks[v6].to_clients : networks[v6].to_servers;
	int result = via_go(x, place);

	if (result == 0)
		result = set_up_end("box", own);
	return result == 0 ? add_route(networks[v6].all, networks[v6].all_len, "box", by) : result;
}

/* What a host asks of a packet's source would depend on the host's own settings. Link-local
 * addresses are nobody else's, and good at once. */
static void let_packets_pass(void)
{
	(void)sysctl_set("net.ipv6.conf.default.accept_dad", "0");
	(void)sysctl_set("net.ipv6.conf.default.router_solicitations", "0");
	(void)sysctl_set("net.ipv4.conf.all.rp_filter", "0");
	(void)sysctl_set("net.ipv4.conf.default.rp_filter", "0");
	(void)sysctl_set("net.ipv4.conf.all.arp_ignore", "0");
}

static int set_up_box(const struct experiment *x)
{
	bool v6 = is_ipv6(x);
	int result = via_go(x, VIA_BOX);

	if (result == 0)
		result = set_up_end("clients", networks[v6].to_clients);
	if (result == 0)
		result = set_up_end("servers", networks[v6].to_servers);
	if (result == 0)
		result = add_route(networks[v6].near, networks[v6].near_len, "clients",
		                   networks[v6].clients);
	if (result == 0)
		result = add_route(networks[v6].far, networks[v6].far_len, "servers",
		                   networks[v6].servers);
	if (result == 0)
		result = sysctl_set(v6 ? "net.ipv6.conf.all.forwarding" : "net.ipv4.ip_forward",
		                    "1");
	return result;
}

/* Before there are links: they take their settings from the default's. */
static int lay_wires(const struct experiment *x, struct err *err)
{
	int result = via_go(x, VIA_BOX);

	let_packets_pass();
	if (result == 0)
		result = via_go(x, VIA_CLIENTS);
	let_packets_pass();
	if (result == 0)
		result = pair_make("box", x->via.box_net, "clients", INDEX_CLIENTS, err);
	if (result != 0)
		return result;
	result = via_go(x, VIA_SERVERS);
	let_packets_pass();
	return result == 0 ? pair_make("box", x->via.box_net, "servers", INDEX_SERVERS, err)
	                   : result;
}

/* All four ends are up. */
static int await_wires(const struct experiment *x)
{
	int result = pair_await("clients"); /* the caller is at the box */

	if (result == 0)
		result = pair_await("servers");
	if (result == 0)
		result = via_go(x, VIA_CLIENTS);
	if (result == 0)
		result = pair_await("box");
	if (result == 0)
		result = via_go(x, VIA_SERVERS);
	return result == 0 ? pair_await("box") : result;
}

int via_open(struct experiment *x, struct err *err)
{
	int result = make_networks(x, err);

	if (result == 0)
		result = lay_wires(x, err);
	if (result != 0)
		return result;
	result = set_up_side(x, VIA_CLIENTS);
	if (result == 0)
		result = set_up_side(x, VIA_SERVERS);
	if (result == 0)
		result = set_up_box(x);
	if (result == 0)
		result = await_wires(x);
	int back = via_go(x, VIA_SERVERS);

	result = result == 0 ? back : result;
	return result == 0 ? 0
	                   : err_set(err, result, "cannot set up the wires to the box: %s",
	                             strerror(-result));
}

/* --- the box -------------------------------------------------------------------------------- */

int via_start(struct experiment *x, struct err *err)
{
	bool v6 = is_ipv6(x);
	const struct ip outside = address(networks[v6].to_servers);
	const struct ip from = address(networks[v6].proxy_source);
	int result = via_go(x, VIA_BOX), back;

	if (result != 0)
		return err_set(err, result, "cannot enter the box's network: %s",
		               strerror(-result));
	if (!via_is_proxy(x->via.box.kind)) {
		result = via_rules_set(x, &outside, err);
	} else {
		result = netlink_add_addresses("lo", &x->tuples.target, 1);
		if (result == 0)
			result = netlink_add_addresses("servers", &from, x->via.source_ips);
		result = result == 0 ? via_proxy_start(x, &from, err)
		                     : err_set(err, result, "cannot add a proxy's addresses: %s",
		                               strerror(-result));
	}
	back = via_go(x, VIA_SERVERS);
	return result == 0 ? back : result;
}

static uint64_t known(uint64_t value)
{
	return value < LIMITS_UNKNOWN ? value : RESULT_UNKNOWN;
}

/* Of a kernel that tracks: its own limit counts where the box has none that is less. */
static void look_at_table(const struct experiment *x, struct result_via *out)
{
	struct conntrack_stat stat;
	uint64_t count, most;

	if (sysctl_get_u64("net.netfilter.nf_conntrack_count", &count) == 0)
		out->entries = count;
	if (x->via.box.kind == VIA_CONNTRACK &&
	    sysctl_get_u64("net.netfilter.nf_conntrack_max", &most) == 0 && most > 0 &&
	    most < out->limit) {
		out->limit = most;
		out->is_given = false;
	}
	conntrack_read_stat(&stat);
	out->dropped = known(stat.drop);
	out->insert_failed = known(stat.insert_failed);
	via_rules_look(x, out);
}

void via_look(const struct experiment *x, struct result_via *out)
{
	memset(out, 0xff, sizeof(*out));
	out->kind = x->via.box.kind;
	out->is_given = x->via.box.limit > 0;
	if (out->is_given)
		out->limit = x->via.box.limit;
	else if (out->kind == VIA_NAT)
		out->limit = VIA_PORTS_MOST;
	if (via_is_proxy(out->kind)) {
		via_proxy_look(x, out);
	} else if (via_go(x, VIA_BOX) == 0) {
		look_at_table(x, out);
		(void)via_go(x, VIA_SERVERS);
	}
}

void via_end(const struct experiment *x)
{
	if (via_is_proxy(x->via.box.kind))
		via_proxy_end(x);
}
