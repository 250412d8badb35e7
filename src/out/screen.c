/* screen: who gets how many lines, and the first and the last of them.
 *
 * A block says how many lines it takes at least, usually, and with all that it has. Lines go to the
 * blocks by rank: first what each takes at least, then the usual, then all; what is left separates
 * them, and the last block takes the rest. */
#include "out/screen.h"

#include "base/text.h"
#include "out/screen_parts.h"
#include "out/screen_tables.h"

#include <assert.h>
#include <string.h>

const char *const screen_sorts[] = {"bytes", "objects", "growth", "name", NULL};
static_assert(sizeof(screen_sorts) / sizeof(screen_sorts[0]) == SCREEN_SORT_COUNT + 1,
              "a name for each order");

/* In their order on the screen. */
static const struct block {
	struct screen_size (*size)(const struct screen *s, uint32_t width);
	void (*draw)(const struct screen *s, struct grid *grid, uint32_t y, uint32_t height);
	uint32_t rank; /* 0 gets its lines first */
} blocks[] = {
	{screen_lines_size, screen_lines, 0},   {screen_sockets_size, screen_sockets, 2},
	{screen_memory_size, screen_memory, 4}, {screen_bill_size, screen_bill, 6},
	{screen_walls_size, screen_walls, 3},   {screen_cpus_size, screen_cpus, 5},
	{screen_ports_size, screen_ports, 7},   {screen_trouble_size, screen_trouble, 1},
	{screen_slabs_size, screen_slabs, 8},
};
#define BLOCK_COUNT (sizeof(blocks) / sizeof(blocks[0]))

struct layout {
	struct screen_size size[BLOCK_COUNT];
	uint32_t height[BLOCK_COUNT];
	uint32_t left; /* lines that nobody has yet */
	bool has_gaps;
};

static uint32_t lines_of(const struct screen_size *size, int pass)
{
	return pass == 0 ? size->least : pass == 1 ? size->usual : size->all;
}

static void give(struct layout *l, int pass)
{
	for (uint32_t rank = 0; rank < BLOCK_COUNT; rank++) {
		for (size_t i = 0; i < BLOCK_COUNT; i++) {
			uint32_t wanted = lines_of(&l->size[i], pass);

			if (blocks[i].rank != rank || wanted <= l->height[i])
				continue;
			uint32_t more = wanted - l->height[i];

			if (more > l->left)
				more = l->left;
			l->height[i] += more;
			l->left -= more;
		}
	}
}

static void lay_out(struct layout *l, const struct screen *s, uint32_t width, uint32_t lines)
{
	uint32_t shown = 0;

	memset(l, 0, sizeof(*l));
	l->left = lines;
	for (size_t i = 0; i < BLOCK_COUNT; i++)
		l->size[i] = blocks[i].size(s, width);
	give(l, 0);
	give(l, 1);
	for (size_t i = 0; i < BLOCK_COUNT; i++)
		shown += l->height[i] > 0;
	l->has_gaps = l->left >= shown;
	if (l->has_gaps)
		l->left -= shown;
	give(l, 2);
}

#define EVERY_FROM 60 /* columns of a screen that has room for the interval */

/* " megaconn watch  HOST  netns NAME  URL      every 1 s  14:03:22 " */
static void draw_title(const struct screen *s, struct grid *grid)
{
	char right[96];
	struct text t;
	uint32_t x = 0;

	text_init(&t, right, sizeof(right));
	text_add(&t, s->is_paused ? "  PAUSED  " : "  ");
	if (!s->is_paused && grid->width >= EVERY_FROM)
		text_add(&t, "every %g s  ", (double)s->interval_ns / 1e9);
	text_add(&t, "%s ", s->clock);
	grid_line(grid, 0, GRID_TITLE);
	x = grid_text(grid, x, 0, GRID_TITLE, " megaconn watch  ");
	x = grid_text(grid, x, 0, GRID_TITLE, s->host);
	if (s->netns) {
		x = grid_text(grid, x, 0, GRID_TITLE, "  netns ");
		x = grid_text(grid, x, 0, GRID_TITLE, s->netns);
	}
	if (s->url && x + 2 + grid_columns(s->url) + grid_columns(right) <= grid->width)
		grid_text(grid, x + 2, 0, GRID_TITLE, s->url);
	grid_text_before(grid, grid->width, 0, GRID_TITLE, right);
}

/* The most important first: what does not fit is not there. */
static void draw_keys(const struct screen *s, struct grid *grid)
{
	static const struct {
		const char *key, *what;
	} keys[] = {
		{"q", "quit"},      {"s", "sort"},       {"p", "ports"},       {"h", "help"},
		{"space", "pause"}, {"+ -", "interval"}, {"c", "clear peaks"},
	};
	uint32_t y = grid->height - 1, x = 1;

	if (!s->has_keys)
		grid_text(grid, x, y, GRID_LABEL, "no keyboard: Ctrl-C ends");
	for (size_t i = 0; s->has_keys && i < sizeof(keys) / sizeof(keys[0]); i++) {
		uint32_t columns = grid_columns(keys[i].key) + 1 + grid_columns(keys[i].what);

		if (x + columns > grid->width)
			break;
		x = grid_text(grid, x, y, GRID_KEY, keys[i].key) + 1;
		x = grid_text(grid, x, y, GRID_LABEL, keys[i].what) + 2;
	}
}

void screen_draw(const struct screen *s, struct grid *grid)
{
	struct layout l;
	uint32_t y = 1;

	if (grid->height < 3)
		return;
	draw_title(s, grid);
	draw_keys(s, grid);
	if (s->has_help) {
		screen_help(grid, 1, grid->height - 2);
		return;
	}
	lay_out(&l, s, grid->width, grid->height - 2);
	for (size_t i = 0; i < BLOCK_COUNT; i++) {
		if (l.height[i] == 0)
			continue;
		if (l.has_gaps && y > 1)
			y++;
		blocks[i].draw(s, grid, y, l.height[i]);
		y += l.height[i];
	}
}
