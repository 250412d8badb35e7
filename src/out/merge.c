/* merge: see the header. */
#include "out/merge.h"

#include "base/clock.h"
#include "base/text.h"
#include "out/merge_sum.h"
#include "out/merge_words.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void merge_begin(struct merge *m)
{
	memset(m, 0, sizeof(*m));
	m->spread_ns = RESULT_UNKNOWN;
	result_init(&m->result);
}

/* --- what is taken ------------------------------------------------------------------------ */

static bool is_role(const struct result *r, const char *role)
{
	return strncmp(r->role, role, sizeof(r->role)) == 0;
}

/* A shard's numbers are those that plan/shard would have given it. */
static bool is_shard(const struct result *r)
{
	return r->shard.of > 0 && r->shard.of <= MERGE_SHARDS_MAX && r->shard.number >= 1 &&
	       r->shard.number <= r->shard.of && r->shard.count > 0 &&
	       r->shard.first < r->shard.connections &&
	       r->shard.count <= r->shard.connections - r->shard.first;
}

static int check_kind(const char *name, const struct result *r, struct err *err)
{
	if (is_role(r, "merge"))
		return err_set(err, -EINVAL,
		               "%s: merged already: give the records that it was made of", name);
	if (r->has_search)
		return err_set(err, -EINVAL, "%s: a search (--find-max), which is many runs", name);
	if (r->has_idle)
		return err_set(err, -EINVAL, "%s: looked for a time-out (--probe-idle)", name);
	if (is_role(r, "serve") || is_shard(r))
		return 0;
	return err_set(err, -EINVAL, "%s: not a part of a run (connect --shard 3/20), nor a server",
	               name);
}

/* Refused for something else than what the shard's numbers are: they are not known then. */
static bool was_never_planned(const struct result *r)
{
	return r->verdict == VERDICT_REFUSED && r->shard.of == 0 && is_role(r, "connect");
}

/* The first that is given says which run it is. */
static int check_same(const struct merge *m, const char *name, const struct result *r,
                      struct err *err)
{
	if (m->of == 0)
		return 0;
	if (r->shard.of != m->of)
		return err_set(err, -EINVAL, "%s: of another run: shard %u of %u, and %s is of %u",
		               name, r->shard.number, r->shard.of, m->rows[0].name, m->of);
	if (r->shard.connections != m->connections)
		return err_set(err, -EINVAL,
		               "%s: of another run: of %llu connections, and %s is of %llu", name,
		               (unsigned long long)r->shard.connections, m->rows[0].name,
		               (unsigned long long)m->connections);
	if (strcmp(r->to, m->to) != 0)
		return err_set(err, -EINVAL, "%s: of another run: to %s, and %s is to %s", name,
		               r->to[0] ? r->to : "nowhere", m->rows[0].name,
		               m->to[0] ? m->to : "nowhere");
	if (m->begun > 0 && !merge_sum_fits(&m->result, r))
		return err_set(err, -EINVAL, "%s: of another run: its stages are not those of %s",
		               name, m->rows[0].name);
	return 0;
}

static uint64_t known_or_none(uint64_t value)
{
	return value == RESULT_UNKNOWN ? 0 : value;
}

/* The end of its hold, by its own clock: phases follow each other without a pause. */
static uint64_t end_of(const struct result *r)
{
	uint64_t sum = merge_add(r->timing.started_unix_ns, known_or_none(r->timing.ramp_ns));

	if (r->proved_ramp.done)
		sum = merge_add(sum, known_or_none(r->proved_ramp.duration_ns));
	return merge_add(sum, known_or_none(r->timing.hold_ns));
}

/* What is said on a terminal, of what stood in somebody's file. */
static void copy_plain(char *to, size_t size, const char *from)
{
	size_t len = strnlen(from, size - 1);

	for (size_t i = 0; i < len; i++)
		to[i] = (char)((unsigned char)from[i] < ' ' || from[i] == 0x7f ? '?' : from[i]);
	to[len] = '\0';
}

/* While results are taken; then there are some of the whole. */
#define NOTES_TAKEN_MOST (MERGE_NOTES_MOST - 3)

__attribute__((format(printf, 2, 0))) static void add_note(struct merge *m, const char *fmt,
                                                           va_list args)
{
	char text[sizeof(m->notes[0])];

	vsnprintf(text, sizeof(text), fmt, args);
	copy_plain(m->notes[m->note_count++], sizeof(m->notes[0]), text);
}

/* Of one result. Those for which there is no room are counted. */
__attribute__((format(printf, 2, 3))) static void note(struct merge *m, const char *fmt, ...)
{
	va_list args;

	if (m->note_count == NOTES_TAKEN_MOST) {
		m->notes_left++;
		return;
	}
	va_start(args, fmt);
	add_note(m, fmt, args);
	va_end(args);
}

