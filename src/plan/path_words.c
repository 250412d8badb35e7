/* path_words: a function a kind; the advice is a table. */
#include "plan/path_words.h"

#include "base/text.h"

#include <assert.h>

#define FOR_MORE "; from this end alone it cannot be told where"
#define FEW      20 /* connections, of which one may have been the last one by chance */

static const char *const advices[] = {
	[PATH_NOT_KNOWN] = "",
	[PATH_CLEAR] = "",
	[PATH_ONE_END] =
		"let the server's end be asked (there serve --http ADDRESS:PORT, here --server-api "
		"URL)",
	[PATH_BLOCKED] = "look at routes and firewalls on the way, and at the server's own",
	[PATH_TABLE] = "raise the box's limit (on Linux net.netfilter.nf_conntrack_max, and its "
		       "buckets), let it forget sooner what is closed, or have it not track these "
		       "connections",
	[PATH_PORTS] = "give the NAT more addresses or a wider range of ports, or connect to more "
		       "server ports: to each of them it has all of its ports again",
	[PATH_ANSWERS] = "look at the way back: the server's route to these clients, rp_filter and "
			 "firewalls that do not see both directions",
	[PATH_QUEUE] =
		"see whether the server goes on to accept, or has as many as it may (its limit, "
		"its descriptors); else raise net.core.somaxconn, net.ipv4.tcp_max_syn_backlog and "
		"its backlog, or lower --rate; where its kernel dropped none, look at its firewall",
	[PATH_PROXY] =
		"raise the proxy's limit of connections (maxconn, worker_connections) and of "
		"descriptors (ulimit -n)",
	[PATH_SERVER_ENDS] =
		"look at the limit of connections of the server, and of what may stand "
		"in its place",
	[PATH_RESET] = "look at the boxes on the way: one rejects new connections, by a rule or a "
		       "limit",
	[PATH_REFUSED] = "see whether the server still listens, and its own firewall",
	[PATH_PROHIBITED] =
		"look at the rules of the boxes on the way: one rejects new connections",
	[PATH_UNREACHABLE] = "look at routes, and whether the server's host is there",
	[PATH_LOSS] = "TCP recovers what is lost, where --timeout and --retries leave it the time",
};
static_assert(sizeof(advices) / sizeof(advices[0]) == PATH_KIND_COUNT, "advice for each");

static bool is_known(uint64_t count)
{
	return count != PATH_UNKNOWN;
}

static const char *plural(uint64_t count)
{
	return count == 1 ? "" : "s";
}

static void add_connections(struct text *t, uint64_t count)
{
	text_count(t, count);
	text_add(t, " connection%s", plural(count));
}

/* Two digits that say something: 12, 4.9, 0.51, 0.013. */
static void add_percent(struct text *t, double parts)
{
	double percent = parts * 100;

	text_add(t,
	         percent >= 10 || percent == 0 ? "%.0f %%"
	         : percent >= 1                ? "%.1f %%"
	                                       : "%.2g %%",
	         percent);
}

/* What may stand in a table beside the run's, for a while. */
static void add_extra(struct text *t, const struct path *path)
{
	if (path->extra > 0)
		text_add(t,
		         " (%llu of megaconn's own, closed by now, may have their place in it too)",
		         (unsigned long long)path->extra);
}

/* "between client and server something lets 1,000 connections through and no more: ". */
static void add_limit(struct text *t, const struct path *path)
{
	if (!is_known(path->limit)) {
		text_add(t, "between client and server ");
		return;
	}
	text_add(t, "between client and server something lets ");
	add_connections(t, path->limit);
	text_add(t, " through and no more: ");
}

/* --- one kind each ------------------------------------------------------------------------ */

static void say_clear(struct text *t, const struct path_found *f)
{
	if (!f->is_two_ended)
		text_add(t, "every connection got through");
	else if (f->is_unseen)
		text_add(t, "every connection got through to the server");
	else
		text_add(t, "all SYNs arrived and all their answers came back");
	if (f->is_translated) {
		text_add(t, "; translated on the way: the server sees them come from %s",
		         f->server->peer_low);
		if (f->server->peer_addresses > 1)
			text_add(t, " and others");
	}
}

