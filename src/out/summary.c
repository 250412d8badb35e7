/* summary: what a run came to, the most wanted first. */
#include "out/summary.h"

#include "base/cause.h"
#include "base/text.h"
#include "out/bill.h"
#include "out/outage_lines.h"
#include "out/result_idle.h"
#include "out/stage_lines.h"

#include <string.h>

#define LINE_BYTES 256
#define COLUMNS    100
#define INDENT     15

static const char *const verdicts[] = {
	[VERDICT_FAIL] = "FAIL",
	[VERDICT_PASS] = "PASS",
	[VERDICT_PARTIAL] = "PARTIAL",
	[VERDICT_REFUSED] = "REFUSED",
};

/* How much of `text` goes on a line: all, or up to the last space that fits. */
static int fitting(const char *text)
{
	size_t len = strlen(text);

	if (len <= COLUMNS - INDENT)
		return (int)len;
	for (int i = COLUMNS - INDENT; i > 0; i--) {
		if (text[i] == ' ')
			return i;
	}
	return COLUMNS - INDENT;
}

/* A named line; what is too long goes on below, under its beginning. */
static void put(FILE *to, const char *name, const struct text *t)
{
	const char *rest = t->at;

	do {
		int len = fitting(rest);

		fprintf(to, "  %-*s %.*s\n", INDENT - 3, name, len, rest);
		rest += len;
		rest += *rest == ' ';
		name = "";
	} while (*rest != '\0');
}

static void add_known(struct text *t, uint64_t value)
{
	if (value == RESULT_UNKNOWN)
		text_add(t, "unknown");
	else
		text_count(t, value);
}

static void add_percent(struct text *t, uint64_t part, uint64_t whole)
{
	/* Rounded down, so that 100 % means all. */
	uint64_t hundredths = whole > 0 ? part * 10000 / whole : 0;

	text_add(t, " (%llu.%02llu %%)", (unsigned long long)(hundredths / 100),
	         (unsigned long long)(hundredths % 100));
}

static const char *plural(uint64_t count)
{
	return count == 1 ? "" : "s";
}

static void add_workers(struct text *t, const struct result *r)
{
	if (r->server_workers > 0 && r->client_workers > 0)
		text_add(t,
		         strcmp(r->server_engine, r->client_engine) == 0 ? "%u+%u workers (%s)"
		                                                         : "%u+%u workers (%s+%s)",
		         r->server_workers, r->client_workers, r->server_engine, r->client_engine);
	else
		text_add(t, "%u worker%s (%s)", r->server_workers + r->client_workers,
		         plural(r->server_workers + r->client_workers),
		         r->server_workers > 0 ? r->server_engine : r->client_engine);
}

static void put_topology(FILE *to, struct text *t, const struct result *r)
{
	text_count(t, r->target);
	text_add(t, " over IPv%d: ", r->ipv6 ? 6 : 4);
	text_count(t, r->source_ips);
	text_add(t, " source IP%s to %u server port%s; ", plural(r->source_ips), r->server_ports,
	         plural(r->server_ports));
	add_workers(t, r);
	put(to, "asked for", t);
}

/* ", 5,400 packets that found no room" */
static void add_packets(struct text *t, uint64_t packets, const char *what)
{
	if (packets == 0 || packets == RESULT_UNKNOWN)
		return;
	text_add(t, ", ");
	text_count(t, packets);
	text_add(t, " %s", what);
}

/* "conntrack: 1,000 of 1,000 entries (as asked), 5,400 packets that it refused" */
static void put_via(FILE *to, struct text *t, const struct result_via *v)
{
	uint64_t used = v->processes == RESULT_UNKNOWN ? v->entries : v->descriptors;

	if (v->kind == VIA_NONE)
		return;
	text_add(t, "%s: ", via_name(v->kind));
	add_known(t, used);
	if (v->kind == VIA_NAT)
		text_add(t, " connections by ");
	else
		text_add(t, " of ");
	add_known(t, v->limit);
	text_add(t, " %s%s", via_unit(v->kind), v->is_given ? " (as asked for)" : "");
	if (v->processes != RESULT_UNKNOWN)
		text_add(t, " in %llu process%s", (unsigned long long)v->processes,
		         v->processes == 1 ? "" : "es");
	add_packets(t, v->refused, "packets refused by that");
	add_packets(t, v->dropped, "packets dropped for want of an entry");
	add_packets(t, v->invalid, "packets dropped as invalid");
	put(to, "via", t);
}

