/* ends: the run's own counters, those of its network namespaces and those of its taps, put side by
 * side.
 *
 * The diagnosis is of the ramp, and of the first proof, in which a proxy that has no room says so:
 * what comes later (churn, storms, losses) has causes of its own. */
#include "run/ends.h"

#include "base/text.h"
#include "kernel/probe.h"
#include "kernel/tap.h"
#include "plan/path.h"
#include "run/peers.h"
#include "run/via.h"

#include <assert.h>
#include <string.h>

#define API_CONNECTIONS 2 /* before the run: who the server is, and that there is a run */

static struct {
	struct tap taps[ROLE_COUNT];
	struct probe_tcp before[ROLE_COUNT];
	bool is_on[ROLE_COUNT];
} ends;

static struct tap_spec spec_of(const struct experiment *x, enum role role)
{
	struct tap_spec spec = {.is_server = role == ROLE_SERVER};

	if (role == ROLE_CLIENT) {
		spec.has_address = true;
		spec.has_own_macs = x->is_on_lan && x->lan.has_own_mac;
		spec.address = x->tuples.target;
		spec.family = x->tuples.target.family;
		spec.ports_count = 1;
		spec.ports[0].low = x->tuples.target_port_low;
		spec.ports[0].high =
			(uint16_t)(x->tuples.target_port_low + x->tuples.target_port_count - 1);
		return spec;
	}
	static_assert(TAP_PORTS >= EXPERIMENT_LISTENS_MAX, "a range each");
	spec.ports_count = x->listen_count;
	spec.family = x->listens[0].address.family;
	for (uint32_t i = 0; i < x->listen_count; i++) {
		const struct experiment_listen *listen = &x->listens[i];

		spec.ports[i].low = listen->port_low;
		spec.ports[i].high = listen->port_high;
		if (listen->address.family == AF_INET6) /* :: has IPv4 peers as well */
			spec.family = AF_UNSPEC;
	}
	return spec;
}

/* Into the network of a role: of a lab with a box in between, and back. */
static void go(const struct experiment *x, enum role role)
{
	if (x->via.box.kind != VIA_NONE)
		(void)via_go(x, role == ROLE_CLIENT ? VIA_CLIENTS : VIA_SERVERS);
}

static void open_role(const struct experiment *x, struct shm *shm, enum role role)
{
	struct tap_spec spec = spec_of(x, role);
	struct err err = {""};

	go(x, role);
	path_end_init(&shm->ends[role]);
	(void)tap_open(&ends.taps[role], &spec, &err); /* what it would count stays unknown */
	memset(&ends.before[role], 0xff, sizeof(ends.before[role]));
	(void)probe_read_tcp(&ends.before[role]);
	go(x, ROLE_SERVER);
	ends.is_on[role] = true;
}

void ends_open(const struct experiment *x, struct shm *shm)
{
	for (int role = 0; role < ROLE_COUNT; role++) {
		path_end_init(&shm->ends[role]);
		tap_init(&ends.taps[role]);
	}
	if (!x->watches_path)
		return;
	if (x->server_workers > 0)
		open_role(x, shm, ROLE_SERVER);
	if (x->client_workers > 0)
		open_role(x, shm, ROLE_CLIENT);
}

/* --- what is counted ---------------------------------------------------------------------- */

static uint64_t since(uint64_t now, uint64_t before)
{
	return now == PROBE_UNKNOWN || before == PROBE_UNKNOWN ? PATH_UNKNOWN : now - before;
}

static void take_kernel(const struct experiment *x, enum role role, struct path_end *end)
{
	const struct probe_tcp *before = &ends.before[role];
	struct probe_tcp now;

	memset(&now, 0xff, sizeof(now));
	go(x, role);
	(void)probe_read_tcp(&now);
	go(x, ROLE_SERVER);
	end->sent_again = since(now.syn_retrans, before->syn_retrans);
	if (role == ROLE_CLIENT && engine_is_utcp(x->clients)) /* which counts its own */
		end->sent_again = PATH_UNKNOWN;
	if (role == ROLE_CLIENT)
		return;
	end->listen_overflows = since(now.listen_overflows, before->listen_overflows);
	end->listen_drops = since(now.listen_drops, before->listen_drops);
	end->syn_queue_drops = since(now.req_q_full_drop, before->req_q_full_drop);
	end->cookies_sent = since(now.syncookies_sent, before->syncookies_sent);
}

static uint64_t sum_causes(const struct shm *shm, enum role role, size_t field)
{
	uint64_t sum = 0;

	for (int i = 0; i < CAUSE_COUNT; i++)
		sum += shm_sum_cause(shm, role, field, (enum cause)i);
	return sum;
}

static uint64_t failed(const struct shm *shm, enum cause cause)
{
	return shm_sum_cause(shm, ROLE_CLIENT, SHM_FIELD(failed), cause);
}

static void take_clients(const struct shm *shm, struct path_end *end)
{
	uint64_t all = sum_causes(shm, ROLE_CLIENT, SHM_FIELD(failed));

	end->established = shm_sum(shm, ROLE_CLIENT, SHM_FIELD(opened));
	end->asked = end->established + all;
	end->tried = end->asked + sum_causes(shm, ROLE_CLIENT, SHM_FIELD(retried));
	end->proved = shm_sum(shm, ROLE_CLIENT, SHM_FIELD(proof[0].echoed));
	end->timed_out = failed(shm, CAUSE_TIMEOUT);
	end->refused = failed(shm, CAUSE_REFUSED) + failed(shm, CAUSE_RESET);
	end->unreachable = failed(shm, CAUSE_UNREACHABLE) + failed(shm, CAUSE_FORBIDDEN);
	end->local_failures = all - end->timed_out - end->refused - end->unreachable;
	end->silent = end->closed_early = 0;
	for (int i = 0; i < CAUSE_COUNT; i++)
		*(cause_is_silence((enum cause)i) ? &end->silent : &end->closed_early) +=
			shm_sum_cause(shm, ROLE_CLIENT, SHM_FIELD(lost), (enum cause)i);
	end->opened_late = shm_sum(shm, ROLE_CLIENT, SHM_FIELD(opened_late));
}

