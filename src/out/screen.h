/* screen: the monitor's page, drawn into a grid from samples. Pure: the same input gives the same
 * cells, at any size; what does not fit is left out, the least important first.
 *
 * From top to bottom: what happens over time, sockets, memory, what a socket has of it, walls that
 * are near, CPUs, sockets by port where asked for, trouble, slab caches; the keys in the last line.
 */
#pragma once

#include "base/bill.h"
#include "base/history.h"
#include "base/near.h"
#include "base/ports.h"
#include "base/sample.h"
#include "out/grid.h"

#include <stdbool.h>
#include <stdint.h>

enum screen_sort {
	SCREEN_BY_BYTES,
	SCREEN_BY_OBJECTS,
	SCREEN_BY_GROWTH,
	SCREEN_BY_NAME,
	SCREEN_SORT_COUNT
};

struct screen {
	const char *host, *netns; /* netns: NULL where it is our own   */
	const char *clock;        /* "14:03:22"                        */
	const char *url;          /* of --http; NULL                   */
	uint64_t interval_ns;
	/* The first sample, the one before the last (NULL: there is none yet), the last. */
	const struct sample *first, *before, *now;
	const struct history *history;
	const struct bill *bill; /* of the sockets that there are */
	const struct near_table *near;
	const struct ports_table *ports; /* NULL: not asked for               */
	enum screen_sort sort;           /* of slab caches                    */
	bool is_paused, has_help;
	bool has_keys; /* there is a keyboard */
};

/* "bytes", "objects", "growth", "name"; NULL behind the last one. */
extern const char *const screen_sorts[];

/* Draws it; size and is_utf8 of the grid are set. */
void screen_draw(const struct screen *s, struct grid *grid);
