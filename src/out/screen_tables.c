/* screen_tables: a bar a CPU where there is room, else a character a CPU; slab caches in an order;
 * sockets by port. */
#include "out/screen_tables.h"

#include "base/text.h"
#include "out/number.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* --- CPUs --------------------------------------------------------------------------------- */

#define CPU_WIDE_CELL   39 /* "0 #####....   78 %  softirq  23 %" */
#define CPU_NARROW_CELL 19
#define CPU_LINES       4 /* of bars; more CPUs are a character each */

struct load {
	double busy, softirq; /* of the time, 0 ... 1; softirq is in busy; < 0: unknown */
};

/* The number of that label, which is mostly the i-th again. */
static uint64_t labelled(enum figure_id id, const struct sample *sample, const char *label,
                         uint32_t likely)
{
	const struct figure *figure = figure_at(id);

	if (likely < figure_count(figure, sample) &&
	    strcmp(figure_label(figure, sample, likely), label) == 0)
		return figure_value(figure, sample, likely);
	for (uint32_t i = 0; i < figure_count(figure, sample); i++) {
		if (strcmp(figure_label(figure, sample, i), label) == 0)
			return figure_value(figure, sample, i);
	}
	return PROBE_UNKNOWN;
}

/* How far a CPU's counter went; < 0: unknown. */
static double went(enum figure_id id, const struct screen *s, uint32_t i)
{
	const struct figure *figure = figure_at(id);
	uint64_t now = figure_value(figure, s->now, i);
	uint64_t before = labelled(id, s->before, figure_label(figure, s->now, i), i);

	return before == PROBE_UNKNOWN || now == PROBE_UNKNOWN || now < before
	               ? -1
	               : (double)(now - before);
}

static struct load load_of(const struct screen *s, uint32_t i)
{
	struct load load = {-1, -1};

	if (!s->before)
		return load;
	double busy = went(FIGURE_CPU_BUSY, s, i), idle = went(FIGURE_CPU_IDLE, s, i);
	double softirq = went(FIGURE_CPU_SOFTIRQ, s, i);

	if (busy < 0 || idle < 0 || busy + idle <= 0)
		return load;
	load.busy = busy / (busy + idle);
	load.softirq = softirq < 0 ? 0 : softirq / (busy + idle);
	if (load.softirq > load.busy)
		load.softirq = load.busy;
	return load;
}

static uint32_t cpu_count(const struct screen *s)
{
	return figure_count(figure_at(FIGURE_CPU_BUSY), s->now);
}

static uint32_t cpu_lines(uint32_t count, uint32_t width, uint32_t cell)
{
	uint32_t columns = (width - 1) / cell;

	return columns > 0 ? (count + columns - 1) / columns : UINT32_MAX;
}

/* 0 where they are a character each. */
static uint32_t cpu_cell(uint32_t count, uint32_t width, uint32_t lines)
{
	if (cpu_lines(count, width, CPU_WIDE_CELL) <= lines)
		return CPU_WIDE_CELL;
	return cpu_lines(count, width, CPU_NARROW_CELL) <= lines ? CPU_NARROW_CELL : 0;
}

struct screen_size screen_cpus_size(const struct screen *s, uint32_t width)
{
	uint32_t count = cpu_count(s), lines;

	if (count == 0)
		return (struct screen_size){0};
	if (cpu_cell(count, width, CPU_LINES) == 0)
		return (struct screen_size){1, 3, 3};
	lines = cpu_lines(count, width,
	                  cpu_lines(count, width, CPU_WIDE_CELL) <= 2 ? CPU_WIDE_CELL
	                                                              : CPU_NARROW_CELL);
	return (struct screen_size){1, lines, lines};
}

static void add_percent(struct text *t, double part)
{
	if (part < 0)
		text_add(t, "  -");
	else
		text_add(t, "%3.0f %%", part * 100);
}

static void cpu_bar(const struct screen *s, struct grid *grid, uint32_t x, uint32_t y,
                    uint32_t cell, uint32_t i)
{
	struct load load = load_of(s, i);
	uint32_t tail = cell == CPU_WIDE_CELL ? 21 : 6, bar = cell - 1 - 4 - 1 - tail;
	char words[64];
	struct text t;

	grid_text_before(grid, x + 3, y, GRID_LABEL,
	                 figure_label(figure_at(FIGURE_CPU_BUSY), s->now, i));
	if (load.busy >= 0)
		grid_bar(grid, x + 4, y, bar, load.softirq, load.busy - load.softirq);
	text_init(&t, words, sizeof(words));
	add_percent(&t, load.busy);
	grid_text(grid, x + 4 + bar + 1, y, GRID_NUMBER, words);
	if (cell != CPU_WIDE_CELL)
		return;
	text_init(&t, words, sizeof(words));
	text_add(&t, "softirq ");
	add_percent(&t, load.softirq);
	grid_text(grid, x + 4 + bar + 1 + 7, y, GRID_LABEL, words);
}

