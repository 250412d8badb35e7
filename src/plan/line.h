/* line: what connections cost, by what two runs of different size took: the slope is the cost of
 * each, the rest what a run costs before its first one. Pure. */
#pragma once

#include "plan/walls.h"

#include <stdbool.h>
#include <stdint.h>

/* So many times what is assumed, or less than that part of it, cannot be what a connection costs:
 * others' doings are in it. */
#define LINE_OFF 4

struct line_point {
	uint64_t n;
	int64_t bytes; /* that n took; less than 0 where others gave back more */
};

/* The line through two points, small.n < large.n < 2^31, bytes within +-2^62; `about_bytes` (<
 * 2^32) is what a connection is assumed to cost. A fixed part below 0 is taken as 0. False, and
 * *out untouched, where the cost is further off than LINE_OFF times. */
bool line_through(const struct line_point *small, const struct line_point *large,
                  uint64_t about_bytes, struct walls_cost *out);