static void put_established(FILE *to, struct text *t, const struct result *r)
{
	if (r->established.client != RESULT_UNKNOWN) {
		text_add(t, "client ");
		text_count(t, r->established.client);
		text_add(t, " | ");
	}
	if (r->established.server != RESULT_UNKNOWN) {
		text_add(t, "server ");
		text_count(t, r->established.server);
		text_add(t, " | ");
	}
	text_add(t, "kernel ");
	add_known(t, r->established.kernel);
	if (r->server.has) {
		text_add(t, " | server's kernel ");
		add_known(t, r->established.server_kernel);
	}
	put(to, "established", t);
}

static void put_proof(FILE *to, struct text *t, const char *name, const struct result *r,
                      const struct result_proof *p, uint64_t wanted)
{
	if (!r->has_proof)
		return;
	if (!p->done) {
		text_add(t, "not done");
	} else {
		text_count(t, p->echoed);
		add_percent(t, p->echoed, wanted);
		text_add(t, " echoed in ");
		text_duration(t, p->duration_ns);
		if (p->repeated > 0 && p->repeated != RESULT_UNKNOWN) {
			text_add(t, ", said again ");
			text_count(t, p->repeated);
		}
		if (p->mismatched > 0) {
			text_add(t, ", mismatched ");
			text_count(t, p->mismatched);
		}
		if (p->differing != RESULT_UNKNOWN && p->differing > 0) {
			text_add(t, ", seen by one side only ");
			text_count(t, p->differing);
		}
	}
	put(to, name, t);
}

/* Causes of which the path says more than they could. */
static bool is_of_the_path(enum cause cause)
{
	return cause == CAUSE_TIMEOUT || cause == CAUSE_REFUSED || cause == CAUSE_UNREACHABLE ||
	       cause == CAUSE_RESET || cause == CAUSE_CLOSED;
}

static void put_causes_but(FILE *to, const char *name, uint64_t total, const uint64_t *by_cause,
                           bool has_path)
{
	char line[LINE_BYTES], advice[LINE_BYTES];
	struct text t;

	if (total == 0)
		return;
	for (int i = 0; i < CAUSE_COUNT; i++) {
		if (by_cause[i] == 0)
			continue;
		text_init(&t, line, sizeof(line));
		text_count(&t, by_cause[i]);
		cause_explain((enum cause)i, advice, sizeof(advice));
		if (has_path && is_of_the_path((enum cause)i))
			text_add(&t, " %s: see path", cause_name((enum cause)i));
		else
			text_add(&t, " %s: %s", cause_name((enum cause)i), advice);
		put(to, name, &t);
	}
}

static void put_causes(FILE *to, const char *name, uint64_t total, const uint64_t *by_cause)
{
	put_causes_but(to, name, total, by_cause, false);
}

/* Whether it says why connections failed. */
static bool has_path(const struct result *r)
{
	return r->path.has && path_is_fault(r->path.kind);
}

static void put_path(FILE *to, const struct path *path)
{
	char line[PATH_SAYS_BYTES];
	struct text t;

	if (!path->has || path->says[0] == '\0')
		return;
	text_init(&t, line, sizeof(line));
	text_add(&t, "%s", path->says);
	put(to, "path", &t);
	if (path->advice[0] == '\0')
		return;
	text_init(&t, line, sizeof(line));
	text_add(&t, "%s", path->advice);
	put(to, "", &t);
}

static void put_hold(FILE *to, struct text *t, const struct result *r)
{
	text_duration(t, r->timing.hold_ns);
	text_add(t, ", lost ");
	text_count(t, r->lost);
	if (r->reconnected > 0) {
		text_add(t, ", opened again ");
		text_count(t, r->reconnected);
	}
	if (r->open_at_end != r->established.client) {
		text_add(t, ", open at its end ");
		text_count(t, r->open_at_end);
	}
	if (r->received_bytes > 0) {
		text_add(t, ", received ");
		text_bytes(t, r->received_bytes);
		text_add(t, " unasked");
	}
	put(to, "held", t);
}

static void add_teardown(struct text *t, const struct result *r)
{
	text_add(t, "closed in ");
	if (r->timing.teardown_ns == RESULT_UNKNOWN)
		text_add(t, "unknown: sockets were left");
	else
		text_duration(t, r->timing.teardown_ns);
}

static void put_ramp(FILE *to, struct text *t, const struct result *r)
{
	if (r->timing.ramp_ns != RESULT_UNKNOWN) {
		text_duration(t, r->timing.ramp_ns);
		text_add(t, ", ");
		text_count(t, r->timing.rate_per_s);
		text_add(t, " connections/s; ");
	}
	add_teardown(t, r);
	put(to, "ramp", t);
}