#define STRIP_FROM 9 /* column of the first CPU */

static struct load busier(struct load a, struct load b)
{
	return (struct load){
		.busy = a.busy > b.busy ? a.busy : b.busy,
		.softirq = a.softirq > b.softirq ? a.softirq : b.softirq,
	};
}

static void cpu_busiest(const struct screen *s, struct grid *grid, uint32_t y, uint32_t each)
{
	struct load most = {-1, -1};
	uint32_t most_i = 0;
	char words[128];
	struct text t;

	for (uint32_t i = 0; i < cpu_count(s); i++) {
		if (load_of(s, i).busy > most.busy) {
			most = load_of(s, i);
			most_i = i;
		}
	}
	if (most.busy < 0)
		return;
	text_init(&t, words, sizeof(words));
	text_add(&t, "busiest of %u: CPU %s ", cpu_count(s),
	         figure_label(figure_at(FIGURE_CPU_BUSY), s->now, most_i));
	add_percent(&t, most.busy);
	text_add(&t, ", softirq ");
	add_percent(&t, most.softirq);
	if (each > 1)
		text_add(&t, "; above, the highest of %u each", each);
	grid_text(grid, 1, y, GRID_LABEL, words);
}

/* "CPUs    ▁▁▂█...", and the same of softirq; the last line says who is the busiest. Where there
 * are more CPUs than columns, a character is of several. */
static void cpu_strips(const struct screen *s, struct grid *grid, uint32_t y, uint32_t height)
{
	uint32_t count = cpu_count(s);
	uint32_t room = grid->width > STRIP_FROM + 1 ? grid->width - STRIP_FROM - 1 : 1;
	uint32_t each = (count + room - 1) / room;

	grid_text(grid, 1, y, GRID_LABEL, "CPUs");
	if (height > 1)
		grid_text(grid, 1, y + 1, GRID_LABEL, "softirq");
	for (uint32_t i = 0, x = STRIP_FROM; i < count; x++) {
		struct load load = {-1, -1};

		for (uint32_t end = i + each; i < end && i < count; i++)
			load = busier(load, load_of(s, i));
		grid_spark(grid, x, y, GRID_BUSY, load.busy, 1);
		if (height > 1)
			grid_spark(grid, x, y + 1, GRID_SOFTIRQ, load.softirq, 1);
	}
	if (height > 2)
		cpu_busiest(s, grid, y + 2, each);
}

void screen_cpus(const struct screen *s, struct grid *grid, uint32_t y, uint32_t height)
{
	uint32_t count = cpu_count(s), cell = cpu_cell(count, grid->width, height);
	uint32_t columns = cell > 0 ? (grid->width - 1) / cell : 0;

	if (columns == 0) {
		cpu_strips(s, grid, y, height);
		return;
	}

	for (uint32_t i = 0; i < count; i++)
		cpu_bar(s, grid, i % columns * cell, y + i / columns, cell, i);
}

/* --- slab caches -------------------------------------------------------------------------- */

#define SLAB_ROWS 3 /* usually, with a headline above */

struct slab_row {
	const char *name;
	uint64_t bytes, objects;
	int64_t growth; /* of bytes since the start */
};

/* qsort has no context. */
static enum screen_sort sort_by;

static int compare(const void *a, const void *b)
{
	const struct slab_row *x = a, *y = b;

	if (sort_by == SCREEN_BY_GROWTH && x->growth != y->growth)
		return x->growth < y->growth ? 1 : -1;
	if (sort_by == SCREEN_BY_OBJECTS && x->objects != y->objects)
		return x->objects < y->objects ? 1 : -1;
	if (sort_by != SCREEN_BY_NAME && x->bytes != y->bytes)
		return x->bytes < y->bytes ? 1 : -1;
	return strcasecmp(x->name, y->name);
}

static uint32_t slab_rows(const struct screen *s, struct slab_row rows[PROBE_SLABS_MAX])
{
	const struct figure *bytes = figure_at(FIGURE_SLAB);
	const struct figure *objects = figure_at(FIGURE_SLAB_OBJECTS);
	uint32_t count = figure_count(bytes, s->now);

	for (uint32_t i = 0; i < count; i++) {
		const char *name = figure_label(bytes, s->now, i);
		uint64_t now = figure_value(bytes, s->now, i);
		uint64_t first = labelled(FIGURE_SLAB, s->first, name, i);

		rows[i] = (struct slab_row){
			.name = name,
			.bytes = now,
			.objects = figure_value(objects, s->now, i),
			.growth = (int64_t)(now - (first == PROBE_UNKNOWN ? 0 : first)),
		};
	}
	sort_by = s->sort;
	qsort(rows, count, sizeof(rows[0]), compare);
	return count;
}