static void say_one_end(struct text *t, const struct path_found *f, const struct path *path)
{
	uint64_t refused = f->client->refused == PATH_UNKNOWN ? 0 : f->client->refused;
	bool is_refused = refused * 2 >= f->missing;

	if (f->client->established == 0)
		text_add(t, is_refused ? "every SYN was answered by RST: by the server, where "
		                         "nothing listens, or by a box in between"
		                       : "not one SYN was answered");
	else if (is_known(path->limit)) {
		add_connections(t, path->limit);
		text_add(t, " get through and no more: SYNs of the other ");
		text_count(t, f->missing);
		text_add(t, is_refused ? " were answered by RST, by the server or in between"
		                       : " were never answered");
	} else {
		text_count(t, f->missing);
		text_add(t, is_refused ? " were refused by RST, by the server or in between"
		                       : " were never answered");
	}
	if (f->is_shared)
		text_add(t, "; others use the server as well, so its counts do not tell where");
	else
		text_add(t, f->is_two_ended ? "; packets were not counted at both ends, which "
		                              "takes CAP_NET_RAW, so it cannot be told where"
		                            : FOR_MORE);
}

static void say_blocked(struct text *t, const struct path_found *f)
{
	text_add(t, "nothing gets from client to server: ");
	text_count(t, f->client->syns_out);
	text_add(t, " SYN%s left here and %s arrived there", plural(f->client->syns_out),
	         f->server->syns_in == 0 ? "none" : "few");
}

static void say_table(struct text *t, const struct path_found *f, const struct path *path)
{
	add_limit(t, path);
	text_add(t, "SYNs of the other ");
	text_count(t, f->missing);
	text_add(t, " left here and did not arrive there: a full connection-tracking table, "
	            "nf_conntrack_max = ");
	text_count(t, path->limit);
	text_add(t, " on a Linux box, or a rule that counts connections");
	add_extra(t, path);
	if (f->is_translated)
		text_add(t, "; addresses are translated");
	if (f->is_translated && f->keeps_ports)
		text_add(t, ", but not ports, so it is not for want of these");
	else if (f->is_translated && is_known(f->server->peer_ports_most)) {
		text_add(t, ", but not all ports are used: ");
		text_count(t, f->server->peer_ports_most);
		text_add(t, " of ");
		text_count(t, f->peer_ports);
	}
}

static void say_ports(struct text *t, const struct path_found *f)
{
	const struct path_end *s = f->server;

	text_add(t, "a NAT between client and server has used up its ports: the server sees ");
	add_connections(t, s->peer_connections);
	text_add(t, " from ");
	text_count(t, s->peer_addresses);
	text_add(t, " address%s (%s) with ", s->peer_addresses == 1 ? "" : "es", s->peer_low);
	text_count(t, f->peer_ports);
	text_add(t, " port%s%s, %llu-%llu, and SYNs of the other ", plural(f->peer_ports),
	         s->peer_addresses == 1 ? "" : " each", (unsigned long long)s->peer_port_low,
	         (unsigned long long)s->peer_port_high);
	text_count(t, f->missing);
	text_add(t, " did not arrive");
}

static void say_answers(struct text *t, const struct path_found *f, const struct path *path)
{
	text_add(t, "the way back from the server fails");
	if (is_known(path->limit)) {
		text_add(t, " beyond ");
		add_connections(t, path->limit);
	}
	text_add(t, ": SYNs arrive there and are answered, but ");
	text_count(t, f->server->syn_acks_out - f->client->syn_acks_in);
	text_add(t, " of ");
	text_count(t, f->server->syn_acks_out);
	text_add(t, " answers did not come back here");
}