static void put_latency(FILE *to, struct text *t, const struct result *r)
{
	const struct {
		const char *name;
		uint64_t value_ns;
	} quantiles[] = {
		{"p50 ", r->timing.connect_p50_ns},   {"  p90 ", r->timing.connect_p90_ns},
		{"  p99 ", r->timing.connect_p99_ns}, {"  p99.9 ", r->timing.connect_p999_ns},
		{"  max ", r->timing.connect_max_ns},
	};

	if (r->timing.connect_max_ns == RESULT_UNKNOWN)
		return;
	for (size_t i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++) {
		text_add(t, "%s", quantiles[i].name);
		text_duration(t, quantiles[i].value_ns);
	}
	put(to, "connect", t);
}

/* What is not as on a clean wire; foreign packets are no fault of it. */
static void put_packets(FILE *to, struct text *t, const struct result *r)
{
	const struct packets *p = &r->packets;
	const struct {
		const char *what;
		uint64_t count;
	} faults[] = {
		{"retransmitted", p->retransmitted},
		{"dropped by the kernel", p->dropped},
		{"bad checksums", p->bad_checksum},
		{"malformed", p->malformed},
		{"out of order", p->out_of_order},
		{"unasked", p->unasked},
		{"stray", p->stray},
		{"challenge ACKs", p->challenged},
		{"window probes", p->probes},
		{"from others with our addresses", p->conflicts},
	};
	uint64_t all = 0;

	text_count(t, p->sent);
	text_add(t, " sent, ");
	text_count(t, p->received);
	text_add(t, " received");
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		if (faults[i].count == 0)
			continue;
		text_add(t, "; %s ", faults[i].what);
		text_count(t, faults[i].count);
		all += faults[i].count;
	}
	if (all > 0)
		put(to, "packets", t);
}

static void add_share(struct text *t, int64_t bytes, uint64_t connections)
{
	if (bytes == RESULT_UNKNOWN_BYTES) {
		text_add(t, "unknown");
		return;
	}
	int64_t share = bill_each_whole(bytes, connections);

	if (share < 0)
		text_add(t, "-");
	text_count(t, (uint64_t)(share < 0 ? -share : share));
}

/* More than a tenth is not accounted for, one way or the other. */
static bool is_noisy(const struct result_memory *m)
{
	int64_t all = result_bytes(m);

	return all == RESULT_UNKNOWN_BYTES || m->residual_bytes > all / 10 ||
	       m->residual_bytes < -all / 10;
}

static void put_memory(FILE *to, struct text *t, const struct result *r)
{
	const struct result_memory *m = &r->memory;

	if (m->connections == 0)
		return;
	add_share(t, result_bytes(m), m->connections);
	text_add(t, " bytes a connection: kernel ");
	add_share(t, m->kernel_bytes, m->connections);
	if (r->server_workers > 0) {
		text_add(t, ", server ");
		add_share(t, m->server_user_bytes, m->connections);
	}
	if (r->client_workers > 0) {
		text_add(t, ", client ");
		add_share(t, m->client_user_bytes, m->connections);
	}
	text_add(t, "; residual ");
	add_share(t, m->residual_bytes, m->connections);
	if (is_noisy(m))
		text_add(t, " (noisy: few connections, or other programs at work)");
	put(to, "memory", t);
	bill_print_shares(to, &m->bill, INDENT);
}

/* --- a server on another host ------------------------------------------------------------- */

static void put_asked(FILE *to, struct text *t, const struct result_server *s)
{
	text_add(t, "%s, host %s, kernel %s", s->api, s->host[0] != '\0' ? s->host : "unknown",
	         s->kernel[0] != '\0' ? s->kernel : "unknown");
	if (s->is_translated)
		text_add(t, "; addresses are translated between: its kernel's count is of all "
		            "peers");
	put(to, "server", t);
}

static void put_differing(FILE *to, const struct result_server *s)
{
	char line[LINE_BYTES];
	struct text t;

	for (uint32_t i = 0; i < s->differing_count; i++) {
		text_init(&t, line, sizeof(line));
		result_say_differing(&s->differing[i], &t);
		put(to, i == 0 ? "differing" : "", &t);
	}
}

static void put_their_memory(FILE *to, struct text *t, const struct result_memory *m)
{
	text_add(t, "the server's host: ");
	add_share(t, m->kernel_bytes, m->connections);
	text_add(t, " bytes a connection in its kernel, ");
	add_share(t, m->server_user_bytes, m->connections);
	text_add(t, " in its processes; residual ");
	add_share(t, m->residual_bytes, m->connections);
	text_add(t, "; of ");
	text_count(t, m->connections);
	text_add(t, " connections");
	put(to, "memory", t);
	bill_print_shares(to, &m->bill, INDENT);
}