struct screen_size screen_slabs_size(const struct screen *s, uint32_t width)
{
	uint32_t count = figure_count(figure_at(FIGURE_SLAB), s->now);

	(void)width;
	if (count == 0)
		return (struct screen_size){0, 1, 1};
	return (struct screen_size){0, 1 + SLAB_ROWS, 1 + count};
}

/* Where columns end; 0: there is none on a screen so narrow. */
struct slab_columns {
	uint32_t bytes, growth, objects;
};

static struct slab_columns slab_columns(uint32_t width)
{
	if (width >= 72)
		return (struct slab_columns){34, 46, 60};
	if (width >= 48)
		return (struct slab_columns){34, 46, 0};
	return (struct slab_columns){width - 1, 0, 0};
}

static void slab_head(const struct screen *s, struct grid *grid, uint32_t y)
{
	struct slab_columns at = slab_columns(grid->width);
	char words[64];
	struct text t;

	text_init(&t, words, sizeof(words));
	text_add(&t, "slab caches by %s", screen_sorts[s->sort]);
	grid_line(grid, y, GRID_HEAD);
	grid_text(grid, 1, y, GRID_HEAD, words);
	grid_text_before(grid, at.bytes, y, GRID_HEAD, "memory");
	if (at.growth)
		grid_text_before(grid, at.growth, y, GRID_HEAD, "growth");
	if (at.objects)
		grid_text_before(grid, at.objects, y, GRID_HEAD, "objects");
}

static void slab_cell(struct grid *grid, uint32_t x, uint32_t y, enum grid_style style,
                      const struct text *t)
{
	if (x > 0)
		grid_text_before(grid, x, y, style, t->at);
}

static void slab_line(struct grid *grid, uint32_t y, const struct slab_row *row)
{
	struct slab_columns at = slab_columns(grid->width);
	char words[NUMBER_BYTES];
	struct text t;

	grid_text(grid, 1, y, GRID_PLAIN, row->name);
	text_init(&t, words, sizeof(words));
	number_add(&t, FIGURE_BYTES, row->bytes);
	grid_text_before(grid, at.bytes, y, GRID_PLAIN, "           ");
	slab_cell(grid, at.bytes, y, GRID_NUMBER, &t);
	text_init(&t, words, sizeof(words));
	number_add_growth(&t, FIGURE_BYTES, row->growth);
	slab_cell(grid, at.growth, y, row->growth == 0 ? GRID_REST : GRID_NUMBER, &t);
	text_init(&t, words, sizeof(words));
	number_add(&t, FIGURE_NUMBER, row->objects);
	slab_cell(grid, at.objects, y, GRID_PLAIN, &t);
}

void screen_slabs(const struct screen *s, struct grid *grid, uint32_t y, uint32_t height)
{
	struct slab_row rows[PROBE_SLABS_MAX];
	uint32_t count = slab_rows(s, rows);

	if (count == 0) {
		grid_text(grid, 1, y, GRID_LABEL,
		          "slab caches: unknown; /proc/slabinfo is for root alone");
		return;
	}
	if (height > 1)
		slab_head(s, grid, y);
	for (uint32_t i = 0; i < count && i + 1 < height; i++)
		slab_line(grid, y + 1 + i, &rows[i]);
}

/* --- ports -------------------------------------------------------------------------------- */

#define PORT_NAME_COLUMNS 13
#define PORT_COLUMNS      11
#define PORT_ROWS         5 /* usually */

struct screen_size screen_ports_size(const struct screen *s, uint32_t width)
{
	(void)width;
	if (!s->ports)
		return (struct screen_size){0};
	if (s->ports->failed != 0 || s->ports->row_count == 0)
		return (struct screen_size){1, 1, 1};
	uint32_t rows = s->ports->row_count;

	return (struct screen_size){2, 1 + (rows < PORT_ROWS ? rows : PORT_ROWS), 1 + rows};
}

/* How many of the sockets there are were seen. */
static unsigned int seen_percent(const struct screen *s)
{
	static const enum figure_id parts[] = {FIGURE_TCP_INUSE, FIGURE_TCP6_INUSE,
	                                       FIGURE_TCP_TIME_WAIT};
	uint64_t sum = 0;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		uint64_t value = figure_sum(figure_at(parts[i]), s->now);

		sum += value == PROBE_UNKNOWN ? 0 : value;
	}
	return sum > s->ports->seen ? (unsigned int)(s->ports->seen * 100 / sum) : 100;
}

