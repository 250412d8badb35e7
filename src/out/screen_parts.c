/* screen_parts: lines over time, then what flows: names and numbers, as many to a line as fit, or
 * in columns where the screen is wide. Which figures there are says the table. */
#include "out/screen_parts.h"

#include "base/clock.h"
#include "base/text.h"
#include "out/number.h"

#include <string.h>

/* --- lines over time ---------------------------------------------------------------------- */

#define NAME_COLUMNS  12
#define VALUE_COLUMNS 13
#define PEAK_COLUMNS  15
#define PEAK_FROM     60 /* columns of a screen that has room for peaks */
#define SPARK_GAP     2

struct screen_size screen_lines_size(const struct screen *s, uint32_t width)
{
	(void)s;
	(void)width;
	return (struct screen_size){HISTORY_LINE_COUNT, HISTORY_LINE_COUNT + 1,
	                            HISTORY_LINE_COUNT + 1};
}

static uint32_t spark_from(const struct grid *grid)
{
	return 1 + NAME_COLUMNS + VALUE_COLUMNS + (grid->width >= PEAK_FROM ? PEAK_COLUMNS : 0) +
	       SPARK_GAP;
}

static uint32_t spark_columns(const struct grid *grid)
{
	uint32_t from = spark_from(grid);
	uint32_t columns = grid->width > from + 1 ? grid->width - from - 1 : 0;

	return columns < HISTORY_POINTS ? columns : HISTORY_POINTS;
}

static void lines_head(const struct screen *s, struct grid *grid, uint32_t y)
{
	uint32_t x = 1 + NAME_COLUMNS + VALUE_COLUMNS;
	char words[64];
	struct text t;

	grid_line(grid, y, GRID_HEAD);
	grid_text_before(grid, x, y, GRID_HEAD, "now");
	if (grid->width >= PEAK_FROM)
		grid_text_before(grid, x + PEAK_COLUMNS, y, GRID_HEAD, "peak");
	text_init(&t, words, sizeof(words));
	text_add(&t, "last ");
	text_duration(&t, spark_columns(grid) * s->interval_ns);
	grid_text(grid, spark_from(grid), y, GRID_HEAD, words);
}

static enum grid_style line_style(enum history_line line, double value)
{
	if (line == HISTORY_DROPS && value > 0)
		return GRID_LIT;
	return value == 0 ? GRID_REST : GRID_NUMBER;
}

static void line_number(struct grid *grid, uint32_t x, uint32_t y, enum history_line line,
                        double value, const char *word)
{
	char words[NUMBER_BYTES];
	struct text t;

	text_init(&t, words, sizeof(words));
	text_add(&t, "%s", word);
	number_add_real(&t, history_unit(line), value);
	grid_text_before(grid, x, y, line_style(line, value), words);
}

static void line_spark(const struct screen *s, struct grid *grid, uint32_t y,
                       enum history_line line)
{
	uint32_t columns = spark_columns(grid), from = spark_from(grid);
	double most = 0;

	for (uint32_t i = 0; i < columns; i++) {
		double value = history_value(s->history, line, i);

		if (value > most)
			most = value;
	}
	for (uint32_t i = 0; i < columns; i++) {
		double value = history_value(s->history, line, i);

		grid_spark(grid, from + columns - 1 - i, y,
		           line == HISTORY_DROPS && value > 0 ? GRID_LIT : GRID_SPARK, value, most);
	}
}

void screen_lines(const struct screen *s, struct grid *grid, uint32_t y, uint32_t height)
{
	uint32_t x = 1 + NAME_COLUMNS + VALUE_COLUMNS;

	if (height > HISTORY_LINE_COUNT)
		lines_head(s, grid, y++);
	for (uint32_t i = 0; i < HISTORY_LINE_COUNT && i < height; i++, y++) {
		enum history_line line = (enum history_line)i;

		grid_text(grid, 1, y, GRID_LABEL, history_title(line));
		line_number(grid, x, y, line, history_value(s->history, line, 0), "");
		if (grid->width >= PEAK_FROM)
			line_number(grid, x + PEAK_COLUMNS, y, line, s->history->peak[line],
			            line == HISTORY_MEMORY_LEFT ? "low " : "");
		line_spark(s, grid, y, line);
	}
}

