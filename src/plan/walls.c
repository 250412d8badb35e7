/* walls: judges the groups of rows, and puts the wall on top.
 *
 * A row either bounds: so many connections and no more; or it does not (WALL_NO_BOUND): it slows,
 * cuts bursts, or is good to know. The wall is the smallest bound. Rows that bound come first, the
 * smallest on top, then the others in the order of their table. */
#include "plan/walls.h"

#include "base/text.h"
#include "plan/wall_files.h"
#include "plan/wall_memory.h"
#include "plan/wall_ports.h"
#include "plan/wall_queues.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static const struct wall_kind *const groups[] = {wall_ports, wall_files, wall_memory, wall_queues};
#define GROUP_COUNT (sizeof(groups) / sizeof(groups[0]))

static void judge(const struct walls_case *c, const struct wall_kind *kind, struct wall_report *out)
{
	struct wall_row *row = &out->rows[out->row_count];

	if (kind->is_asked && !kind->is_asked(c))
		return;
	assert(out->row_count < WALL_ROWS_MOST);
	out->row_count++;
	*row = (struct wall_row){
		.id = kind->id,
		.what = kind->what,
		.value = WALL_NO_NUMBER,
		.allows = WALL_NO_BOUND,
		.needed = WALL_NO_NUMBER,
	};
	kind->judge(c, row, out);
	if (row->allows < c->n)
		row->state = WALL_STOPS;
}

/* Stable, so that rows that allow the same keep the order of the table. */
static void sort(struct wall_report *out)
{
	for (uint32_t i = 1; i < out->row_count; i++) {
		struct wall_row row = out->rows[i];
		uint32_t at = i;

		for (; at > 0 && out->rows[at - 1].allows > row.allows; at--)
			out->rows[at] = out->rows[at - 1];
		out->rows[at] = row;
	}
}

/* Whether a row that may bound could not be read. */
static bool has_unknown(const struct wall_report *out)
{
	static const char *const may_bound[] = {"source_ports", "nofile_hard",  "nr_open",
	                                        "file_max",     "pid_max",      "threads_max",
	                                        "memory",       "conntrack_max"};

	for (size_t i = 0; i < sizeof(may_bound) / sizeof(may_bound[0]); i++) {
		const struct wall_row *row = walls_row(out, may_bound[i]);

		if (row && row->state == WALL_UNKNOWN)
			return true;
	}
	return false;
}

/* "this machine stops at 28,232: one source IP to one server port, ... Add 35 ..." */
static void put_words(struct wall_report *out)
{
	const struct wall_row *wall = &out->rows[0];
	struct text t;

	text_init(&t, out->words, sizeof(out->words));
	if (out->fits) {
		text_count(&t, out->n);
		text_add(&t, out->n == 1 ? " connection fits" : " connections fit");
		text_add(&t, "%s; this machine would stop at ",
		         has_unknown(out) ? ", as far as can be read" : "");
	} else {
		text_add(&t, "this machine stops at ");
	}
	text_count(&t, out->largest);
	text_add(&t, ": %s", wall->shown);
	if (!out->fits && wall->fix[0] != '\0')
		text_add(&t, ". To go further: %s", wall->fix);
}

void walls_judge(const struct walls_case *c, struct wall_report *out)
{
	memset(out, 0, sizeof(*out));
	out->n = c->n;
	for (size_t i = 0; i < GROUP_COUNT; i++) {
		for (const struct wall_kind *kind = groups[i]; kind->id; kind++)
			judge(c, kind, out);
	}
	sort(out);
	out->largest = out->rows[0].allows; /* the index bounds always */
	out->fits = out->n <= out->largest;
	put_words(out);
}

const struct wall_row *walls_row(const struct wall_report *report, const char *id)
{
	for (uint32_t i = 0; i < report->row_count; i++) {
		if (strcmp(report->rows[i].id, id) == 0)
			return &report->rows[i];
	}
	return NULL;
}

bool walls_has(const char *id)
{
	for (size_t i = 0; i < GROUP_COUNT; i++) {
		for (const struct wall_kind *kind = groups[i]; kind->id; kind++) {
			if (strcmp(kind->id, id) == 0)
				return true;
		}
	}
	return false;
}

void walls_describe(const struct wall_report *report, char *out, unsigned long size)
{
	const struct wall_row *wall = &report->rows[0];
	struct text t;

	text_init(&t, out, size);
	text_add(&t, "%s: %s%s%s", wall->id, wall->shown, wall->fix[0] ? ": " : "", wall->fix);
}

int walls_refuse(const struct wall_report *report, struct err *err)
{
	const struct wall_row *wall = &report->rows[0];
	char buffer[sizeof(err->text)];
	struct text t;

	text_init(&t, buffer, sizeof(buffer));
	text_count(&t, report->n);
	text_add(&t, " connections do not fit; the wall is %s (%s); the largest N that fits is ",
	         wall->id, wall->shown);
	text_count(&t, report->largest);
	text_add(&t, "%s%s", wall->fix[0] ? ": " : "", wall->fix);
	return err_set(err, -E2BIG, "%s", buffer);
}
