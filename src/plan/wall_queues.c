/* wall_queues: what the network has tables and queues for.
 *
 * Of these only connection tracking and the neighbour table stop connections from being held; the
 * others cut bursts, slow look-ups down, or decide how connections end. */
#include "plan/wall_queues.h"

#include "plan/saturate.h"

#define QUEUE_MOST   65535
#define SYN_MOST     65536
#define BACKLOG_MOST 65536
#define BHASH_MOST   65536 /* net/ipv4/tcp.c, tcp_init: no more for all namespaces together */
#define TRACK_CHAIN  8     /* entries a bucket that are slow                                */
#define TRACK_HELLO  1     /* connect's question whether the server echoes, for 10 s        */

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void judge_somaxconn(const struct walls_case *c, struct wall_row *row,
                            struct wall_report *out)
{
	wall_slows(out, row, "net.core.somaxconn", c->limits->somaxconn, least(c->n, QUEUE_MOST),
	           "connections a listening socket keeps until they are accepted, and one more");
}

static void judge_syn_backlog(const struct walls_case *c, struct wall_row *row,
                              struct wall_report *out)
{
	wall_slows(out, row, "net.ipv4.tcp_max_syn_backlog", c->limits->syn_backlog,
	           least(c->n, SYN_MOST), "handshakes under way a listening socket");
}

static void judge_syncookies(const struct walls_case *c, struct wall_row *row,
                             struct wall_report *out)
{
	wall_slows(out, row, "net.ipv4.tcp_syncookies", c->limits->syncookies, 1,
	           "with 0, handshakes beyond the SYN backlog are dropped");
}

static void judge_netdev(const struct walls_case *c, struct wall_row *row, struct wall_report *out)
{
	wall_slows(out, row, "net.core.netdev_max_backlog", c->limits->netdev_max_backlog,
	           least(c->n / 64, BACKLOG_MOST),
	           "packets a CPU that wait; keep-alives come in bursts");
}

static void judge_orphans(const struct walls_case *c, struct wall_row *row, struct wall_report *out)
{
	wall_slows(out, row, "net.ipv4.tcp_max_orphans", c->limits->max_orphans, wall_numbered(c),
	           "sockets closing without a process; beyond, they are reset");
}

static void judge_tw_buckets(const struct walls_case *c, struct wall_row *row,
                             struct wall_report *out)
{
	wall_slows(out, row, "net.ipv4.tcp_max_tw_buckets", c->limits->max_tw_buckets,
	           wall_numbered(c), "sockets in TIME_WAIT; beyond, they end early");
}

static void judge_tw_reuse(const struct walls_case *c, struct wall_row *row,
                           struct wall_report *out)
{
	static const char *const words[] = {": a port in TIME_WAIT is taken for 60 s",
	                                    ": ports in TIME_WAIT are used again after 1 s",
	                                    ": ports in TIME_WAIT are used again on loopback"};
	uint64_t mode = c->limits->tw_reuse;
	struct text t;

	(void)out;
	if (!wall_value(row, mode <= 2 ? mode : LIMITS_UNKNOWN))
		return;
	t = wall_shown(row);
	text_add(&t, "%s", words[mode]);
}

/* "262,144 buckets: 7.6 sockets each at n" */
static void show_load(struct wall_row *row, uint64_t buckets, uint64_t entries, const char *what)
{
	uint64_t tenths = buckets > 0 ? saturate_times(entries, 10) / buckets : 0;
	struct text t = wall_shown(row);

	row->value = buckets;
	text_count(&t, buckets);
	text_add(&t, " buckets: %llu.%llu %s each at N", (unsigned long long)(tenths / 10),
	         (unsigned long long)(tenths % 10), what);
}

static void judge_ehash(const struct walls_case *c, struct wall_row *row, struct wall_report *out)
{
	struct text t;

	(void)out;
	if (c->limits->ehash_entries >= LIMITS_UNKNOWN) {
		wall_value(row, LIMITS_UNKNOWN);
		return;
	}
	row->needed = saturate_times(c->n, c->ends);
	show_load(row, c->limits->ehash_entries, row->needed, "sockets");
	if (row->value < row->needed / 4) {
		t = wall_fix(row);
		text_add(&t, "slow, no stop: boot with thash_entries=%llu; a lab has its own",
		         (unsigned long long)wall_numbered(c) * c->ends);
	}
}