/* Of the whole: three at most. */
__attribute__((format(printf, 2, 3))) static void note_whole(struct merge *m, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	add_note(m, fmt, args);
	va_end(args);
}

/* One that never began, beside another one of its shard. */
static void note_never_began(struct merge *m, const struct merge_row *never,
                             const struct merge_row *other)
{
	note(m, "%s: never began (%s): shard %u is that of %s", never->name, never->reason,
	     never->number, other->name);
}

/* Says which row stands for a shard, now that there is one more of it. */
static void stand_for(struct merge *m, struct merge_row *added)
{
	uint16_t *of = &m->row_of[added->number];
	struct merge_row *first = *of > 0 ? &m->rows[*of - 1] : NULL;

	added->is_again = first && (first->has_begun || !added->has_begun);
	if (added->is_again && !added->has_begun)
		note_never_began(m, added, first);
	if (added->is_again)
		return;
	if (first) {
		first->is_again = true;
		note_never_began(m, first, added);
	}
	*of = (uint16_t)m->row_count;
}

static struct merge_row *add_row(struct merge *m, const char *name, const struct result *r)
{
	struct merge_row *row = &m->rows[m->row_count++];

	*row = (struct merge_row){
		.number = r->shard.number,
		.has_begun = r->established.client != RESULT_UNKNOWN,
		.verdict = r->verdict,
		.first = r->shard.first,
		.count = r->shard.count,
		.established = known_or_none(r->established.client),
		.lost = known_or_none(r->lost),
		.rate_per_s = r->timing.rate_per_s,
		.connect_p99_ns = r->timing.connect_p99_ns,
		.started_unix_ns = r->timing.started_unix_ns,
		.ramp_ns = r->timing.ramp_ns,
		.end_unix_ns = end_of(r),
	};
	copy_plain(row->name, sizeof(row->name), name);
	copy_plain(row->reason, sizeof(row->reason), r->reason);
	stand_for(m, row);
	return row;
}

static void note_version(struct merge *m, const char *name, const char *version)
{
	if (m->row_count == 0 && m->servers == 0)
		copy_plain(m->version, sizeof(m->version), version);
	if (strcmp(m->version, version) != 0)
		note(m, "%s: of megaconn %s, the first is of %s", name,
		     version[0] ? version : "(unknown)", m->version[0] ? m->version : "(unknown)");
}

/* Its count is judged with those of the clients; what else it has to say is for the reader. */
static int take_server(struct merge *m, const char *name, const struct result *r, struct err *err)
{
	if (m->servers == MERGE_SERVERS_MAX)
		return err_set(err, -EINVAL, "%s: more than %d servers", name, MERGE_SERVERS_MAX);
	m->servers++;
	m->served = merge_add(m->served, r->established.server);
	m->accept_errors = merge_add(m->accept_errors, r->accept_errors);
	for (int i = 0; i < CAUSE_COUNT; i++)
		m->accept_errors_by_cause[i] = merge_add(m->accept_errors_by_cause[i],
		                                         r->accept_errors_by_cause[i]);
	if (r->verdict != VERDICT_PASS)
		note(m, "%s: this server did not pass: %s", name, r->reason);
	return 0;
}

static void take_counts(struct merge *m, const struct merge_row *row, const struct result *r,
                        struct merge_logs *logs)
{
	struct err err;

	if (m->begun++ == 0)
		merge_sum_begin(&m->result, r);
	else
		merge_sum(&m->result, r);
	m->outages = merge_add(m->outages, r->outage_count);
	if (merge_logs_fit(logs, r, row->name, &err)) {
		merge_logs_add(&m->logs, logs);
	} else {
		m->without_logs++;
		note(m, "%s", err.text);
	}
}

int merge_take(struct merge *m, const char *name, const char *version, const struct result *r,
               struct merge_logs *logs, struct err *err)
{
	if (was_never_planned(r)) {
		note(m, "%s: was refused (%s) before its shard was known: it is of none", name,
		     r->reason);
		return 0;
	}
	int failed = check_kind(name, r, err);

	if (failed != 0)
		return failed;
	if (is_role(r, "serve")) {
		note_version(m, name, version);
		return take_server(m, name, r, err);
	}
	failed = check_same(m, name, r, err);
	if (failed == 0 && m->row_count == MERGE_ROWS_MOST)
		failed = err_set(err, -EINVAL, "%s: more than %d results", name, MERGE_ROWS_MOST);
	if (failed != 0)
		return failed;
	note_version(m, name, version);
	m->of = r->shard.of;
	m->connections = r->shard.connections;
	memcpy(m->to, r->to, sizeof(m->to));
	const struct merge_row *row = add_row(m, name, r);

