/* story: sentences and rows. */
#include "out/story.h"

#include "base/clock.h"
#include "base/text.h"
#include "out/outage_lines.h"
#include "out/result_idle.h"
#include "out/stage_lines.h"

#include <assert.h>
#include <jansson.h>
#include <string.h>
#include <time.h>

static const char *plural(uint64_t count)
{
	return count == 1 ? "" : "s";
}

static void add_known(struct text *t, uint64_t value)
{
	if (value == RESULT_UNKNOWN)
		text_add(t, "unknown");
	else
		text_count(t, value);
}

static void add_known_duration(struct text *t, uint64_t duration_ns)
{
	if (duration_ns == RESULT_UNKNOWN)
		text_add(t, "unknown");
	else
		text_duration(t, duration_ns);
}

uint64_t story_span_ns(const struct report *report)
{
	const struct track *track = &report->track;

	return track->count > 0 ? track->points[track->count - 1].at_ns : 0;
}

struct axis_text story_value(const struct figure *figure, uint64_t value)
{
	static const enum axis_unit units[] = {
		[FIGURE_NUMBER] = AXIS_COUNT,
		[FIGURE_BYTES] = AXIS_BYTES,
		[FIGURE_NS] = AXIS_NS,
	};

	static_assert(sizeof(units) / sizeof(units[0]) == FIGURE_UNIT_COUNT, "each has a unit");
	if (value == PROBE_UNKNOWN)
		return (struct axis_text){"-"};
	return axis_text(units[figure->unit], (double)value);
}

const char *story_group(enum figure_group group)
{
	static const char *const names[] = {
		[FIGURE_RUN] = "run",         [FIGURE_SOCKETS] = "sockets",
		[FIGURE_TROUBLE] = "trouble", [FIGURE_MEMORY] = "memory",
		[FIGURE_SLABS] = "slabs",     [FIGURE_CPU] = "CPUs",
	};

	static_assert(sizeof(names) / sizeof(names[0]) == FIGURE_GROUP_COUNT, "each has a name");
	return names[group];
}

const char *story_phase(const struct track *track, enum figure_id figure)
{
	uint64_t grown[LIVE_PHASE_COUNT] = {0};
	int most = 0;

	/* What came between two samples came in the phase of the first. */
	for (uint32_t p = 1; p < track->count; p++) {
		uint64_t from = track_sum(track, figure, p - 1), to = track_sum(track, figure, p);
		uint32_t phase = track->points[p - 1].phase;

		if (from != PROBE_UNKNOWN && to != PROBE_UNKNOWN && to > from &&
		    phase < LIVE_PHASE_COUNT)
			grown[phase] += to - from;
	}
	for (int i = 1; i < LIVE_PHASE_COUNT; i++)
		most = grown[i] > grown[most] ? i : most;
	return grown[most] > 0 ? live_phase_name((enum live_phase)most) : "";
}

const char *story_environment(const struct report *report, const char *path)
{
	const json_t *at = report->environment;

	while (at && path[0] != '\0') {
		char key[64];
		size_t len = strcspn(path, ".");

		snprintf(key, sizeof(key), "%.*s", (int)len, path);
		at = json_object_get(at, key);
		path += len + (path[len] == '.');
	}
	return json_string_value(at);
}

static void begin(struct story *story, const char *name, struct text *t)
{
	struct story_row *row = &story->rows[story->row_count++];

	row->name = name;
	text_init(t, row->value, sizeof(row->value));
}

static bool is_server(const struct result *r)
{
	return strcmp(r->role, "serve") == 0;
}

/* --- the headline ------------------------------------------------------------------------- */

static void tell_unfinished(const struct report *report, struct story *story)
{
	const struct track *track = &report->track;
	uint32_t last = track->count - 1;
	struct text t;

	story->mark = "NO RESULT";
	story->kind = "none";
	text_init(&t, story->headline, sizeof(story->headline));
	if (track->count == 0) {
		text_add(&t, "The run ended without a result, and before the first sample");
		return;
	}
	uint64_t open = track_sum(track, FIGURE_RUN_CLIENTS, last);
	uint64_t taken = track_sum(track, FIGURE_RUN_SERVERS, last);
	uint32_t phase = track->points[last].phase;

	if (open == PROBE_UNKNOWN || (open == 0 && taken != PROBE_UNKNOWN))
		open = taken;
	text_add(&t, "The run ended without a result after ");
	text_duration(&t, story_span_ns(report));
	text_add(&t, ": the last sample says ");
	add_known(&t, open);
	if (story->target > 0) {
		text_add(&t, " of ");
		text_count(&t, story->target);
	}
	text_add(&t, " connections open");
	if (phase < LIVE_PHASE_COUNT)
		text_add(&t, ", phase: %s", live_phase_name((enum live_phase)phase));
}