/* --- what flows --------------------------------------------------------------------------- */

#define FLOW_CELL     40 /* columns of a name and its number, where they stand in columns */
#define SOCKETS_LINES 3  /* usually */
#define MEMORY_LINES  2

struct flow {
	struct grid *grid; /* NULL: only counts lines */
	uint32_t width, x, y, lines, lines_most;
	bool is_full;
};

static struct flow flow_over(struct grid *grid, uint32_t width, uint32_t y, uint32_t lines_most)
{
	return (struct flow){
		.grid = grid, .width = width, .x = 1, .y = y, .lines = 1, .lines_most = lines_most};
}

static bool is_in_columns(const struct flow *f)
{
	return f->width >= 3 * FLOW_CELL;
}

/* Where so many columns begin; false where no line has room. */
static bool flow_to(struct flow *f, uint32_t columns)
{
	if (f->x > 1 && f->x + columns >= f->width) {
		f->x = 1;
		f->y++;
		f->lines++;
	}
	f->is_full |= f->lines > f->lines_most;
	return !f->is_full;
}

static void flow_item(struct flow *f, const char *name, enum grid_style style, const char *value)
{
	uint32_t names = grid_columns(name), values = grid_columns(value);
	uint32_t cell = f->width / (f->width / FLOW_CELL > 0 ? f->width / FLOW_CELL : 1);
	uint32_t columns = is_in_columns(f) ? cell - 3 : names + 1 + values;

	if (!flow_to(f, columns))
		return;
	if (f->grid) {
		grid_text(f->grid, f->x, f->y, GRID_LABEL, name);
		grid_text_before(f->grid, f->x + columns, f->y, style, value);
	}
	f->x += is_in_columns(f) ? cell : columns + 2;
}

/* A figure's value, or its rate. */
static void flow_figure(struct flow *f, const struct screen *s, const struct figure *figure)
{
	bool is_counter = figure->kind == FIGURE_COUNTER;
	uint64_t value = figure_sum(figure, s->now);
	double rate = is_counter && s->before ? figure_rate_per_s(figure, s->before, s->now)
	                                      : HISTORY_UNKNOWN;
	char words[NUMBER_BYTES];
	struct text t;

	text_init(&t, words, sizeof(words));
	if (is_counter)
		number_add_real(&t, figure->unit, rate);
	else
		number_add(&t, figure->unit, value);
	if (is_counter && rate >= 0)
		text_add(&t, "/s");
	flow_item(f, figure->title, (is_counter ? rate == 0 : value == 0) ? GRID_REST : GRID_NUMBER,
	          words);
}

/* Those that are drawn elsewhere on this screen. */
static bool is_elsewhere(enum figure_id id)
{
	switch (id) {
	case FIGURE_TCP_ESTABLISHED:
	case FIGURE_TCP_ACTIVE_OPENS:
	case FIGURE_TCP_PASSIVE_OPENS:
	case FIGURE_CONNTRACK_MAX: /* beside CONNTRACK */
	case FIGURE_MEMORY_LEFT:
		return true;
	default:
		return false;
	}
}

/* "12,345 of 262,144 (4 %)" */
static void flow_conntrack(struct flow *f, const struct screen *s)
{
	uint64_t used = figure_sum(figure_at(FIGURE_CONNTRACK), s->now);
	uint64_t most = figure_sum(figure_at(FIGURE_CONNTRACK_MAX), s->now);
	bool is_known = used != PROBE_UNKNOWN && most != PROBE_UNKNOWN;
	char words[2 * NUMBER_BYTES + 16];
	struct text t;

	text_init(&t, words, sizeof(words));
	number_add(&t, FIGURE_NUMBER, used);
	if (is_known && most > 0) {
		text_add(&t, " of ");
		text_count(&t, most);
		text_add(&t, " (%u %%)", (unsigned int)((double)used * 100 / (double)most));
	}
	flow_item(f, figure_at(FIGURE_CONNTRACK)->title, used == 0 ? GRID_REST : GRID_NUMBER,
	          words);
}

static void flow_group(struct flow *f, const struct screen *s, enum figure_group group)
{
	for (int i = 0; i < FIGURE_COUNT; i++) {
		enum figure_id id = (enum figure_id)i;

		if (figure_at(id)->group != group || is_elsewhere(id))
			continue;
		if (id == FIGURE_CONNTRACK)
			flow_conntrack(f, s);
		else
			flow_figure(f, s, figure_at(id));
	}
}

