/* screen_parts: what the monitor shows of single figures: lines over time, sockets, memory, walls,
 * trouble. For out/screen alone. */
#pragma once

#include "out/screen.h"

#define SCREEN_SOCKETS_LEAST 1000 /* from which it is said what one costs */

/* How many lines a block takes; `width` is the screen's. */
struct screen_size {
	uint32_t least, usual, all;
};

struct screen_size screen_lines_size(const struct screen *s, uint32_t width);
void screen_lines(const struct screen *s, struct grid *grid, uint32_t y, uint32_t height);

struct screen_size screen_sockets_size(const struct screen *s, uint32_t width);
void screen_sockets(const struct screen *s, struct grid *grid, uint32_t y, uint32_t height);

struct screen_size screen_memory_size(const struct screen *s, uint32_t width);
void screen_memory(const struct screen *s, struct grid *grid, uint32_t y, uint32_t height);

struct screen_size screen_bill_size(const struct screen *s, uint32_t width);
void screen_bill(const struct screen *s, struct grid *grid, uint32_t y, uint32_t height);

struct screen_size screen_walls_size(const struct screen *s, uint32_t width);
void screen_walls(const struct screen *s, struct grid *grid, uint32_t y, uint32_t height);

struct screen_size screen_trouble_size(const struct screen *s, uint32_t width);
void screen_trouble(const struct screen *s, struct grid *grid, uint32_t y, uint32_t height);
