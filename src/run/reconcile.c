/* reconcile: see the header.
 *
 * A server's connections are known to be of a run by their tokens, and by their addresses: the
 * first does not depend on what lies between, the second is the kernel's. Where nobody comes from
 * the client's addresses there is a box that translates them, and all that the server's kernel has
 * on its ports is compared. */
#include "run/reconcile.h"

#include <string.h>

static void write_end(char *to, size_t size, const struct ip *ip, uint16_t port)
{
	bool is_ipv6 = ip->family == AF_INET6;
	char address[IP_TEXT_BYTES];
	struct text t;

	text_init(&t, to, size);
	text_add(&t, is_ipv6 ? "[%s]:%u" : "%s:%u", ip_format(ip, address), (unsigned int)port);
}

static void add_tuple(const struct experiment *x, uint64_t index, struct result_differing *d)
{
	const struct tuple tuple = tuple_at(&x->tuples, index);

	if (x->spares > 0) /* it may have another by now */
		return;
	write_end(d->source, sizeof(d->source), &tuple.source, tuple.source_port);
	write_end(d->target, sizeof(d->target), &tuple.target, tuple.target_port);
}

static void list_differing(const struct experiment *x, const struct shm *shm, unsigned int round,
                           struct result_server *s)
{
	for (uint64_t i = 0; i < x->n && s->differing_count < RESULT_DIFFERING_MAX; i++) {
		bool client = shm_is_proved(shm, ROLE_CLIENT, round, i);
		bool server = shm_is_proved(shm, ROLE_SERVER, round, i);

		if (client == server)
			continue;
		struct result_differing *d = &s->differing[s->differing_count++];

		*d = (struct result_differing){.index = x->index_first + i,
		                               .round = round,
		                               .client = client,
		                               .server = server};
		add_tuple(x, i, d);
	}
}

static uint64_t count_of(const struct result *r, const struct api_look *look)
{
	return r->has_proof ? look->run_open : look->open;
}

static uint64_t kernel_of(const struct result *r, const struct api_look *look)
{
	bool is_by_all = r->server.is_translated || look->kernel_of_sources == API_UNKNOWN;

	return is_by_all ? look->kernel : look->kernel_of_sources;
}

void reconcile_fill(const struct experiment *x, const struct shm *shm, struct result *r)
{
	struct result_server *s = &r->server;
	const struct api_look *look = &s->looks[0];

	s->differing_count = 0;
	for (unsigned int round = 0; round < API_ROUNDS; round++) {
		if (s->has_look[round] && x->proof)
			list_differing(x, shm, round, s);
	}
	if (!s->has_look[0])
		return;
	s->is_translated = look->kernel_of_sources == 0 && look->kernel > 0 &&
	                   look->kernel == r->established.client;
	r->established.server = count_of(r, look);
	r->established.server_kernel = kernel_of(r, look);
}

bool reconcile_is_known(const struct result *r)
{
	return r->server.has_look[0] && r->server.has_look[1];
}

static void add_count(struct text *t, const char *who, uint64_t count)
{
	text_add(t, "%s ", who);
	if (count == RESULT_UNKNOWN)
		text_add(t, "unknown");
	else
		text_count(t, count);
}

static bool is_same(const struct result *r, const struct api_look *look, uint64_t wanted,
                    const char *when, struct text *why)
{
	uint64_t count = count_of(r, look), kernel = kernel_of(r, look);

	/* Without tokens the server knows all that it has, but not whose: its kernel does. */
	bool has_others = !r->has_proof && look->kernel_of_sources != API_UNKNOWN && count > wanted;

	if ((count == wanted || has_others) && kernel == wanted)
		return true;
	text_add(why, "the counts do not agree %s: ", when);
	add_count(why, "client", wanted);
	add_count(why, ", server", count);
	add_count(why, ", its kernel", kernel);
	if (look->kernel_of_sources != API_UNKNOWN && look->kernel != kernel) {
		text_add(why, " (from our addresses, ");
		text_count(why, look->kernel);
		text_add(why, " from all)");
	}
	return false;
}

bool reconcile_agrees(const struct result *r, uint64_t wanted, struct text *why)
{
	return is_same(r, &r->server.looks[0], wanted, "after the ramp", why) &&
	       is_same(r, &r->server.looks[1], r->open_at_end, "after the hold", why);
}

static uint64_t most_differing(const struct result *r)
{
	uint64_t first = r->proved_ramp.differing, second = r->proved.differing;

	first = first == RESULT_UNKNOWN ? 0 : first;
	second = second == RESULT_UNKNOWN ? 0 : second;
	return first > second ? first : second;
}

void reconcile_add(const struct result *r, struct text *t)
{
	uint64_t count = most_differing(r);

	if (r->server.differing_count == 0)
		return;
	text_add(t, "; ");
	text_count(t, count);
	text_add(t, count == 1 ? " is proved at one end only: "
	                       : " are proved at one end only, the first: ");
	result_say_differing(&r->server.differing[0], t);
}

static void describe(const struct experiment *x, const struct shm *shm, unsigned int round,
                     struct text *t)
{
	static struct result seen;

	seen = shm->result;
	seen.has_proof = x->proof;
	reconcile_fill(x, shm, &seen);
	const struct api_look *look = &seen.server.looks[round];

	if (!seen.server.has_look[round]) {
		text_add(t, "the server's counts are not known: %s: %s", seen.server.api,
		         seen.server.unknown);
		return;
	}
	add_count(t, "the server has", count_of(&seen, look));
	add_count(t, " open, its kernel", kernel_of(&seen, look));
	if (!x->proof)
		return;
	add_count(t, ", proved", shm_proved(shm, ROLE_SERVER, round));
	add_count(t, ", client", shm_proved(shm, ROLE_CLIENT, round));
	seen.proved_ramp.differing = 0; /* of this round alone */
	seen.proved.differing = shm_proof_difference(shm, round);
	seen.server.differing_count = 0;
	list_differing(x, shm, round, &seen.server);
	reconcile_add(&seen, t);
}

void reconcile_notice(const struct experiment *x, struct shm *shm, unsigned int round)
{
	char line[sizeof(shm->notice[0])];
	struct text t;

	text_init(&t, line, sizeof(line));
	describe(x, shm, round, &t);
	shm_notice(shm, line);
}
