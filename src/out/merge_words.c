/* merge_words: see the header. */
#include "out/merge_words.h"

#include "base/text.h"
#include "out/merge_sum.h"

#include <string.h>

#define LISTED_MOST 6 /* shards or ranges in a sentence */

/* --- lists -------------------------------------------------------------------------------- */

/* Numbers and ranges of them. */
struct list {
	uint32_t count; /* may be more than are kept */
	struct {
		uint64_t from, to;
	} ranges[LISTED_MOST];
};

static void add_range(struct list *l, uint64_t from, uint64_t to)
{
	if (l->count < LISTED_MOST) {
		l->ranges[l->count].from = from;
		l->ranges[l->count].to = to;
	}
	l->count++;
}

static void add_number(struct text *t, uint64_t value, bool is_index)
{
	if (is_index)
		text_count(t, value);
	else
		text_add(t, "%llu", (unsigned long long)value);
}

/* "4, 7 and 9-12"; indexes have their digits by threes. */
static void tell_list(const struct list *l, bool is_index, struct text *t)
{
	uint32_t shown = l->count < LISTED_MOST ? l->count : LISTED_MOST;

	for (uint32_t i = 0; i < shown; i++) {
		bool is_last = i + 1 == l->count;

		text_add(t, "%s", i == 0 ? "" : is_last ? " and " : ", ");
		add_number(t, l->ranges[i].from, is_index);
		if (l->ranges[i].to == l->ranges[i].from)
			continue;
		text_add(t, "-");
		add_number(t, l->ranges[i].to, is_index);
	}
	if (l->count > shown)
		text_add(t, ", ...");
}

static void list_missing(const struct merge *m, struct text *t)
{
	struct list list = {0};

	for (uint32_t k = 1; k <= m->of; k++) {
		uint32_t from = k;

		if (m->row_of[k] > 0)
			continue;
		while (k < m->of && m->row_of[k + 1] == 0)
			k++;
		add_range(&list, from, k);
	}
	tell_list(&list, false, t);
}

/* Where indexes stop and the next begin: shards are in the order of their indexes. */
static void list_gaps(const struct merge *m, struct text *t)
{
	struct list list = {0};
	uint64_t next = 0;

	for (uint32_t k = 1; k <= m->of; k++) {
		if (m->row_of[k] == 0)
			continue;
		const struct merge_row *row = &m->rows[m->row_of[k] - 1];

		if (row->first > next)
			add_range(&list, next, row->first - 1);
		next = row->first + row->count > next ? row->first + row->count : next;
	}
	if (next < m->connections)
		add_range(&list, next, m->connections - 1);
	tell_list(&list, true, t);
}

void merge_words_missing(const struct merge *m, char *shards, size_t shards_size, char *indexes,
                         size_t indexes_size)
{
	struct text t;

	text_init(&t, shards, shards_size);
	list_missing(m, &t);
	text_init(&t, indexes, indexes_size);
	list_gaps(m, &t);
}

/* --- what is wrong ------------------------------------------------------------------------ */

static void begin(struct text *t)
{
	if (t->len > 0)
		text_add(t, "; ");
}

/* Indexes that nobody has are missing shards, or those of hosts with another --source. */
static bool tell_missing(const struct merge *m, struct text *t)
{
	char shards[128], indexes[256];
	uint32_t missing = 0;

	for (uint32_t k = 1; k <= m->of; k++)
		missing += m->row_of[k] == 0;
	merge_words_missing(m, shards, sizeof(shards), indexes, sizeof(indexes));
	if (missing == 0 && indexes[0] == '\0')
		return false;
	begin(t);
	if (missing > 0)
		text_add(t, "shard%s %s of %u %s missing: ", missing == 1 ? "" : "s", shards, m->of,
		         missing == 1 ? "is" : "are");
	else
		text_add(t, "no shard has ");
	text_add(t, "indexes %s", indexes);
	return true;
}

static bool tell_again(const struct merge *m, struct text *t)
{
	for (uint32_t i = 0; i < m->row_count; i++) {
		const struct merge_row *row = &m->rows[i];

		if (!row->is_again || !row->has_begun)
			continue;
		const struct merge_row *other = &m->rows[m->row_of[row->number] - 1];

		begin(t);
		text_add(t, "shard %u is there twice (%s, %s): indexes ", row->number, other->name,
		         row->name);
		text_count(t, row->first);
		text_add(t, "-");
		text_count(t, row->first + row->count - 1);
		return true;
	}
	return false;
}

/* Shards that were given different sources: their numbers differ, their indexes do not. */
static bool tell_overlap(const struct merge *m, struct text *t)
{
	const struct merge_row *before = NULL;

	for (uint32_t k = 1; k <= m->of; k++) {
		if (m->row_of[k] == 0)
			continue;
		const struct merge_row *row = &m->rows[m->row_of[k] - 1];

		if (before && row->first < before->first + before->count) {
			begin(t);
			text_add(t, "shards %u and %u both have indexes from ", before->number,
			         row->number);
			text_count(t, row->first);
			text_add(t, " on: they were given different lists (--source)");
			return true;
		}
		before = row;
	}
	return false;
}

