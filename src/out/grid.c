/* grid: text, lines over time and bars into cells. */
#include "out/grid.h"

#include <string.h>

#define SPARK_LEVELS 8

/* U+2581 is the lowest of eight blocks; in ASCII what looks like it. */
#define SPARK_LOWEST   0x2581
#define SPARK_IN_ASCII "_.-~=+*#"

void grid_reset(struct grid *grid, uint32_t width, uint32_t height)
{
	grid->width = width < GRID_WIDTH_MOST ? width : GRID_WIDTH_MOST;
	grid->height = height < GRID_HEIGHT_MOST ? height : GRID_HEIGHT_MOST;
	memset(grid->cells, 0, sizeof(grid->cells));
}

static void put(struct grid *grid, uint32_t x, uint32_t y, enum grid_style style,
                uint32_t character)
{
	if (x < grid->width && y < grid->height)
		grid->cells[y][x] = (struct grid_cell){character, (uint8_t)style};
}

static bool is_continuation(char byte)
{
	return ((unsigned char)byte & 0xc0) == 0x80;
}

/* The character at *at, and *at behind it. Texts are ours, so they are whole. */
static uint32_t take(const char **at)
{
	unsigned char first = (unsigned char)**at;
	uint32_t character = first < 0xc0   ? first
	                     : first < 0xe0 ? first & 0x1fu
	                     : first < 0xf0 ? first & 0x0fu
	                                    : first & 0x07u;

	for ((*at)++; is_continuation(**at); (*at)++)
		character = character << 6 | ((unsigned char)**at & 0x3fu);
	return character;
}

uint32_t grid_text(struct grid *grid, uint32_t x, uint32_t y, enum grid_style style,
                   const char *text)
{
	while (*text) {
		uint32_t character = take(&text);

		if (character < ' ' || character == 0x7f || (character > 0x7e && !grid->is_utf8))
			character = '?';
		put(grid, x++, y, style, character);
	}
	return x;
}

uint32_t grid_columns(const char *text)
{
	uint32_t columns = 0;

	for (; *text; text++)
		columns += !is_continuation(*text);
	return columns;
}

void grid_text_before(struct grid *grid, uint32_t x, uint32_t y, enum grid_style style,
                      const char *text)
{
	uint32_t columns = grid_columns(text);

	for (; columns > x; columns--)
		(void)take(&text);
	grid_text(grid, x - columns, y, style, text);
}

void grid_line(struct grid *grid, uint32_t y, enum grid_style style)
{
	for (uint32_t x = 0; x < grid->width; x++) {
		if (y < grid->height)
			grid->cells[y][x].style = (uint8_t)style;
	}
}

void grid_spark(struct grid *grid, uint32_t x, uint32_t y, enum grid_style style, double value,
                double most)
{
	double part = most > 0 ? value / most : 0;
	uint32_t level = (uint32_t)(part * SPARK_LEVELS);

	if (value < 0)
		return;
	if (level >= SPARK_LEVELS)
		level = SPARK_LEVELS - 1;
	put(grid, x, y, style,
	    grid->is_utf8 ? SPARK_LOWEST + level : (uint32_t)SPARK_IN_ASCII[level]);
}

void grid_bar(struct grid *grid, uint32_t x, uint32_t y, uint32_t width, double first,
              double second)
{
	uint32_t end = (uint32_t)(first * width + 0.5);
	uint32_t end2 = (uint32_t)((first + second) * width + 0.5);

	for (uint32_t i = 0; i < width; i++) {
		if (i < end)
			put(grid, x + i, y, GRID_SOFTIRQ, grid->is_utf8 ? 0x2593 : '%');
		else if (i < end2)
			put(grid, x + i, y, GRID_BUSY, grid->is_utf8 ? 0x2588 : '#');
		else
			put(grid, x + i, y, GRID_REST, grid->is_utf8 ? 0x00b7 : '.');
	}
}
