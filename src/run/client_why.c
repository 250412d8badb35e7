/* client_why: see the header.
 *
 * Whether an address is still this host's is asked by binding a datagram socket to it; whether the
 * other host answers, by sock_diag. Both cost some microseconds, and are asked of what is lost
 * alone: of the first ASKED_MOST; of those beyond, what was found last is taken to hold as well,
 * but for an address that is gone, which is asked of each.
 * Engines with a TCP of their own say themselves what is acknowledged: it is sent then. On a LAN
 * they note which sources another host was heard to have; what comes for one of these takes that
 * back. */
#include "run/client_why.h"

#include "kernel/diag_one.h"
#include "run/client_churn.h"
#include "run/client_state.h"
#include "run/topology.h"

#define ASKED_MOST 20000

static struct tuple tuple_of(const struct client *c, uint32_t conn)
{
	return tuple_at(&c->x->tuples, client_churn_tuple(c, conn));
}

/* Of our own TCP no address is the host's, but on a LAN somebody else may have it; those of AnyIP
 * over IPv6 are by a route alone. */
static bool is_gone(const struct client *c, const struct ip *source)
{
	if (c->x->is_on_lan)
		return bits_has(&c->taken, (uint32_t)pool_index(&c->x->tuples.sources, source));
	return !engine_is_utcp(c->x->clients) && !c->x->freebind && topology_is_gone(source);
}

static bool is_source_gone(struct client *c, uint32_t conn)
{
	struct tuple tuple = tuple_of(c, conn);

	if (!is_gone(c, &tuple.source))
		return false;
	if (!c->me->has_source_gone) {
		c->me->source_gone = tuple.source;
		__atomic_store_n(&c->me->has_source_gone, true, __ATOMIC_RELEASE);
	}
	return true;
}

static bool is_unanswered(const struct client *c, uint32_t conn)
{
	const struct tuple tuple = tuple_of(c, conn);
	const struct diag_socket socket = {
		.local = tuple.source,
		.remote = tuple.target,
		.local_port = tuple.source_port,
		.remote_port = tuple.target_port,
	};
	bool is = false;

	return diag_one_is_unanswered(&socket, &is) == 0 && is;
}

static enum cause ask_why_silent(struct client *c, uint32_t conn, bool is_sent)
{
	if (is_source_gone(c, conn))
		return CAUSE_SOURCE_GONE;
	if (!is_sent)
		return CAUSE_PATH_GONE;
	if (engine_is_utcp(c->x->clients))
		return CAUSE_TIMEOUT;
	return is_unanswered(c, conn) ? CAUSE_PATH_GONE : CAUSE_TIMEOUT;
}

enum cause client_why_silent(struct client *c, uint32_t conn, bool is_sent)
{
	if (c->asked_why >= ASKED_MOST)
		return client_why_unasked(c, conn);
	enum cause cause = ask_why_silent(c, conn, is_sent);

	c->asked_why++;
	if (cause != CAUSE_SOURCE_GONE)
		c->last_why = cause;
	return cause;
}

enum cause client_why_unasked(struct client *c, uint32_t conn)
{
	if ((c->x->is_on_lan || c->me->has_source_gone) && is_source_gone(c, conn))
		return CAUSE_SOURCE_GONE;
	return c->asked_why > 0 && c->last_why == CAUSE_PATH_GONE ? CAUSE_PATH_GONE : CAUSE_TIMEOUT;
}

void client_why_heard(struct client *c, uint32_t conn)
{
	if (c->taken.count == 0)
		return;
	struct tuple tuple = tuple_of(c, conn);

	bits_clear(&c->taken, (uint32_t)pool_index(&c->x->tuples.sources, &tuple.source));
}

/* On a LAN its own frames may still be the ones that are heard. */
bool client_why_is_dead(struct client *c, uint32_t conn)
{
	return !c->x->is_on_lan && c->me->has_source_gone && is_source_gone(c, conn);
}

enum cause client_why_lost(struct client *c, uint32_t conn, int code)
{
	enum cause cause = cause_of_loss(code);

	return cause == CAUSE_PATH_GONE && is_source_gone(c, conn) ? CAUSE_SOURCE_GONE : cause;
}

enum cause client_why_failed(struct client *c, uint32_t conn, enum cause cause)
{
	bool may_be = cause == CAUSE_NO_PORT || cause == CAUSE_TIMEOUT ||
	              cause == CAUSE_UNREACHABLE;

	return may_be && is_source_gone(c, conn) ? CAUSE_SOURCE_GONE : cause;
}