/* Why the bill has no line for a socket. */
static void put_slabs(FILE *to, struct text *t, const struct result_memory *m)
{
	if (m->connections == 0 || m->has_slabs)
		return;
	text_add(t, "not shown one by one: /proc/slabinfo is root's");
	put(to, "slabs", t);
}

static void put_served(FILE *to, struct text *t, const struct result *r)
{
	text_count(t, r->served.accepted);
	text_add(t, " connections, ");
	text_count(t, r->served.peak_open);
	text_add(t, " at once; %u port%s, ", r->server_ports, plural(r->server_ports));
	add_workers(t, r);
	put(to, "served", t);
}

static void put_ends(FILE *to, struct text *t, const struct result *r)
{
	text_count(t, r->served.closed);
	text_add(t, " closed by their peer; ");
	text_count(t, r->open_at_end);
	text_add(t, " open at the end, ");
	add_teardown(t, r);
	put(to, "ended", t);
}

static void put_traffic(FILE *to, struct text *t, const struct result *r)
{
	text_bytes(t, r->served.received_bytes);
	text_add(t, " received");
	if (r->served.tokens > 0) {
		text_add(t, "; ");
		text_count(t, r->served.tokens);
		text_add(t, " tokens echoed");
	}
	put(to, "traffic", t);
}

static void put_lines(FILE *to, struct stage_line *lines, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		struct text t = {.at = lines[i].text};

		put(to, lines[i].name, &t);
	}
}

static void put_stages(FILE *to, const struct result *r)
{
	static struct stage_line lines[STAGE_LINES_MOST];

	for (uint32_t i = 0; i < r->stage_count; i++)
		put_lines(to, lines, stage_lines(r, i, lines));
	put_lines(to, lines, outage_lines(r, lines));
	put_lines(to, lines, stage_lines_search(r, lines));
}

#define FRESH (text_init(&t, line, sizeof(line)), &t)

static void put_server(FILE *to, const struct result *r)
{
	char line[LINE_BYTES];
	struct text t;

	put_served(to, FRESH, r);
	put_established(to, FRESH, r);
	put_traffic(to, FRESH, r);
	put_ends(to, FRESH, r);
	put_causes(to, "ended", r->lost, r->lost_by_cause);
}

static void put_clients(FILE *to, const struct result *r)
{
	char line[LINE_BYTES];
	struct text t;

	put_topology(to, FRESH, r);
	put_via(to, FRESH, &r->via);
	put_established(to, FRESH, r);
	if (r->server.has)
		put_asked(to, FRESH, &r->server);
	put_proof(to, FRESH, "proved", r, &r->proved_ramp, result_ramped(r));
	put_hold(to, FRESH, r);
	put_stages(to, r);
	put_proof(to, FRESH, "proved again", r, &r->proved, result_wanted(r));
	put_differing(to, &r->server);
	put_causes_but(to, "failed", r->failed, r->failed_by_cause, has_path(r));
	put_causes_but(to, "retried", r->retried, r->retried_by_cause, has_path(r));
	put_causes_but(to, "lost", r->lost, r->lost_by_cause, has_path(r));
	put_path(to, &r->path);
	put_ramp(to, FRESH, r);
	put_packets(to, FRESH, r);
	put_latency(to, FRESH, r);
}

static void put_idle(FILE *to, const struct result *r)
{
	char asked[RESULT_IDLE_BYTES], ends[RESULT_IDLE_BYTES];

	result_idle_lines(r, asked, ends);
	put(to, "asked", &(struct text){.at = asked});
	put(to, "came of it", &(struct text){.at = ends});
	put_causes(to, "failed", r->failed, r->failed_by_cause);
	put_causes(to, "retried", r->retried, r->retried_by_cause);
}

void summary_print(FILE *to, const struct result *r)
{
	char line[LINE_BYTES];
	struct text t;

	fprintf(to, "\n");
	if (r->has_idle)
		put_idle(to, r);
	else if (r->client_workers > 0)
		put_clients(to, r);
	else
		put_server(to, r);
	put_causes(to, "accept", r->accept_errors, r->accept_errors_by_cause);
	put_memory(to, FRESH, r);
	put_slabs(to, FRESH, &r->memory);
	if (r->server.has_memory)
		put_their_memory(to, FRESH, &r->server.memory);
	fprintf(to, "\n  %s: %s\n", verdicts[r->verdict], r->reason);
}
