/* line: two points make it. */
#include "plan/line.h"

#include <assert.h>

bool line_through(const struct line_point *small, const struct line_point *large,
                  uint64_t about_bytes, struct walls_cost *out)
{
	assert(small->n < large->n);
	int64_t each = (large->bytes - small->bytes) / (int64_t)(large->n - small->n);

	if (each < (int64_t)about_bytes / LINE_OFF || each > (int64_t)about_bytes * LINE_OFF)
		return false;
	int64_t fixed = small->bytes - each * (int64_t)small->n;

	out->each_bytes = (uint64_t)each;
	out->fixed_bytes = fixed > 0 ? (uint64_t)fixed : 0;
	return true;
}