static void take_servers(const struct shm *shm, struct path_end *end)
{
	end->established = shm_sum(shm, ROLE_SERVER, SHM_FIELD(opened));
	end->proved = shm_sum(shm, ROLE_SERVER, SHM_FIELD(proof[0].echoed));
	end->closed_early = shm_sum(shm, ROLE_SERVER, SHM_FIELD(closed)) +
	                    sum_causes(shm, ROLE_SERVER, SHM_FIELD(lost));
}

/* Who reads it while it is written sees each count as it was or as it is. */
static void publish(const struct path_end *end, struct path_end *to)
{
	for (size_t i = 0; i < path_counts_count; i++) {
		size_t at = path_counts[i].offset;
		const uint64_t *from = (const uint64_t *)(const void *)((const char *)end + at);

		shm_set(*(uint64_t *)(void *)((char *)to + at), *from);
	}
}

static void take_all(const struct experiment *x, struct shm *shm)
{
	for (int role = 0; role < ROLE_COUNT && x->watches_path; role++) {
		struct path_end end = shm->ends[role];

		if (!ends.is_on[role])
			continue;
		tap_read(&ends.taps[role], &end);
		take_kernel(x, (enum role)role, &end);
		(role == ROLE_CLIENT ? take_clients : take_servers)(shm, &end);
		publish(&end, &shm->ends[role]);
	}
	shm_count(shm->ends_taken);
}

void ends_tick(const struct experiment *x, struct shm *shm)
{
	if (x->kind == RUN_SERVE)
		take_all(x, shm);
}

void ends_ramped(const struct experiment *x, struct shm *shm)
{
	struct path *path = &shm->result.path;

	if (!x->watches_path)
		return;
	if (x->client_workers > 0) {
		tap_close(&ends.taps[ROLE_CLIENT]);
		tap_close(&ends.taps[ROLE_SERVER]);
	}
	take_all(x, shm);
	if (ends.is_on[ROLE_SERVER])
		peers_look(x, &shm->ends[ROLE_SERVER]);
	path->has = true;
	path->has_server = ends.is_on[ROLE_SERVER];
	path->extra = x->has_hello;
	path->client = shm->ends[ROLE_CLIENT];
	path->server = shm->ends[ROLE_SERVER];
}

void ends_heard(const struct experiment *x, struct shm *shm)
{
	struct result *r = &shm->result;

	if (!x->watches_path || !r->server.has)
		return;
	r->path.extra += API_CONNECTIONS;
	if (!r->server.has_look[0])
		return;
	r->path.has_server = r->server.looks[0].path.established != PATH_UNKNOWN;
	r->path.server = r->server.looks[0].path;
}

/* --- the diagnosis ------------------------------------------------------------------------ */

/* How many of the plan's ports its first n connections use: the first ones. */
static uint32_t ports_used(const struct experiment *x)
{
	const struct tuple_plan *tuples = &x->tuples;
	uint64_t each = (uint64_t)tuples->source_count * tuples->target_port_count;
	uint64_t used = each > 0 ? (x->n + each - 1) / each : 0;

	return tuples->by_source || used > tuples->port_count ? tuples->port_count : (uint32_t)used;
}

static struct path_plan plan_of(const struct experiment *x)
{
	const struct tuple_plan *tuples = &x->tuples;
	const struct ip low = pool_at(&tuples->sources, 0);
	const struct ip high = pool_at(&tuples->sources, tuples->source_count - 1);
	struct path_plan plan = {.sources = tuples->source_count, .port_low = UINT16_MAX};

	(void)ip_format(&low, plan.source_low);
	(void)ip_format(&high, plan.source_high);
	for (uint32_t i = 0, used = ports_used(x); i < used; i++) {
		uint16_t port = tuples->ports[i];

		plan.port_low = port < plan.port_low ? port : plan.port_low;
		plan.port_high = port > plan.port_high ? port : plan.port_high;
	}
	return plan;
}

static bool is_failed(const struct result *r)
{
	return r->verdict == VERDICT_FAIL || r->verdict == VERDICT_PARTIAL;
}

/* In the ramp and the first proof, which the diagnosis is of: what is lost later has another cause,
 * be there a loss of packets that TCP recovered. */
static bool has_stopped_any(const struct path_end *c)
{
	return c->timed_out + c->refused + c->unreachable + c->closed_early + c->silent > 0;
}

void ends_judge(const struct experiment *x, struct result *result)
{
	struct path *path = &result->path;
	struct text t;

	if (!path->has || x->client_workers == 0)
		return;
	const struct path_plan plan = plan_of(x);

	path_judge(&plan, path);
	if (!is_failed(result) || !path_is_fault(path->kind) || !has_stopped_any(&path->client))
		return;
	text_init(&t, result->reason + strlen(result->reason),
	          sizeof(result->reason) - strlen(result->reason));
	text_add(&t, ": %s", path->says);
}
