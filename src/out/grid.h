/* grid: a screen as cells of a character and how it is shown. What is drawn is drawn here, and a
 * terminal or a test looks at it. Pure; what lies outside is cut off. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define GRID_WIDTH_MOST  400
#define GRID_HEIGHT_MOST 150

enum grid_style {
	GRID_PLAIN,
	GRID_TITLE,   /* the line on top                     */
	GRID_HEAD,    /* of columns                          */
	GRID_LABEL,   /* names what stands beside it         */
	GRID_NUMBER,  /* what one has come to read           */
	GRID_REST,    /* a number that says nothing now: 0   */
	GRID_LIT,     /* trouble that moves                  */
	GRID_WARN,    /* a wall that is near                 */
	GRID_SPARK,   /* a line over time                    */
	GRID_BUSY,    /* of a bar: a CPU's work ...          */
	GRID_SOFTIRQ, /* ... and of it the network's         */
	GRID_KEY,     /* a key that may be pressed           */
	GRID_STYLE_COUNT
};

struct grid_cell {
	uint32_t character; /* Unicode; 0 where nothing was drawn, which is a blank */
	uint8_t style;      /* enum grid_style                                      */
};

struct grid {
	uint32_t width, height;
	bool is_utf8; /* else only ASCII is drawn */
	struct grid_cell cells[GRID_HEIGHT_MOST][GRID_WIDTH_MOST];
};

/* Empties it, with that size (cut to the most). */
void grid_reset(struct grid *grid, uint32_t width, uint32_t height);

/* Text in UTF-8; without is_utf8 what is not ASCII becomes '?'. Returns the column behind it. */
uint32_t grid_text(struct grid *grid, uint32_t x, uint32_t y, enum grid_style style,
                   const char *text);

/* The same so that it ends before column `x`; cut at the left. */
void grid_text_before(struct grid *grid, uint32_t x, uint32_t y, enum grid_style style,
                      const char *text);

/* How many columns a text takes. */
uint32_t grid_columns(const char *text);

/* Gives a whole line this style, also where nothing is drawn. */
void grid_line(struct grid *grid, uint32_t y, enum grid_style style);

/* One character of a line over time: `value` of `most`; < 0: unknown, a blank. */
void grid_spark(struct grid *grid, uint32_t x, uint32_t y, enum grid_style style, double value,
                double most);

/* A bar of `width` columns, filled by two parts of 1: `first` of it, then `second`. */
void grid_bar(struct grid *grid, uint32_t x, uint32_t y, uint32_t width, double first,
              double second);
