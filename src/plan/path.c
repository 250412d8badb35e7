/* path: one question after the other, the ones whose answer leaves no doubt first.
 *
 * Packets are compared, not connections: of the SYNs that left, how many arrived; of those, how
 * many were answered; of the answers, how many came back. Where most are missing is where the path
 * ends. Retransmissions make all three larger, and none of them wrong.
 *
 * Whether it is a limit says the order: clients connect in the order of indexes, and a box that is
 * full lets the first ones through and none after them. Of a box that loses some at any time, as
 * many connections succeed after the half of those that fail as before. */
#include "plan/path.h"

#include "plan/path_words.h"

#include <string.h>

#define LOSS_LEAST   3    /* packets: fewer are an accident                              */
#define LOSS_PARTS   1000 /* a loss is at least one of so many                           */
#define LATE_PARTS   4    /* of those that get through, after the half of those that fail */
#define FILLED_PARTS 10   /* a NAT tries some ports at random and gives up: it may have a */
			  /* tenth left                                                   */
#define SHARED_PARTS 50
#define LATE_TIMES   2 /* for each that fails: of a few, chance alone may hit the last ones */
#define ICMP_LEAST   3 /* messages: one may be of another moment                         */

static bool is_known(uint64_t count)
{
	return count != PATH_UNKNOWN;
}

static uint64_t or_none(uint64_t count)
{
	return is_known(count) ? count : 0;
}

/* How many of `sent` are missing in `got`; 0 where either is unknown. */
static uint64_t missing_of(uint64_t sent, uint64_t got)
{
	return is_known(sent) && is_known(got) && sent > got ? sent - got : 0;
}

static double parts_of(uint64_t sent, uint64_t got)
{
	if (!is_known(sent) || !is_known(got) || sent == 0)
		return -1;
	return (double)missing_of(sent, got) / (double)sent;
}

static bool is_loss(uint64_t sent, uint64_t got)
{
	uint64_t missing = missing_of(sent, got);

	return missing >= LOSS_LEAST && missing >= sent / LOSS_PARTS;
}

/* --- what there is to go by --------------------------------------------------------------- */

/* A server that others connect to as well has counted theirs too. */
static bool is_shared(const struct path_end *server, uint64_t asked, uint64_t extra)
{
	uint64_t most = asked + asked / SHARED_PARTS + extra;

	return is_known(server->established) && server->established > most;
}

/* More SYNs left this host than the run's, and those that its kernel sent again: another program
 * connects to the same server, and its SYNs are in the count. */
static bool is_crowded(const struct path_end *client, uint64_t extra)
{
	return is_known(client->syns_out) && is_known(client->tried) &&
	       is_known(client->sent_again) &&
	       client->syns_out > client->tried + client->sent_again + extra;
}

static bool is_translated(const struct path_plan *plan, const struct path_end *server)
{
	if (server->peer_low[0] == '\0' || plan->source_low[0] == '\0')
		return false;
	return strcmp(server->peer_low, plan->source_low) != 0 &&
	       strcmp(server->peer_high, plan->source_high) != 0;
}

/* Those that failed come after those that got through. Where more failed by what is this host's the
 * order is theirs. */
static bool is_limit(const struct path_found *f)
{
	uint64_t late = or_none(f->client->opened_late), gone = f->missing + f->ended;

	return f->through > 0 && late < f->through / LATE_PARTS + 1 && late <= LATE_TIMES * gone &&
	       or_none(f->client->local_failures) <= gone;
}