	if (row->has_begun && !row->is_again)
		take_counts(m, row, r, logs);
	return 0;
}

void merge_take_nothing(struct merge *m, const char *name)
{
	note(m, "%s: has no result: its run was killed, or is not over; it is of no shard", name);
}

/* --- the whole ---------------------------------------------------------------------------- */

/* From the first start to the end of the last ramp, by each host's own clock. Where one does not
 * say when it began, all are taken to have begun together. */
static void set_ramp(struct merge *m)
{
	struct result *r = &m->result;
	uint64_t first_ns = RESULT_UNKNOWN, last_ns = 0, end_ns = 0;
	double opened = 0;
	bool is_known = m->begun > 0;

	for (uint32_t i = 0; i < m->row_count; i++) {
		const struct merge_row *row = &m->rows[i];

		if (!row->has_begun || row->is_again)
			continue;
		uint64_t ramp_end_ns = merge_add(row->started_unix_ns, known_or_none(row->ramp_ns));

		is_known = is_known && row->started_unix_ns != RESULT_UNKNOWN;
		first_ns = row->started_unix_ns < first_ns ? row->started_unix_ns : first_ns;
		last_ns = row->started_unix_ns > last_ns ? row->started_unix_ns : last_ns;
		end_ns = ramp_end_ns > end_ns ? ramp_end_ns : end_ns;
		opened += (double)known_or_none(row->rate_per_s) *
		          (double)known_or_none(row->ramp_ns) / (double)NS_PER_S;
	}
	r->timing.started_unix_ns = is_known ? first_ns : RESULT_UNKNOWN;
	if (is_known && end_ns > first_ns)
		r->timing.ramp_ns = end_ns - first_ns;
	m->spread_ns = is_known ? last_ns - first_ns : RESULT_UNKNOWN;
	if (r->timing.ramp_ns == RESULT_UNKNOWN || r->timing.ramp_ns == 0)
		return;
	double rate = opened * (double)NS_PER_S / (double)r->timing.ramp_ns;

	r->timing.rate_per_s = rate < 1e15 ? (uint64_t)rate : RESULT_UNKNOWN;
}

static void set_quantiles(struct merge *m)
{
	if (m->without_logs == 0) {
		merge_logs_tell(&m->logs, &m->result);
		return;
	}
	if (m->begun < 2) /* there is only one, and its own are true */
		return;
	m->result.timing.connect_max_ns = RESULT_UNKNOWN;
	note_whole(m, "quantiles of all shards need the logs of each (%u %s without)",
	           m->without_logs, m->without_logs == 1 ? "is" : "are");
}

/* Quantiles that no log has are those of one shard alone. */
static void forget_quantiles(struct merge *m)
{
	static const struct quantiles none;

	for (uint32_t i = 0; i < m->result.stage_count && m->begun > 1; i++) {
		struct result_traffic *t = &m->result.stages[i].traffic;

		t->slip = t->first = t->last = none;
		if (m->without_logs == 0)
			continue;
		t->corrected = t->uncorrected = none;
		m->result.stages[i].churn.connect = none;
	}
}

/* What a shard alone has looked at, or what is of the server as a whole, stays in its result. */
static void leave_to_shards(struct merge *m)
{
	struct result *r = &m->result;

	if (m->begun < 2)
		return;
	memset(&r->server, 0, sizeof(r->server));
	path_init(&r->path);
	r->outage_count = 0;
	if (m->outages > 0)
		note_whole(m,
		           "shards had outages: when, and how long, is said in their own records");
}

static void set_words(struct result *r)
{
	snprintf(r->role, sizeof(r->role), "merge");
	memset(&r->shard, 0, sizeof(r->shard));
}

int merge_end(struct merge *m, struct err *err)
{
	struct result *r = &m->result;

	if (m->of == 0)
		return err_set(err, -EINVAL,
		               "no shard's result: give the records of connect --shard");
	if (m->begun == 0)
		result_init(r);
	set_words(r);
	memcpy(r->to, m->to, sizeof(r->to));
	if (m->begun > 0 && m->connections > r->target) /* others were to open the rest */
		r->ramped = merge_add(r->ramped, m->connections - r->target);
	r->target = m->connections;
	if (m->servers > 0)
		r->established.server = m->served;
	r->accept_errors = m->accept_errors;
	memcpy(r->accept_errors_by_cause, m->accept_errors_by_cause,
	       sizeof(r->accept_errors_by_cause));
	if (m->notes_left > 0)
		note_whole(m, "and %u more", m->notes_left);
	set_ramp(m);
	set_quantiles(m);
	forget_quantiles(m);
	leave_to_shards(m);
	merge_words(m);
	return 0;
}
