/* merge_text: see the header. */
#include "out/merge_text.h"

#include "base/text.h"
#include "out/json.h"
#include "out/merge_words.h"
#include "out/summary.h"

#include <jansson.h>
#include <string.h>

#define ROWS_MOST 32 /* shards that are all shown */

/* --- text --------------------------------------------------------------------------------- */

struct cell {
	char text[48];
};

static struct cell count_cell(uint64_t value)
{
	struct cell c;
	struct text t;

	text_init(&t, c.text, sizeof(c.text));
	if (value == RESULT_UNKNOWN)
		text_add(&t, "-");
	else
		text_count(&t, value);
	return c;
}

static struct cell time_cell(uint64_t duration_ns)
{
	struct cell c;
	struct text t;

	text_init(&t, c.text, sizeof(c.text));
	if (duration_ns == RESULT_UNKNOWN)
		text_add(&t, "-");
	else
		text_duration(&t, duration_ns);
	return c;
}

static struct cell range_cell(const struct merge_row *row)
{
	struct cell c;
	struct text t;

	text_init(&t, c.text, sizeof(c.text));
	text_count(&t, row->first);
	text_add(&t, "-");
	text_count(&t, row->first + row->count - 1);
	return c;
}

/* How long after the first of all it began. */
static uint64_t after_first_ns(const struct merge *m, const struct merge_row *row)
{
	uint64_t first_ns = m->result.timing.started_unix_ns;

	if (row->started_unix_ns == RESULT_UNKNOWN || first_ns == RESULT_UNKNOWN ||
	    row->started_unix_ns < first_ns)
		return RESULT_UNKNOWN;
	return row->started_unix_ns - first_ns;
}

static void print_row(FILE *to, const struct merge *m, const struct merge_row *row)
{
	const char *word = row->is_again && row->has_begun   ? "twice"
	                   : row->verdict == VERDICT_PASS    ? "pass"
	                   : row->verdict == VERDICT_PARTIAL ? "partial"
	                   : row->verdict == VERDICT_REFUSED ? "refused"
	                                                     : "FAIL";

	fprintf(to, "  %5u  %21s  %11s  %7s  %9s  %9s  %9s  %s\n", row->number,
	        range_cell(row).text, count_cell(row->established).text, count_cell(row->lost).text,
	        time_cell(after_first_ns(m, row)).text, time_cell(row->ramp_ns).text,
	        time_cell(row->connect_p99_ns).text, word);
}

static bool is_shown(const struct merge *m, const struct merge_row *row)
{
	return m->row_count <= ROWS_MOST || row->is_again || row->verdict != VERDICT_PASS;
}

static void print_rows(FILE *to, const struct merge *m)
{
	uint32_t shown = 0;

	for (uint32_t i = 0; i < m->row_count; i++)
		shown += is_shown(m, &m->rows[i]);
	if (shown == 0)
		return;
	fprintf(to, "\n  %5s  %21s  %11s  %7s  %9s  %9s  %9s\n", "shard", "indexes", "established",
	        "lost", "began", "ramp", "p99");
	for (uint32_t k = 1; k <= m->of; k++) {
		for (uint32_t i = 0; i < m->row_count; i++) {
			if (m->rows[i].number == k && is_shown(m, &m->rows[i]))
				print_row(to, m, &m->rows[i]);
		}
	}
}

/* Clocks of hosts are not one clock. */
static void print_starts(FILE *to, const struct merge *m)
{
	uint32_t there = 0;

	for (uint32_t k = 1; k <= m->of; k++)
		there += m->row_of[k] > 0;
	fprintf(to, "\n  shards       %u of %u", there, m->of);
	if (m->begun > 1 && m->spread_ns != RESULT_UNKNOWN)
		fprintf(to, "; began within %s of each other, by their own clocks",
		        time_cell(m->spread_ns).text);
	else if (m->begun > 1)
		fprintf(to, "; taken to have begun together, as not each says when");
	if (m->servers > 0)
		fprintf(to, "; %u server%s", m->servers, m->servers == 1 ? "" : "s");
	fprintf(to, "\n");
}

void merge_text_print(FILE *to, const struct merge *m)
{
	print_rows(to, m);
	print_starts(to, m);
	if (m->begun > 0)
		summary_print(to, &m->result);
	else
		fprintf(to, "\n  FAIL: %s\n", m->result.reason);
	for (uint32_t i = 0; i < m->note_count; i++)
		fprintf(to, "  note: %s\n", m->notes[i]);
}

/* --- JSON --------------------------------------------------------------------------------- */

/* What came of files may be no UTF-8. */
static json_t *words(const char *text)
{
	json_t *o = json_string(text);

	return o ? o : json_string("?");
}

static json_t *row_json(const struct merge_row *row)
{
	json_t *o = json_object();

	json_object_set_new(o, "name", words(row->name));
	json_object_set_new(o, "number", json_whole(row->number));
	json_object_set_new(o, "first", json_whole(row->first));
	json_object_set_new(o, "count", json_whole(row->count));
	json_object_set_new(o, "counted", json_boolean(row->has_begun && !row->is_again));
	json_object_set_new(o, "verdict", json_string(json_verdict(row->verdict)));
	json_object_set_new(o, "reason", words(row->reason));
	json_object_set_new(o, "established", json_known(row->established));
	json_object_set_new(o, "lost", json_known(row->lost));
	json_object_set_new(o, "started_unix_ns", json_known(row->started_unix_ns));
	json_object_set_new(o, "ramp_s",
	                    row->ramp_ns == RESULT_UNKNOWN ? json_null()
	                                                   : json_real((double)row->ramp_ns / 1e9));
	json_object_set_new(o, "connect_p99_ns", json_known(row->connect_p99_ns));
	return o;
}

static json_t *missing_json(const struct merge *m)
{
	json_t *array = json_array();

	for (uint32_t k = 1; k <= m->of; k++) {
		if (m->row_of[k] == 0)
			json_array_append_new(array, json_whole(k));
	}
	return array;
}

json_t *merge_text_json(const struct merge *m, int argc, char *const *argv)
{
	json_t *o = json_result(&m->result, argc, argv), *merged = json_object();
	json_t *rows = json_array(), *notes = json_array();

	for (uint32_t i = 0; i < m->row_count; i++)
		json_array_append_new(rows, row_json(&m->rows[i]));
	for (uint32_t i = 0; i < m->note_count; i++)
		json_array_append_new(notes, words(m->notes[i]));
	json_object_set_new(merged, "of", json_whole(m->of));
	json_object_set_new(merged, "missing", missing_json(m));
	json_object_set_new(merged, "servers", json_whole(m->servers));
	json_object_set_new(merged, "starts_within_ns", json_known(m->spread_ns));
	json_object_set_new(merged, "shards", rows);
	json_object_set_new(merged, "notes", notes);
	json_object_set_new(o, "merged", merged);
	return o;
}