static struct screen_size flow_size(const struct flow *f, uint32_t usual)
{
	return (struct screen_size){1, f->lines < usual ? f->lines : usual, f->lines};
}

struct screen_size screen_sockets_size(const struct screen *s, uint32_t width)
{
	struct flow f = flow_over(NULL, width, 0, GRID_HEIGHT_MOST);

	flow_group(&f, s, FIGURE_SOCKETS);
	return flow_size(&f, SOCKETS_LINES);
}

void screen_sockets(const struct screen *s, struct grid *grid, uint32_t y, uint32_t height)
{
	struct flow f = flow_over(grid, grid->width, y, height);

	flow_group(&f, s, FIGURE_SOCKETS);
}

/* --- memory ------------------------------------------------------------------------------- */

#define FULL_SOON_NS (600 * NS_PER_S)

/* "5,127 B": so many bytes of slab on so many sockets; "-" where these are too few. */
static void flow_a_socket(struct flow *f, const char *name, uint64_t bytes, uint64_t sockets)
{
	bool is_known = bytes != PROBE_UNKNOWN && sockets != PROBE_UNKNOWN &&
	                sockets >= SCREEN_SOCKETS_LEAST;
	char words[NUMBER_BYTES];
	struct text t;

	text_init(&t, words, sizeof(words));
	number_add(&t, FIGURE_NUMBER, is_known ? bytes / sockets : PROBE_UNKNOWN);
	if (is_known)
		text_add(&t, " B");
	flow_item(f, name, is_known ? GRID_NUMBER : GRID_REST, words);
}

static uint64_t grown(enum figure_id id, const struct screen *s)
{
	uint64_t from = figure_sum(figure_at(id), s->first);
	uint64_t to = figure_sum(figure_at(id), s->now);

	return from == PROBE_UNKNOWN || to == PROBE_UNKNOWN || to < from ? PROBE_UNKNOWN
	                                                                 : to - from;
}

/* What a socket has, by the bill; and what one that came since the start took, as slab of the
 * machine, which is known without root too. */
static void flow_memory(struct flow *f, const struct screen *s)
{
	int64_t bytes = s->bill->has_slabs ? bill_sum(s->bill, BILL_TCP, BILL_CONNTRACK)
	                                   : BILL_UNKNOWN;
	uint64_t full_ns = history_full_in_ns(s->history);
	char words[NUMBER_BYTES];
	struct text t;

	text_init(&t, words, sizeof(words));
	number_add(&t, FIGURE_NS, full_ns); /* UINT64_MAX is PROBE_UNKNOWN */
	flow_item(f, "full in",
	          full_ns == UINT64_MAX    ? GRID_REST
	          : full_ns < FULL_SOON_NS ? GRID_WARN
	                                   : GRID_NUMBER,
	          words);
	flow_a_socket(f, "a socket", bytes < 0 ? PROBE_UNKNOWN : (uint64_t)bytes,
	              s->bill->connections);
	flow_a_socket(f, "a new socket", grown(FIGURE_MEMORY_SLAB, s),
	              grown(FIGURE_TCP_ALLOCATED, s));
	flow_group(f, s, FIGURE_MEMORY);
}

struct screen_size screen_memory_size(const struct screen *s, uint32_t width)
{
	struct flow f = flow_over(NULL, width, 0, GRID_HEIGHT_MOST);

	flow_memory(&f, s);
	return flow_size(&f, MEMORY_LINES);
}

void screen_memory(const struct screen *s, struct grid *grid, uint32_t y, uint32_t height)
{
	struct flow f = flow_over(grid, grid->width, y, height);

	flow_memory(&f, s);
}

/* --- what a socket has -------------------------------------------------------------------- */

static bool has_bill(const struct screen *s)
{
	return s->bill->has_slabs && s->bill->connections >= SCREEN_SOCKETS_LEAST;
}