static void judge_bhash(const struct walls_case *c, struct wall_row *row, struct wall_report *out)
{
	(void)out;
	if (c->limits->ehash_entries >= LIMITS_UNKNOWN) {
		wall_value(row, LIMITS_UNKNOWN);
		return;
	}
	show_load(row, least(c->limits->ehash_entries, BHASH_MOST), c->n, "local ports");
}

static bool is_tracked(const struct walls_case *c, struct wall_row *row)
{
	struct text t = wall_shown(row);

	if (c->is_private || c->limits->conntrack == LIMITS_USE_NO) {
		text_add(&t, "not in use: no rule of this network tracks connections");
		return false;
	}
	if (c->limits->conntrack == LIMITS_USE_UNKNOWN) {
		row->state = WALL_UNKNOWN;
		text_add(&t, "unknown whether connections are tracked here");
		return false;
	}
	return true;
}

/* A quarter more than is needed, for others; the kernel's type is an int. */
static uint64_t conntrack_wanted(const struct walls_case *c, uint64_t count)
{
	uint64_t needed = saturate_plus(wall_numbered(c), count);

	return least(saturate_plus(needed, needed / 4), INT32_MAX);
}

static void judge_conntrack(const struct walls_case *c, struct wall_row *row,
                            struct wall_report *out)
{
	uint64_t most = c->limits->conntrack_max, count = c->limits->conntrack_count;
	struct text t;

	if (!is_tracked(c, row) || !wall_value(row, most))
		return;
	if (count >= LIMITS_UNKNOWN) {
		row->state = WALL_UNKNOWN;
		return;
	}
	if (c->role == WALL_ROLE_CLIENT)
		count += TRACK_HELLO;
	t = wall_shown(row);
	text_add(&t, " entries, ");
	text_count(&t, c->limits->conntrack_count);
	text_add(&t, " in use: rules here track connections");
	wall_bounds(row, most > count ? most - count : 0, saturate_plus(c->n, count));
	if (row->allows < c->n)
		wall_ask(out, row, "net.netfilter.nf_conntrack_max", "%llu",
		         (unsigned long long)conntrack_wanted(c, count));
	else
		wall_meets(out, row, "net.netfilter.nf_conntrack_max", "%llu",
		           (unsigned long long)most);
}

static void judge_conntrack_buckets(const struct walls_case *c, struct wall_row *row,
                                    struct wall_report *out)
{
	uint64_t buckets = c->limits->conntrack_buckets, wanted = 1024;

	if (!is_tracked(c, row))
		return;
	if (buckets >= LIMITS_UNKNOWN) {
		wall_value(row, LIMITS_UNKNOWN);
		return;
	}
	show_load(row, buckets, c->n, "entries");
	/* A power of two is what the kernel takes as it is (nf_conntrack_hash_resize). */
	while (wanted < wall_numbered(c) / 4)
		wanted *= 2;
	row->needed = wanted;
	if (buckets < c->n / TRACK_CHAIN)
		wall_ask(out, row, "net.netfilter.nf_conntrack_buckets", "%llu",
		         (unsigned long long)wanted);
	else
		wall_meets(out, row, "net.netfilter.nf_conntrack_buckets", "%llu",
		           (unsigned long long)buckets);
}

/* Source IPs that are not on the LAN need no entry. */
static uint64_t allowed_by_neighbours(const struct walls_case *c, uint64_t left)
{
	uint64_t sources = c->tuples->source_count;
	uint64_t elsewhere = sources > c->neighbours ? sources - c->neighbours : 0;

	return tuple_room(c->tuples) / sources * least(elsewhere + left, sources);
}

/* Addresses of this host that clients come from are neighbours of those on its LAN; addresses on
 * the LAN that clients come from are neighbours of this host's. */
static void judge_neighbours(const struct walls_case *c, struct wall_row *row,
                             struct wall_report *out)
{
	bool is_ipv6 = c->tuples && c->tuples->target.family == AF_INET6;
	uint64_t most = is_ipv6 ? c->limits->neigh6_max : c->limits->neigh4_max;
	uint64_t used = is_ipv6 ? c->limits->neigh6_used : c->limits->neigh4_used;
	const char *name = is_ipv6 ? "net.ipv6.neigh.default.gc_thresh3"
	                           : "net.ipv4.neigh.default.gc_thresh3";
	struct text t;

