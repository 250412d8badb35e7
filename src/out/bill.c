/* bill: the same lines, drawn three times. */
#include "out/bill.h"

#include "base/text.h"

#include <jansson.h>
#include <stdbool.h>

#define CELL_NUMBER 8
#define CELL_TITLE  24
#define LINE_BYTES  256

static void add_signed(struct text *t, int64_t value)
{
	if (value < 0)
		text_add(t, "-");
	text_count(t, value < 0 ? -(uint64_t)value : (uint64_t)value);
}

/* --- shares ------------------------------------------------------------------------------- */

struct cell {
	int64_t share;
	const char *title;
};

static void print_cell(FILE *to, const struct cell *cell, bool is_last)
{
	char number[32];
	struct text t;

	text_init(&t, number, sizeof(number));
	add_signed(&t, cell->share);
	fprintf(to, "%*s %-*s", CELL_NUMBER, number, is_last ? 0 : CELL_TITLE, cell->title);
}

/* What is shown of the lines, and what closes the sum. Returns how many cells. */
static int fill_cells(const struct bill *bill, struct cell *cells)
{
	bool is_whole = bill->lines[BILL_RESIDUAL].bytes != BILL_UNKNOWN;
	int64_t sum = bill_sum(bill, 0, BILL_LINE_COUNT - 1), shown = 0;
	int count = 0;

	if (sum == BILL_UNKNOWN)
		return 0;
	for (int i = 0; i < BILL_LINE_COUNT; i++) {
		int64_t bytes = bill->lines[i].bytes;
		int64_t share = bytes == BILL_UNKNOWN ? 0
		                                      : bill_each_whole(bytes, bill->connections);

		if (share == 0)
			continue;
		cells[count++] = (struct cell){share, bill_line_title(bill, (enum bill_line_id)i)};
		shown = bill_add(shown, share);
	}
	sum = bill_each_whole(sum, bill->connections);
	if (sum != shown)
		cells[count++] = (struct cell){bill_add(sum, -shown), "smaller ones, rounding"};
	cells[count++] = (struct cell){sum, is_whole ? "= lost by memory" : "= what is known"};
	return count;
}

void bill_print_shares(FILE *to, const struct bill *bill, int indent)
{
	struct cell cells[BILL_LINE_COUNT + 2];
	int count, rows;

	if (bill->connections == 0 || bill->connections > INT64_MAX)
		return;
	count = fill_cells(bill, cells);
	rows = count / 2; /* of the first column: the sum ends the second */
	for (int i = 0; rows + i < count; i++) {
		fprintf(to, "%*s", indent, "");
		if (i < rows)
			print_cell(to, &cells[i], false);
		else
			fprintf(to, "%*s", CELL_NUMBER + 1 + CELL_TITLE, "");
		print_cell(to, &cells[rows + i], true);
		fputc('\n', to);
	}
}

/* --- table -------------------------------------------------------------------------------- */

/* What caches the line is of stands beside it, or below the table where that is longer. */
static void print_row(FILE *to, const char *title, const struct bill_line *line,
                      const struct bill *bill, uint64_t memory_bytes)
{
	/* All caches of a host are no share of its sockets'. */
	bool is_share = bill->has_slabs || line != &bill->lines[BILL_SLABS];
	char cells[3][32], name[48], part[16];
	struct text t;

	text_init(&t, name, sizeof(name));
	text_add(&t, "%s%s", title, line->is_shared ? " *" : "");
	text_init(&t, cells[0], sizeof(cells[0]));
	if (line->objects != BILL_UNKNOWN)
		add_signed(&t, line->objects);
	text_init(&t, cells[1], sizeof(cells[1]));
	add_signed(&t, line->bytes);
	text_init(&t, cells[2], sizeof(cells[2]));
	if (is_share && bill->connections > 0 && bill->connections <= INT64_MAX)
		add_signed(&t, bill_each_whole(line->bytes, bill->connections));
	text_init(&t, part, sizeof(part));
	if (memory_bytes > 0)
		text_add(&t, "%.2f %%", (double)line->bytes * 100 / (double)memory_bytes);
	fprintf(to, "  %-23s %11s %16s %7s %9s%s%s\n", name, cells[0], cells[1], cells[2], part,
	        line->is_shared || line->of[0] == '\0' ? "" : "  ",
	        line->is_shared ? "" : line->of);
}

static void print_shared(FILE *to, const struct bill *bill)
{
	for (int i = 0; i < BILL_LINE_COUNT; i++) {
		const struct bill_line *line = &bill->lines[i];

		if (line->is_shared && line->bytes != BILL_UNKNOWN && line->of[0] != '\0')
			fprintf(to, "* %s: %s\n", bill_line_title(bill, (enum bill_line_id)i),
			        line->of);
	}
}

void bill_print_table(FILE *to, const struct bill *bill, uint64_t memory_bytes)
{
	struct bill_line sum = {.bytes = bill_sum(bill, 0, BILL_LINE_COUNT - 1),
	                        .objects = BILL_UNKNOWN};

	fprintf(to, "  %-23s %11s %16s %7s %9s\n", "", "objects", "bytes", "each",
	        memory_bytes > 0 ? "of memory" : "");
	for (int i = 0; i < BILL_LINE_COUNT; i++) {
		if (bill->lines[i].bytes != BILL_UNKNOWN)
			print_row(to, bill_line_title(bill, (enum bill_line_id)i), &bill->lines[i],
			          bill, memory_bytes);
	}
	if (sum.bytes != BILL_UNKNOWN && bill->has_slabs)
		print_row(to, "sum", &sum, bill, memory_bytes);
	fputc('\n', to);
	print_shared(to, bill);
}

/* --- JSON --------------------------------------------------------------------------------- */

static json_t *whole(int64_t value)
{
	return value == BILL_UNKNOWN ? json_null() : json_integer((json_int_t)value);
}

static json_t *each_of(const struct bill *bill, int64_t bytes)
{
	return bytes == BILL_UNKNOWN ? json_null() : json_real(bill_each(bytes, bill->connections));
}

struct json_t *bill_json(const struct bill *bill)
{
	json_t *array;

	if (bill->connections == 0)
		return json_null();
	array = json_array();
	for (int i = 0; i < BILL_LINE_COUNT; i++) {
		const struct bill_line *line = &bill->lines[i];
		enum bill_line_id id = (enum bill_line_id)i;

		json_array_append_new(
			array,
			json_pack("{s:s, s:s, s:o, s:o, s:o, s:s, s:b}", "line", bill_line_name(id),
		                  "title", bill_line_title(bill, id), "bytes", whole(line->bytes),
		                  "bytes_per_connection", each_of(bill, line->bytes), "objects",
		                  whole(line->objects), "of", line->of, "shared", line->is_shared));
	}
	return array;
}