/* "a socket: TCP socket 2,520 B  socket inode 862 B ..." */
static void flow_bill(struct flow *f, const struct screen *s)
{
	flow_item(f, "a socket:", GRID_LABEL, "");
	for (int i = BILL_TCP; i <= BILL_CONNTRACK; i++) {
		enum bill_line_id id = (enum bill_line_id)i;
		int64_t bytes = s->bill->lines[id].bytes;

		if (bytes > 0 && (uint64_t)bytes >= s->bill->connections)
			flow_a_socket(f, bill_line_title(s->bill, id), (uint64_t)bytes,
			              s->bill->connections);
	}
}

struct screen_size screen_bill_size(const struct screen *s, uint32_t width)
{
	struct flow f = flow_over(NULL, width, 0, GRID_HEIGHT_MOST);

	if (!has_bill(s))
		return (struct screen_size){0};
	flow_bill(&f, s);
	return (struct screen_size){0, 1, f.lines};
}

void screen_bill(const struct screen *s, struct grid *grid, uint32_t y, uint32_t height)
{
	struct flow f = flow_over(grid, grid->width, y, height);

	flow_bill(&f, s);
}

/* --- walls -------------------------------------------------------------------------------- */

struct screen_size screen_walls_size(const struct screen *s, uint32_t width)
{
	uint32_t count = s->near->count;

	(void)width;
	return (struct screen_size){count > 0, count < 3 ? count : 3, count};
}

/* "wall  conntrack_max  87 %  228,000 of 262,144   sysctl -w ..." */
void screen_walls(const struct screen *s, struct grid *grid, uint32_t y, uint32_t height)
{
	for (uint32_t i = 0; i < s->near->count && i < height; i++, y++) {
		const struct near_row *row = &s->near->rows[i];
		uint32_t percent = near_percent(row);
		enum grid_style style = percent >= 90 ? GRID_LIT : GRID_WARN;
		char words[2 * NUMBER_BYTES + 64];
		struct text t;
		uint32_t x;

		text_init(&t, words, sizeof(words));
		text_add(&t, "near: %s %u %%", row->id, percent);
		x = grid_text(grid, 1, y, style, words);
		text_init(&t, words, sizeof(words));
		number_add(&t, row->unit, row->used);
		text_add(&t, " of ");
		number_add(&t, row->unit, row->most);
		x = grid_text(grid, x + 2, y, GRID_NUMBER, words);
		grid_text(grid, x + 2, y, GRID_LABEL, row->fix);
	}
}

/* --- trouble ------------------------------------------------------------------------------ */

#define TROUBLE_CELL      39 /* columns of a row, at least ... */
#define TROUBLE_WIDE_CELL 53 /* ... and with a peak            */
#define TROUBLE_ROWS      3  /* usually, with a headline above */

struct trouble {
	uint32_t count, moved;
	enum figure_id ids[FIGURE_COUNT];
};

enum trouble_rank { MOVES_NOW, HAS_MOVED, RESTS };

static enum trouble_rank rank_of(const struct screen *s, enum figure_id id)
{
	bool moves = s->before && figure_rate_per_s(figure_at(id), s->before, s->now) > 0;

	return moves ? MOVES_NOW : s->history->moved[id] > 0 ? HAS_MOVED : RESTS;
}

static uint32_t add_rank(struct trouble *trouble, const struct screen *s, uint32_t ranks)
{
	for (int i = 0; i < FIGURE_COUNT; i++) {
		enum figure_id id = (enum figure_id)i;

		if (figure_at(id)->group == FIGURE_TROUBLE && ranks >> rank_of(s, id) & 1)
			trouble->ids[trouble->count++] = id;
	}
	return trouble->count;
}

/* What has moved since the start comes first; so a row changes its place once. Where there is no
 * room for all of that, what moves now comes first. */
static struct trouble trouble_of(const struct screen *s, uint32_t room)
{
	struct trouble trouble = {0};

	trouble.moved = add_rank(&trouble, s, 1 << MOVES_NOW | 1 << HAS_MOVED);
	if (trouble.moved > room) {
		trouble.count = 0;
		add_rank(&trouble, s, 1 << MOVES_NOW);
		add_rank(&trouble, s, 1 << HAS_MOVED);
	}
	add_rank(&trouble, s, 1 << RESTS);
	return trouble;
}

/* Where a row's numbers end, and how many rows stand side by side. */
struct trouble_columns {
	uint32_t count, cell, rate, peak, total; /* peak 0: there is none */
};