static void say_queue(struct text *t, const struct path_found *f)
{
	const struct path_end *s = f->server;
	bool has_dropped = is_known(s->listen_drops) && s->listen_drops > 0;

	text_add(t, "the server itself, not the path: SYNs of ");
	add_connections(t, f->missing);
	text_add(t, is_known(s->syns_in) ? " arrived and were not answered" : " were not answered");
	if (has_dropped) {
		text_add(t, ", its kernel dropped ");
		text_count(t, s->listen_drops);
		text_add(t, s->listen_overflows > 0 && is_known(s->listen_overflows)
		                    ? " as its listen queue was full"
		                    : " at its listening sockets");
	}
}

static void say_proxy(struct text *t, const struct path_found *f, const struct path *path)
{
	uint64_t gone = f->client->closed_early, silent = f->client->silent;

	text_add(t, "something answers in the server's place (a proxy on layer 4)");
	if (is_known(path->limit)) {
		text_add(t, " and lets ");
		add_connections(t, path->limit);
		text_add(t, " through and no more");
	}
	text_add(t, ": ");
	text_count(t, f->client->established);
	text_add(t, " were connected here, ");
	text_count(t, f->server->established);
	text_add(t, " arrived at the server");
	if (is_known(gone) && gone > 0 && (!is_known(silent) || gone >= silent))
		text_add(t, ", the others were closed");
	else if (is_known(silent) && silent > 0)
		text_add(t, ", the others never echoed");
	if (is_known(path->limit)) {
		text_add(t, ": its limit of connections, or of descriptors (two a connection: "
		            "some ");
		text_count(t, 2 * path->limit);
		text_add(t, ")");
	} else {
		text_add(t, "; others got through after these: it is no limit of all, but maybe "
		            "of one of its processes");
	}
}

static void say_server_ends(struct text *t, const struct path_found *f, const struct path *path)
{
	add_connections(t, f->client->established);
	text_add(t, " were established, and ");
	text_count(t, f->ended);
	text_add(t, " of them were %s",
	         is_known(f->client->silent) && f->client->silent * 2 > f->ended
	                 ? "never answered with an echo"
	                 : "closed again at once");
	if (is_known(path->limit)) {
		text_add(t, ": ");
		text_count(t, path->limit);
		text_add(t, " get through and no more");
	}
	text_add(t, f->is_two_ended ? "; all of them had reached the server"
	                            : ", to the server or to a proxy in its place" FOR_MORE);
}

static void say_refusal(struct text *t, const struct path_found *f, const struct path *path,
                        const char *how)
{
	add_limit(t, path);
	text_add(t, is_known(path->limit) ? "the other " : "a box turns connections away: ");
	text_count(t, is_known(path->limit) ? f->asked - path->limit : f->missing);
	text_add(t, " were %s", how);
}

static void say_icmp(struct text *t, const struct path_found *f, const struct path *path,
                     const char *what)
{
	say_refusal(t, f, path, "not let through");
	if (is_known(f->client->icmp_in)) {
		text_add(t, ": %llu ICMP message%s came that say",
		         (unsigned long long)f->client->icmp_in, plural(f->client->icmp_in));
		text_add(t, "%s %s", f->client->icmp_in == 1 ? "s" : "", what);
	} else {
		text_add(t, ": by ICMP, %s", what);
	}
}

static void say_refused(struct text *t, const struct path_found *f, const struct path *path)
{
	text_add(t, "the server's host itself refused ");
	add_connections(t, f->missing);
	text_add(t, " by RST");
	if (is_known(path->limit)) {
		text_add(t, ", after ");
		text_count(t, path->limit);
		text_add(t, " that it took");
	}
}

/* Of a connection one SYN and its answer got through; of each other SYN either was lost. Answers
 * are not compared: where one was lost the server may have sent two more, by its clock and as the
 * SYN came again. */
static void say_loss_of_one(struct text *t, const struct path_found *f)
{
	uint64_t sent = f->client->syns_out, answered = f->client->established;

	if (is_known(f->client->refused))
		answered += f->client->refused;
	if (is_known(sent) && sent > answered) {
		add_percent(t, (double)(sent - answered) / (double)sent);
		text_add(t, " of SYNs, or their answers");
	} else {
		text_count(t, f->missing);
		text_add(t, " of ");
		text_count(t, f->asked);
		text_add(t, " connections had no answer in time");
	}
	text_add(t, f->is_shared ? "" : FOR_MORE);
}