static void ports_head(const struct screen *s, struct grid *grid, uint32_t y)
{
	static const char *const states[] = {
		[PORTS_ESTABLISHED] = "ESTAB",   [PORTS_SYN] = "SYN",
		[PORTS_TIME_WAIT] = "TIME_WAIT", [PORTS_CLOSE_WAIT] = "CLOSE_WAIT",
		[PORTS_CLOSING] = "closing",
	};
	uint32_t x = 1 + PORT_NAME_COLUMNS;
	char words[NUMBER_BYTES];
	struct text t;

	text_init(&t, words, sizeof(words));
	text_add(&t, "ports");
	if (s->ports->is_partial)
		text_add(&t, ", %u %%", seen_percent(s));
	grid_line(grid, y, GRID_HEAD);
	grid_text(grid, 1, y, GRID_HEAD, words);
	grid_text_before(grid, x + PORT_COLUMNS, y, GRID_HEAD, "sockets");
	for (uint32_t i = 0; i < PORTS_STATE_COUNT; i++) {
		if (x + (i + 2) * PORT_COLUMNS <= grid->width)
			grid_text_before(grid, x + (i + 2) * PORT_COLUMNS, y, GRID_HEAD, states[i]);
	}
}

static void ports_number(struct grid *grid, uint32_t x, uint32_t y, uint64_t number)
{
	char words[NUMBER_BYTES];
	struct text t;

	if (x > grid->width)
		return;
	text_init(&t, words, sizeof(words));
	text_count(&t, number);
	grid_text_before(grid, x, y, number == 0 ? GRID_REST : GRID_NUMBER, words);
}

static void ports_line(struct grid *grid, uint32_t y, const struct ports_row *row)
{
	uint32_t x = 1 + PORT_NAME_COLUMNS;
	char words[NUMBER_BYTES];
	struct text t;

	text_init(&t, words, sizeof(words));
	text_add(&t, row->is_server ? "server :%u" : "to :%u", row->port);
	grid_text(grid, 1, y, GRID_PLAIN, words);
	ports_number(grid, x + PORT_COLUMNS, y, row->total);
	for (uint32_t i = 0; i < PORTS_STATE_COUNT; i++)
		ports_number(grid, x + (i + 2) * PORT_COLUMNS, y, row->by_state[i]);
}

void screen_ports(const struct screen *s, struct grid *grid, uint32_t y, uint32_t height)
{
	if (s->ports->failed != 0 || s->ports->row_count == 0) {
		char words[128];
		struct text t;

		text_init(&t, words, sizeof(words));
		if (s->ports->failed != 0)
			text_add(&t, "ports: sock_diag: %s", strerror(-s->ports->failed));
		else
			text_add(&t, "ports: no connections");
		grid_text(grid, 1, y, GRID_LABEL, words);
		return;
	}
	ports_head(s, grid, y);
	for (uint32_t i = 0; i < s->ports->row_count && i + 1 < height; i++)
		ports_line(grid, y + 1 + i, &s->ports->rows[i]);
}

/* --- help --------------------------------------------------------------------------------- */

static const struct {
	const char *key, *what;
} help[] = {
	{"q", "quit; Ctrl-C too"},
	{"s", "slab caches by bytes, objects, growth, name"},
	{"p", "sockets by port and state: every 5 s, 0.2 s at most"},
	{"space", "hold the picture; sampling goes on"},
	{"+ -", "longer, shorter interval"},
	{"c", "peaks begin anew"},
	{"h", "back"},
	{"", ""},
	{"peak", "highest since the start; of memory left the lowest"},
	{"drops", "listening sockets', sockets' and CPUs' backlogs together"},
	{"left", "free, in per-CPU lists, page cache that can be dropped"},
	{"full in", "at the rate of the last ten samples"},
	{"a socket", "what the kernel keeps for each (megaconn bill); a new one:"},
	{"", "growth of slab by growth of sockets since the start"},
	{"near", "limits more than half in use (megaconn doctor: all)"},
	{"trouble", "counters that should rest; lit: they move"},
	{"CPUs", "the first part of a bar, as the second line: softirq"},
	{"growth", "since megaconn watch was started"},
	{"ports, 9 %", "time was up: so many of the sockets were seen"},
};

void screen_help(struct grid *grid, uint32_t y, uint32_t height)
{
	for (uint32_t i = 0; i < sizeof(help) / sizeof(help[0]) && i < height; i++) {
		grid_text(grid, 1, y + i, i < 7 ? GRID_KEY : GRID_NUMBER, help[i].key);
		grid_text(grid, 13, y + i, GRID_PLAIN, help[i].what);
	}
}