/* Of those that did not pass: how many, and the first in its own words. */
static bool tell_failed(const struct merge *m, struct text *t, bool *is_partial)
{
	const struct merge_row *first = NULL;
	uint32_t count = 0;

	for (uint32_t i = 0; i < m->row_count; i++) {
		const struct merge_row *row = &m->rows[i];

		if (row->is_again || row->verdict == VERDICT_PASS)
			continue;
		*is_partial = *is_partial && row->verdict == VERDICT_PARTIAL;
		first = first ? first : row;
		count++;
	}
	if (!first)
		return false;
	begin(t);
	if (count > 1)
		text_add(t, "%u shards did not pass, of them ", count);
	text_add(t, "shard %u: %s", first->number, first->reason);
	return true;
}

/* When it had opened the last one. */
static uint64_t up_unix_ns(const struct merge_row *row)
{
	return row->ramp_ns == RESULT_UNKNOWN ? row->started_unix_ns
	                                      : merge_add(row->started_unix_ns, row->ramp_ns);
}

/* Whether one had ended its hold before another had opened all: then they were never all open. */
static bool tell_apart(const struct merge *m, struct text *t)
{
	const struct merge_row *late = NULL, *early = NULL;

	for (uint32_t i = 0; i < m->row_count; i++) {
		const struct merge_row *row = &m->rows[i];

		if (!row->has_begun || row->is_again || row->started_unix_ns == RESULT_UNKNOWN)
			continue;
		late = late && up_unix_ns(late) >= up_unix_ns(row) ? late : row;
		early = early && early->end_unix_ns <= row->end_unix_ns ? early : row;
	}
	if (!late || late == early || up_unix_ns(late) < early->end_unix_ns)
		return false;
	bool was_up = late->started_unix_ns < early->end_unix_ns;

	begin(t);
	text_add(t, "shard %u %s ", late->number, was_up ? "had opened its last one" : "began");
	text_duration(t, (was_up ? up_unix_ns(late) : late->started_unix_ns) - early->end_unix_ns);
	text_add(t, " after shard %u had ended, by their clocks: they were not one run",
	         early->number);
	return true;
}

static bool tell_served(const struct merge *m, struct text *t)
{
	const struct result *r = &m->result;

	if (m->servers == 0 || r->established.server == r->established.client)
		return false;
	begin(t);
	text_add(t, "the counts do not agree: clients ");
	text_count(t, r->established.client == RESULT_UNKNOWN ? 0 : r->established.client);
	text_add(t, ", servers ");
	if (r->established.server == RESULT_UNKNOWN)
		text_add(t, "unknown");
	else
		text_count(t, r->established.server);
	return true;
}

/* Of shards that all passed: what is opened again after it was lost need not be there at once. */
static bool tell_short(const struct merge *m, struct text *t)
{
	const struct result *r = &m->result;

	if (r->reconnected > 0 || r->established.client == result_ramped(r))
		return false;
	begin(t);
	text_add(t, "the shards say that they passed, but their counts do not: ");
	text_count(t, r->established.client == RESULT_UNKNOWN ? 0 : r->established.client);
	text_add(t, " of ");
	text_count(t, result_ramped(r));
	text_add(t, " established: a result was changed");
	return true;
}

static void tell_pass(const struct merge *m, struct text *t)
{
	const struct result *r = &m->result;

	text_add(t, "%u shard%s, ", m->of, m->of == 1 ? "" : "s");
	text_count(t, r->established.client);
	text_add(t, " connections %s",
	         r->has_proof ? "established, proved, held and proved again"
	                      : "established and held; not proved, as nobody echoes");
}

void merge_words(struct merge *m)
{
	struct result *r = &m->result;
	bool is_partial = true, is_bad;
	struct text t;

	text_init(&t, r->reason, sizeof(r->reason));
	is_bad = tell_missing(m, &t);
	is_bad = tell_again(m, &t) || is_bad;
	is_bad = tell_overlap(m, &t) || is_bad;
	is_bad = tell_apart(m, &t) || is_bad;
	bool has_failed = tell_failed(m, &t, &is_partial);

	is_bad = tell_served(m, &t) || is_bad;
	if (!is_bad && !has_failed)
		is_bad = tell_short(m, &t);
	r->verdict = is_bad || (has_failed && !is_partial) ? VERDICT_FAIL
	             : has_failed                          ? VERDICT_PARTIAL
	                                                   : VERDICT_PASS;
	r->exit_code = r->verdict == VERDICT_PASS ? EXIT_PASS : EXIT_FAILED;
	if (r->verdict == VERDICT_PASS)
		tell_pass(m, &t);
}