static void look(const struct path_plan *plan, const struct path *path, struct path_found *f)
{
	const struct path_end *c = &path->client, *s = &path->server;

	*f = (struct path_found){.client = c, .server = s};
	f->asked = c->asked;
	f->missing = or_none(c->timed_out) + or_none(c->refused) + or_none(c->unreachable);
	f->ended = or_none(c->closed_early) + or_none(c->silent);
	f->through = c->established > f->ended ? c->established - f->ended : 0;
	f->is_limit = is_limit(f);
	f->is_shared = path->has_server && is_shared(s, c->asked, path->extra);
	f->is_crowded = is_crowded(c, path->extra);
	f->is_two_ended = path->has_server && !f->is_shared;
	f->is_translated = path->has_server && is_translated(plan, s);
	f->is_unseen = !is_known(c->syns_out) || (f->is_two_ended && !is_known(s->syns_in));
	if (path->has_server && is_known(s->peer_port_low) && is_known(s->peer_port_high))
		f->peer_ports = s->peer_port_high - s->peer_port_low + 1;
	f->keeps_ports = s->peer_port_low == plan->port_low && s->peer_port_high <= plan->port_high;
}

/* --- NAT ---------------------------------------------------------------------------------- */

/* Where a NAT leaves ports as they are, those that the server sees are filled whatever stops it. */
static bool has_filled_ports(const struct path_found *f)
{
	const struct path_end *s = f->server;

	if (!f->is_translated || f->keeps_ports || f->peer_ports == 0 ||
	    !is_known(s->peer_ports_most))
		return false;
	return s->peer_ports_most + f->peer_ports / FILLED_PARTS >= f->peer_ports;
}

/* --- both ends are known ------------------------------------------------------------------ */