static struct trouble_columns trouble_columns(uint32_t width)
{
	bool has_peak = width > 2 * TROUBLE_WIDE_CELL;
	uint32_t count = (width - 1) / (has_peak ? TROUBLE_WIDE_CELL : TROUBLE_CELL);
	struct trouble_columns c = {.count = count > 0 ? count : 1};

	c.cell = (width - 1) / c.count;
	c.total = c.cell > 2 ? c.cell - 2 : 0;
	c.peak = has_peak ? c.total - 11 : 0;
	c.rate = c.total > 21 ? c.total - (has_peak ? 20 : 10) : 0;
	return c;
}

static uint32_t in_columns(uint32_t count, uint32_t width)
{
	uint32_t columns = trouble_columns(width).count;

	return (count + columns - 1) / columns;
}

struct screen_size screen_trouble_size(const struct screen *s, uint32_t width)
{
	struct trouble trouble = trouble_of(s, FIGURE_COUNT);
	uint32_t all = in_columns(trouble.count, width), moved = in_columns(trouble.moved, width);

	return (struct screen_size){1, 1 + (moved > TROUBLE_ROWS ? moved : TROUBLE_ROWS), 1 + all};
}

/* Ten million and more are rounded, so that columns need not be wider. */
static void trouble_number(struct grid *grid, uint32_t x, uint32_t y, enum grid_style style,
                           double value)
{
	char words[NUMBER_BYTES];
	struct text t;

	text_init(&t, words, sizeof(words));
	if (value >= 1e10)
		text_add(&t, "%.1f G", value / 1e9);
	else if (value >= 1e7)
		text_add(&t, "%.1f M", value / 1e6);
	else
		number_add_real(&t, FIGURE_NUMBER, value);
	grid_text_before(grid, x, y, style, words);
}

static void trouble_row(const struct screen *s, struct grid *grid, uint32_t x, uint32_t y,
                        enum figure_id id)
{
	const struct trouble_columns at = trouble_columns(grid->width);
	const struct figure *figure = figure_at(id);
	uint64_t total = figure_sum(figure, s->now);
	double rate = s->before ? figure_rate_per_s(figure, s->before, s->now) : HISTORY_UNKNOWN;
	enum grid_style lately = s->history->moved[id] > 0 ? GRID_NUMBER : GRID_REST;

	grid_text(grid, x, y, rate > 0 ? GRID_LIT : GRID_LABEL, figure->title);
	trouble_number(grid, x + at.rate, y, rate > 0 ? GRID_LIT : GRID_REST, rate);
	if (at.peak)
		trouble_number(grid, x + at.peak, y, lately, s->history->rate_peak[id]);
	trouble_number(grid, x + at.total, y, lately,
	               total == PROBE_UNKNOWN ? HISTORY_UNKNOWN : (double)total);
}

static void trouble_head(struct grid *grid, uint32_t y, uint32_t hidden)
{
	const struct trouble_columns at = trouble_columns(grid->width);
	char words[64];
	struct text t;

	text_init(&t, words, sizeof(words));
	text_add(&t, "trouble");
	if (hidden > 0)
		text_add(&t, " (%u more)", hidden);
	grid_line(grid, y, GRID_HEAD);
	grid_text(grid, 1, y, GRID_HEAD, words);
	for (uint32_t i = 0, x = 1; i < at.count; i++, x += at.cell) {
		grid_text_before(grid, x + at.rate, y, GRID_HEAD, "/s");
		if (at.peak)
			grid_text_before(grid, x + at.peak, y, GRID_HEAD, "peak/s");
		grid_text_before(grid, x + at.total, y, GRID_HEAD, "total");
	}
}

void screen_trouble(const struct screen *s, struct grid *grid, uint32_t y, uint32_t height)
{
	const struct trouble_columns at = trouble_columns(grid->width);
	uint32_t rows = height > 1 ? height - 1 : 1, room = rows * at.count;
	struct trouble trouble = trouble_of(s, room);

	if (height > 1)
		trouble_head(grid, y++, trouble.count > room ? trouble.count - room : 0);
	for (uint32_t i = 0; i < trouble.count && i < room; i++)
		trouble_row(s, grid, 1 + i / rows * at.cell, y + i % rows, trouble.ids[i]);
}
