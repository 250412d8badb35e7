/* doctor: what bounds first, the smallest on top; then what slows, and what is good to know. */
#include "out/doctor.h"

#include "base/text.h"
#include "base/version.h"
#include "out/json.h"

#include <jansson.h>

static const char *const states[] = {
	[WALL_OK] = "ok",
	[WALL_STOPS] = "wall",
	[WALL_UNKNOWN] = "unknown",
};

static const char *const marks[] = {
	[WALL_OK] = "  ",
	[WALL_STOPS] = "! ",
	[WALL_UNKNOWN] = "? ",
};

/* A number of a column, or a dash. */
static void put_cell(char *cell, size_t size, uint64_t number)
{
	struct text t;

	text_init(&t, cell, size);
	if (number == WALL_NO_NUMBER)
		text_add(&t, "-");
	else
		text_count(&t, number);
}

static void print_row(FILE *to, const struct wall_row *row)
{
	char allows[32], needed[32];

	put_cell(allows, sizeof(allows), row->allows);
	put_cell(needed, sizeof(needed), row->needed);
	fprintf(to, "%s%-19s %13s %15s  %s\n", marks[row->state], row->id, allows, needed,
	        row->shown);
	if (row->fix[0] != '\0')
		fprintf(to, "  %-19s %13s %15s  -> %s\n", "", "", "", row->fix);
}

void doctor_print(FILE *to, const struct wall_report *report)
{
	fprintf(to, "%s\n\n", report->words);
	fprintf(to, "  %-19s %13s %15s  %s\n", "limit", "allows", "N needs",
	        "what it is now, and what to do");
	for (uint32_t i = 0; i < report->row_count; i++)
		print_row(to, &report->rows[i]);
	fprintf(to, "\nallows: so many connections; -: it bounds none (but may slow them, or cut "
	            "bursts)\nmarks: ! fewer than N, ? cannot be read\n");
}

static json_t *row_document(const struct wall_row *row)
{
	return json_pack("{s:s, s:s, s:o, s:s, s:o, s:o, s:s, s:o}", "id", row->id, "what",
	                 row->what, "value", json_known(row->value), "shown", row->shown, "allows",
	                 json_known(row->allows), "needed", json_known(row->needed), "state",
	                 states[row->state], "fix",
	                 row->fix[0] ? json_string(row->fix) : json_null());
}

static json_t *document(const struct wall_report *report)
{
	json_t *rows = json_array(), *asks = json_array();

	for (uint32_t i = 0; i < report->row_count; i++)
		json_array_append_new(rows, row_document(&report->rows[i]));
	for (uint32_t i = 0; i < report->ask_count; i++) {
		const struct wall_ask *ask = &report->asks[i];

		if (!ask->is_met)
			json_array_append_new(asks,
			                      json_pack("{s:s, s:s, s:s}", "row", ask->row,
			                                "setting", ask->name, "value", ask->value));
	}
	return json_pack("{s:s, s:s, s:o, s:b, s:o, s:s, s:s, s:o, s:o}", "schema",
	                 "megaconn.doctor/1", "version", MEGACONN_VERSION, "n",
	                 json_whole(report->n), "fits", report->fits, "largest",
	                 json_whole(report->largest), "wall", report->rows[0].id, "words",
	                 report->words, "rows", rows, "asks", asks);
}

int doctor_write_json(const char *path, const struct wall_report *report, struct err *err)
{
	json_t *o = document(report);
	int failed = json_write_document(path, o, err);

	json_decref(o);
	return failed;
}