static uint64_t more_of(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Connected, and no SYN has arrived for them. Without a count of SYNs: the server's kernel has not
 * got them, be it in its queue, unless that was full. */
static bool is_answered_between(const struct path_found *f)
{
	const struct path_end *c = f->client, *s = f->server;

	if (is_known(s->syns_in))
		return c->established > s->syns_in;
	return or_none(s->listen_drops) + or_none(s->listen_overflows) == 0 &&
	       is_known(s->established) &&
	       c->established > more_of(s->established, or_none(s->peer_connections));
}

static bool is_most_unreachable(const struct path_found *f)
{
	return f->missing > 0 && or_none(f->client->unreachable) * 2 >= f->missing;
}

/* ICMP that told us so is rare: senders limit its rate. */
static bool is_by_icmp(const struct path_found *f)
{
	const struct path_end *c = f->client;

	if (f->missing == 0)
		return false;
	return is_known(c->icmp_in) ? c->icmp_in >= ICMP_LEAST || c->icmp_in >= f->missing ||
	                                      (c->icmp_in > 0 && is_most_unreachable(f))
	                            : is_most_unreachable(f);
}

static enum path_kind kind_of_icmp(const struct path_end *c)
{
	return is_known(c->icmp_in) && or_none(c->icmp_refused_in) * 2 >= c->icmp_in
	               ? PATH_PROHIBITED
	               : PATH_UNREACHABLE;
}

static enum path_kind who_refuses(const struct path_found *f)
{
	const struct path_end *c = f->client, *s = f->server;

	if (is_known(s->resets_out))
		return s->resets_out * 2 >= c->refused ? PATH_REFUSED : PATH_RESET;
	if (f->is_unseen)
		return PATH_ONE_END;
	return missing_of(c->syns_out, s->syns_in) * 2 >= c->refused ? PATH_RESET : PATH_REFUSED;
}

/* SYNs that the server did not answer. What it has answered twice hides as many; its kernel's
 * counts of what it has dropped do not. */
static uint64_t unanswered(const struct path_end *s)
{
	uint64_t dropped = more_of(or_none(s->listen_drops), or_none(s->listen_overflows)) +
	                   or_none(s->syn_queue_drops);

	return more_of(missing_of(s->syns_in, s->syn_acks_out), dropped);
}

/* Where most of what was lost was lost. Each connection that failed has lost a packet at least:
 * where fewer are known they are another's, or what was lost was not counted. */
static enum path_kind where_lost(const struct path_found *f)
{
	const struct path_end *c = f->client, *s = f->server;
	uint64_t out = missing_of(c->syns_out, s->syns_in);
	uint64_t back = missing_of(s->syn_acks_out, c->syn_acks_in);
	uint64_t queue = unanswered(s);

	if (out + back + queue == 0 || (out + back + queue) * 2 < f->missing)
		return PATH_NOT_KNOWN;
	if (queue > out && queue >= back)
		return PATH_QUEUE;
	if (c->established > 0 && !f->is_limit)
		return PATH_LOSS;
	if (back > out)
		return PATH_ANSWERS;
	if (c->established == 0)
		return PATH_BLOCKED;
	return has_filled_ports(f) ? PATH_PORTS : PATH_TABLE;
}

static enum path_kind judge_both(const struct path_found *f)
{
	const struct path_end *c = f->client, *s = f->server;
	bool has_loss = is_loss(c->syns_out, s->syns_in) ||
	                is_loss(s->syn_acks_out, c->syn_acks_in);

	if (f->missing == 0 && f->ended == 0)
		return has_loss ? PATH_LOSS : PATH_CLEAR;
	if (is_by_icmp(f))
		return kind_of_icmp(c);
	if (is_answered_between(f))
		return PATH_PROXY;
	if (f->missing > 0 && or_none(c->refused) * 2 >= f->missing)
		return who_refuses(f);
	if (is_most_unreachable(f)) /* and nobody else has said so */
		return PATH_NOT_KNOWN;
	if (f->missing > 0)
		return where_lost(f);
	return PATH_SERVER_ENDS;
}

/* --- one end ------------------------------------------------------------------------------ */

static enum path_kind judge_one(const struct path_found *f)
{
	const struct path_end *c = f->client;

	if (f->missing == 0 && f->ended == 0)
		return is_loss(c->syns_out, c->tried) && !f->is_crowded ? PATH_LOSS : PATH_CLEAR;
	if (is_by_icmp(f))
		return kind_of_icmp(c);
	if (f->missing == 0)
		return PATH_SERVER_ENDS;
	if (is_most_unreachable(f))
		return PATH_NOT_KNOWN;
	if (or_none(c->refused) * 2 < f->missing && c->established > 0 && !f->is_limit)
		return PATH_LOSS;
	return PATH_ONE_END;
}

/* --- the diagnosis ------------------------------------------------------------------------ */

/* How many get through and no more. */
static uint64_t limit_of(const struct path_found *f, enum path_kind kind)
{
	switch (kind) {
	case PATH_PROXY:
		if (!f->is_limit)
			return PATH_UNKNOWN;
		return is_known(f->server->established) ? f->server->established : f->through;
	case PATH_TABLE:
	case PATH_PORTS:
	case PATH_ANSWERS:
	case PATH_RESET:
	case PATH_REFUSED:
	case PATH_ONE_END:
		return f->is_limit ? f->client->established : PATH_UNKNOWN;
	case PATH_SERVER_ENDS:
	case PATH_PROHIBITED: /* an error that comes late may have looked like a connection */
	case PATH_UNREACHABLE:
		return f->is_limit ? f->through : PATH_UNKNOWN;
	default:
		return PATH_UNKNOWN;
	}
}

static void fill_losses(const struct path_found *f, struct path *path)
{
	path->lost_out = path->lost_back = -1;
	if (!f->is_two_ended)
		return;
	path->lost_out = parts_of(f->client->syns_out, f->server->syns_in);
	path->lost_back = parts_of(f->server->syn_acks_out, f->client->syn_acks_in);
}

void path_judge(const struct path_plan *plan, struct path *path)
{
	struct path_found f;

	path->kind = PATH_NOT_KNOWN;
	path->limit = path->ports = PATH_UNKNOWN;
	path->says[0] = path->advice[0] = '\0';
	if (!is_known(path->client.asked) || !is_known(path->client.established) ||
	    path->client.asked == 0)
		return;
	look(plan, path, &f);
	fill_losses(&f, path);
	if (f.missing + f.ended > 0 || f.through == f.asked)
		path->kind = f.is_two_ended ? judge_both(&f) : judge_one(&f);
	path->limit = limit_of(&f, path->kind);
	if (path->kind == PATH_PORTS)
		path->ports = f.peer_ports;
	path_words(&f, path);
}