static void say_loss(struct text *t, const struct path_found *f, const struct path *path)
{
	text_add(t, "packets are lost at all times: ");
	if (path->lost_out >= 0) {
		add_percent(t, path->lost_out);
		text_add(t, " of SYNs on the way to the server");
	}
	if (path->lost_back >= 0) {
		text_add(t, "%s", path->lost_out >= 0 ? ", " : "");
		add_percent(t, path->lost_back);
		text_add(t, " of their answers on the way back");
	}
	if (path->lost_out < 0 && path->lost_back < 0)
		say_loss_of_one(t, f);
	text_add(t, f->missing > 0 ? "; it is no limit" : "; TCP recovered them all");
}

static void say_unknown(struct text *t, const struct path_found *f)
{
	uint64_t unreachable = f->client->unreachable;

	if (f->missing == 0)
		return;
	text_count(t, f->missing);
	if (is_known(unreachable) && unreachable * 2 >= f->missing)
		text_add(t, " found no way from this host: no route, or nobody answered for the "
		            "next hop's address (ARP, ND)");
	else if (f->is_unseen)
		text_add(t, " were not answered; which way they were lost was not counted, which "
		            "takes CAP_NET_RAW at both ends");
	else
		text_add(t, " were not answered in time, and the packets that were lost are too "
		            "few to be why");
}

/* Of a few connections their order says little. */
static void say_few(struct text *t, const struct path_found *f, const struct path *path)
{
	bool is_by_order = is_known(path->limit) || path->kind == PATH_LOSS;

	if (is_by_order && f->missing + f->ended > 0 && f->asked < FEW)
		text_add(t, " (of so few connections a limit cannot be told from loss for sure)");
}

/* Only what leaves is lost, of which SYNs alone were counted. */
static bool is_one_way_out(const struct path *path)
{
	return path->lost_out > 0 && path->lost_back >= 0 && path->lost_back * 10 < path->lost_out;
}

void path_words(const struct path_found *f, struct path *path)
{
	struct text t, advice;

	text_init(&t, path->says, sizeof(path->says));
	text_init(&advice, path->advice, sizeof(path->advice));
	text_add(&advice, "%s",
	         path->kind == PATH_ONE_END && f->is_two_ended
	                 ? "let packets be counted at both ends: that takes CAP_NET_RAW (root)"
	                 : advices[path->kind]);
	switch (path->kind) {
	case PATH_NOT_KNOWN:
	case PATH_KIND_COUNT:
		say_unknown(&t, f);
		break;
	case PATH_CLEAR:
		say_clear(&t, f);
		break;
	case PATH_ONE_END:
		say_one_end(&t, f, path);
		break;
	case PATH_BLOCKED:
		say_blocked(&t, f);
		break;
	case PATH_TABLE:
		say_table(&t, f, path);
		break;
	case PATH_PORTS:
		say_ports(&t, f);
		break;
	case PATH_ANSWERS:
		say_answers(&t, f, path);
		break;
	case PATH_QUEUE:
		say_queue(&t, f);
		break;
	case PATH_PROXY:
		say_proxy(&t, f, path);
		break;
	case PATH_SERVER_ENDS:
		say_server_ends(&t, f, path);
		break;
	case PATH_RESET:
		say_refusal(&t, f, path, "answered by RST, which the server did not send");
		break;
	case PATH_REFUSED:
		say_refused(&t, f, path);
		break;
	case PATH_PROHIBITED:
		say_icmp(&t, f, path, "that it is prohibited");
		break;
	case PATH_UNREACHABLE:
		say_icmp(&t, f, path, "that the server cannot be reached");
		break;
	case PATH_LOSS:
		say_loss(&t, f, path);
		if (is_one_way_out(path))
			text_add(&advice, "; a limit on the rate of new connections looks the "
			                  "same: try a lower --rate");
		break;
	}
	say_few(&t, f, path);
}