static void tell_headline(const struct report *report, struct story *story)
{
	static const char *const marks[VERDICT_COUNT] = {
		[VERDICT_FAIL] = "FAIL",
		[VERDICT_PASS] = "PASS",
		[VERDICT_PARTIAL] = "PARTIAL",
		[VERDICT_REFUSED] = "REFUSED",
	};
	static const char *const kinds[VERDICT_COUNT] = {
		[VERDICT_FAIL] = "fail",
		[VERDICT_PASS] = "pass",
		[VERDICT_PARTIAL] = "partial",
		[VERDICT_REFUSED] = "refused",
	};

	if (!report->has_result) {
		tell_unfinished(report, story);
		return;
	}
	story->mark = marks[report->result.verdict];
	story->kind = kinds[report->result.verdict];
	snprintf(story->headline, sizeof(story->headline), "%s",
	         report->result.reason[0] != '\0' ? report->result.reason : "no reason was given");
}

static void add_date(struct text *t, uint64_t unix_ns)
{
	time_t seconds = (time_t)(unix_ns / NS_PER_S);
	char date[32];
	struct tm tm;

	if (!gmtime_r(&seconds, &tm) ||
	    strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S UTC", &tm) == 0)
		return;
	text_add(t, " · %s", date);
}

static void tell_where(const struct report *report, struct story *story)
{
	const struct result *r = &report->result;
	const char *kernel = r->host.kernel, *cpu = story_environment(report, "cpu.model");
	struct text t;

	text_init(&t, story->where, sizeof(story->where));
	if (r->role[0] != '\0')
		text_add(&t, "%s", r->role);
	else
		text_add(&t, "record %s", report->name);
	if (report->track.count > 0)
		add_date(&t, report->track.points[0].unix_ns);
	else if (json_is_integer(json_object_get(report->environment, "unix_ns")))
		add_date(&t, (uint64_t)json_integer_value(
				     json_object_get(report->environment, "unix_ns")));
	if (kernel[0] == '\0' && story_environment(report, "kernel.release"))
		kernel = story_environment(report, "kernel.release");
	if (kernel[0] != '\0')
		text_add(&t, " · Linux %s", kernel);
	if (cpu)
		text_add(&t, " · %s", cpu);
	if (r->host.cpus > 0)
		text_add(&t, " · %u CPU%s", r->host.cpus, plural(r->host.cpus));
	if (r->host.memory_bytes > 0 && r->host.memory_bytes != RESULT_UNKNOWN) {
		text_add(&t, " · ");
		text_bytes(&t, r->host.memory_bytes);
	}
}

/* --- the three counts --------------------------------------------------------------------- */

static uint64_t last_of(const struct track *track, enum figure_id id)
{
	return track_range(track, id).last;
}

static void tell_counts(const struct report *report, struct story *story)
{
	const struct result *r = &report->result;
	const struct track *track = &report->track;
	uint64_t clients = r->established.client, servers = r->established.server;
	uint64_t kernel = r->established.kernel, wanted;

	story->target = result_ramped(r);
	story->counted = "at the beginning of the hold";
	if (!report->has_result) {
		story->counted = "in the last sample; the kernel counts both ends";
		clients = last_of(track, FIGURE_RUN_CLIENTS);
		servers = last_of(track, FIGURE_RUN_SERVERS);
		kernel = last_of(track, FIGURE_TCP_ESTABLISHED);
		story->target = track_range(track, FIGURE_RUN_TARGET).most;
		if (story->target == PROBE_UNKNOWN)
			story->target = 0;
	} else if (is_server(r)) {
		/* Whoever comes: its target is what it was made ready for. */
		story->target = 0;
		story->counted = "at the most it held";
	}
	wanted = story->target > 0 ? story->target : servers;
	story->counts[0] = (struct story_count){"clients", clients, clients == wanted};
	story->counts[1] = (struct story_count){"servers", servers, servers == wanted};
	story->counts[2] = (struct story_count){"kernel", kernel, kernel == wanted};
	for (int i = 0; i < STORY_COUNTS; i++)
		story->has_counts |= story->counts[i].value != RESULT_UNKNOWN;
}

/* --- rows --------------------------------------------------------------------------------- */

static void tell_topology(const struct result *r, struct story *story)
{
	struct text t;

	begin(story, "topology", &t);
	if (r->client_workers > 0)
		text_add(&t, "%u source IP%s to ", r->source_ips, plural(r->source_ips));
	text_add(&t, "%u server port%s, IPv%d", r->server_ports, plural(r->server_ports),
	         r->ipv6 ? 6 : 4);
	if (r->network[0] != '\0')
		text_add(&t, ", %s",
		         strcmp(r->network, "host") == 0 ? "the host's network" : r->network);
	if (r->via.kind != VIA_NONE)
		text_add(&t, ", via %s", via_name(r->via.kind));
	begin(story, "workers", &t);
	if (r->server_workers > 0)
		text_add(&t, "%u server%s (%s)", r->server_workers, plural(r->server_workers),
		         r->server_engine);
	if (r->client_workers > 0)
		text_add(&t, "%s%u client%s (%s)", t.len > 0 ? ", " : "", r->client_workers,
		         plural(r->client_workers), r->client_engine);
	if (r->workers_died > 0)
		text_add(&t, ", %u died", r->workers_died);
}

static void tell_ramp(const struct result *r, struct story *story)
{
	struct text t;

	if (r->timing.ramp_ns == RESULT_UNKNOWN)
		return;
	begin(story, "ramp", &t);
	text_duration(&t, r->timing.ramp_ns);
	text_add(&t, ", ");
	add_known(&t, r->timing.rate_per_s);
	text_add(&t, " connections/s");
	if (r->timing.ramp_cpu_ns != RESULT_UNKNOWN && r->established.client != RESULT_UNKNOWN &&
	    r->established.client > 0) {
		text_add(&t, ", ");
		text_duration(&t, r->timing.ramp_cpu_ns / r->established.client);
		text_add(&t, " of CPU time a connection");
	}
}

static void tell_proof(const struct result *r, const struct result_proof *p, const char *name,
                       uint64_t wanted, struct story *story)
{
	struct text t;

	begin(story, name, &t);
	if (!p->done) {
		text_add(&t, r->has_proof || r->established.client == 0
		                     ? "not done"
		                     : "no: the server does not echo");
		return;
	}
	add_known(&t, p->echoed);
	text_add(&t, " of ");
	text_count(&t, wanted);
	text_add(&t, " echoed in ");
	add_known_duration(&t, p->duration_ns);
	if (p->mismatched != RESULT_UNKNOWN && p->mismatched > 0) {
		text_add(&t, ", mismatched ");
		text_count(&t, p->mismatched);
	}
	if (p->differing != RESULT_UNKNOWN) {
		text_add(&t, ", seen by one side only: ");
		text_count(&t, p->differing);
	}
}

static void tell_hold(const struct result *r, struct story *story)
{
	struct text t;

	begin(story, "held", &t);
	add_known_duration(&t, r->timing.hold_ns);
	text_add(&t, ", lost ");
	text_count(&t, r->lost);
	if (r->reconnected > 0) {
		text_add(&t, ", opened again ");
		text_count(&t, r->reconnected);
	}
	text_add(&t, ", open at its end ");
	add_known(&t, r->open_at_end);
}

static void tell_number(struct story *story, const char *name, uint64_t value)
{
	struct text t;

	if (value == 0 || value == RESULT_UNKNOWN)
		return;
	begin(story, name, &t);
	text_count(&t, value);
}

static void tell_served(const struct result *r, struct story *story)
{
	struct text t;

	begin(story, "served", &t);
	text_count(&t, r->served.accepted);
	text_add(&t, " connections, ");
	text_count(&t, r->served.peak_open);
	text_add(&t, " at once; ");
	text_count(&t, r->served.closed);
	text_add(&t, " closed by their peer");
	begin(story, "traffic", &t);
	text_bytes(&t, r->served.received_bytes);
	text_add(&t, " received");
	if (r->served.tokens > 0) {
		text_add(&t, ", ");
		text_count(&t, r->served.tokens);
		text_add(&t, " tokens echoed");
	}
}

static void tell_lines(const struct stage_line *lines, uint32_t count, struct story *story)
{
	struct text t;

	for (uint32_t i = 0; i < count && story->row_count < STORY_ROWS_MOST - 5; i++) {
		begin(story, lines[i].name, &t);
		text_add(&t, "%s", lines[i].text);
	}
}

/* Of several stages there is a table (out/report_stages). */
static void tell_stages(const struct result *r, struct story *story)
{
	static struct stage_line lines[STAGE_LINES_MOST];

	if (r->stage_count == 1)
		tell_lines(lines, stage_lines(r, 0, lines), story);
	tell_lines(lines, outage_lines(r, lines), story);
	tell_lines(lines, stage_lines_search(r, lines), story);
}

static void tell_packets(const struct result *r, struct story *story)
{
	struct text t;

	begin(story, "packets", &t);
	text_count(&t, r->packets.sent);
	text_add(&t, " sent, ");
	text_count(&t, r->packets.received);
	text_add(&t, " received, ");
	text_count(&t, r->packets.retransmitted);
	text_add(&t, " retransmitted");
}

/* Its sentence: the headline has it too where it is why the run failed. */
static void tell_path(const struct result *r, struct story *story)
{
	struct text t;

	if (!r->path.has || r->path.says[0] == '\0')
		return;
	begin(story, "path", &t);
	text_add(&t, "%s", r->path.says);
}

static void tell_idle(const struct result *r, struct story *story)
{
	char asked[RESULT_IDLE_BYTES], ends[RESULT_IDLE_BYTES];
	struct text t;

	result_idle_lines(r, asked, ends);
	begin(story, "asked", &t);
	text_add(&t, "%s", asked);
	begin(story, "came of it", &t);
	text_add(&t, "%s", ends);
}

static void tell_rows(const struct result *r, struct story *story)
{
	struct text t;

	if (r->has_idle)
		tell_idle(r, story);
	if (r->server_workers + r->client_workers == 0)
		return;
	tell_topology(r, story);
	if (r->client_workers > 0) {
		tell_ramp(r, story);
		tell_proof(r, &r->proved_ramp, "proved", result_ramped(r), story);
		tell_hold(r, story);
		tell_stages(r, story);
		tell_proof(r, &r->proved, "proved again", result_wanted(r), story);
	} else {
		tell_served(r, story);
	}
	if (r->has_packets)
		tell_packets(r, story);
	tell_path(r, story);
	tell_number(story, "not tried", r->not_tried);
	tell_number(story, "listen overflows", r->listen_overflows);
	begin(story, "closed in", &t);
	if (r->timing.teardown_ns == RESULT_UNKNOWN)
		text_add(&t, "unknown: sockets were left");
	else
		text_duration(&t, r->timing.teardown_ns);
}

/* --- causes and quantiles ----------------------------------------------------------------- */

static void tell_causes(struct story *story, const char *what, const uint64_t *counts)
{
	for (int i = 0; i < CAUSE_COUNT; i++) {
		if (counts[i] > 0)
			story->causes[story->cause_count++] =
				(struct story_cause){what, (enum cause)i, counts[i]};
	}
}

static void last_counts(const struct track *track, enum figure_id id, uint64_t *counts)
{
	for (int i = 0; i < CAUSE_COUNT; i++) {
		const uint64_t *values = track_column(track, id, cause_name((enum cause)i));
		uint64_t last = values ? values[track->count - 1] : 0;

		counts[i] = last == PROBE_UNKNOWN ? 0 : last;
	}
}

static void tell_all_causes(const struct report *report, struct story *story)
{
	const struct result *r = &report->result;
	uint64_t counts[CAUSE_COUNT];

	if (!report->has_result) {
		last_counts(&report->track, FIGURE_RUN_FAILED, counts);
		tell_causes(story, "failed", counts);
		last_counts(&report->track, FIGURE_RUN_LOST, counts);
		tell_causes(story, "lost", counts);
		return;
	}
	tell_causes(story, "failed", r->failed_by_cause);
	tell_causes(story, "retried", r->retried_by_cause);
	tell_causes(story, is_server(r) ? "ended" : "lost", r->lost_by_cause);
	tell_causes(story, "accept", r->accept_errors_by_cause);
}

static void tell_connect(const struct report *report, struct story *story)
{
	const struct result *r = &report->result;
	const struct track *track = &report->track;
	const uint64_t of_result[] = {r->timing.connect_p50_ns, r->timing.connect_p90_ns,
	                              r->timing.connect_p99_ns, r->timing.connect_p999_ns,
	                              r->timing.connect_max_ns};
	const uint64_t *from = of_result;

	if (!report->has_result)
		from = track->count > 0 ? track->points[track->count - 1].connect_ns : NULL;
	story->has_connect = from != NULL;
	for (int i = 0; from && i < TRACK_QUANTILES; i++) {
		story->connect_ns[i] = from[i];
		if (from[i] == RESULT_UNKNOWN || from[i] == 0)
			story->has_connect = false;
	}
}

void story_tell(const struct report *report, struct story *story)
{
	memset(story, 0, sizeof(*story));
	tell_counts(report, story);
	tell_headline(report, story);
	tell_where(report, story);
	if (report->has_result)
		tell_rows(&report->result, story);
	tell_all_causes(report, story);
	tell_connect(report, story);
}