	if (!wall_value(row, most))
		return;
	t = wall_shown(row);
	if (!c->tuples || c->neighbours == 0) {
		text_add(&t, ": no client is on a LAN with this host%s",
		         c->is_loopback ? "" : "; a host on the LAN needs an entry a source IP");
		return;
	}
	if (used >= LIMITS_UNKNOWN) {
		row->state = WALL_UNKNOWN;
		return;
	}
	text_add(&t, ", ");
	text_count(&t, used);
	text_add(&t, " in use: one for each source IP on the LAN");
	row->needed = saturate_plus(used, c->neighbours);
	if (most >= row->needed) {
		wall_meets(out, row, name, "%llu", (unsigned long long)most);
		return;
	}
	row->allows = allowed_by_neighbours(c, most > used ? most - used : 0);
	wall_ask(out, row, name, "%llu", (unsigned long long)least(2 * row->needed, INT32_MAX));
}

static void show_feature(struct wall_row *row, const struct walls_feature *feature)
{
	struct text t = wall_shown(row);

	row->value = feature->is_there;
	text_add(&t, feature->is_there ? "yes%s%s" : "no%s%s", feature->why[0] ? ": " : "",
	         feature->why);
}

static void judge_uring(const struct walls_case *c, struct wall_row *row, struct wall_report *out)
{
	struct text t;

	(void)out;
	show_feature(row, &c->uring);
	if (c->uring.is_there)
		return;
	t = wall_fix(row);
	text_add(&t, "epoll takes its place, with a descriptor for each connection");
}

static void judge_namespaces(const struct walls_case *c, struct wall_row *row,
                             struct wall_report *out)
{
	struct text t;

	(void)out;
	show_feature(row, &c->namespaces);
	if (c->namespaces.is_there)
		return;
	t = wall_fix(row);
	text_add(&t, "a lab stays on the host's loopback; root, or user namespaces allowed, help");
}

static void judge_tun(const struct walls_case *c, struct wall_row *row, struct wall_report *out)
{
	struct walls_feature tun = {.is_there = c->limits->tun == LIMITS_USE_YES};
	struct text t;

	(void)out;
	if (c->limits->tun == LIMITS_USE_UNKNOWN) {
		wall_value(row, LIMITS_UNKNOWN);
		return;
	}
	t = (struct text){.at = tun.why, .size = sizeof(tun.why)};
	text_add(&t, "%s", c->limits->tun_why);
	show_feature(row, &tun);
	if (c->utcp.why[0] == '\0')
		return;
	t = wall_shown(row);
	text_add(&t, "; %s", c->utcp.why);
}

const struct wall_kind wall_queues[] = {
	{"conntrack_max", "nf_conntrack_max", NULL, judge_conntrack},
	{"conntrack_buckets", "nf_conntrack_buckets", NULL, judge_conntrack_buckets},
	{"neigh_gc_thresh3", "neighbour table gc_thresh3", NULL, judge_neighbours},
	{"somaxconn", "somaxconn", wall_for_servers, judge_somaxconn},
	{"tcp_max_syn_backlog", "tcp_max_syn_backlog", wall_for_servers, judge_syn_backlog},
	{"tcp_syncookies", "tcp_syncookies", wall_for_servers, judge_syncookies},
	{"netdev_max_backlog", "netdev_max_backlog", NULL, judge_netdev},
	{"tcp_max_orphans", "tcp_max_orphans", NULL, judge_orphans},
	{"tcp_max_tw_buckets", "tcp_max_tw_buckets", NULL, judge_tw_buckets},
	{"tcp_tw_reuse", "tcp_tw_reuse", wall_for_clients, judge_tw_reuse},
	{"tcp_ehash", "tcp_ehash_entries", NULL, judge_ehash},
	{"tcp_bhash", "TCP bind hash", wall_for_clients, judge_bhash},
	{"io_uring", "io_uring", NULL, judge_uring},
	{"user_namespaces", "private namespaces", NULL, judge_namespaces},
	{"tun", "TUN device", NULL, judge_tun},
	{0},
};
