/* number: by units. */
#include "out/number.h"

#include <math.h>

void number_add(struct text *t, enum figure_unit unit, uint64_t value)
{
	if (value == PROBE_UNKNOWN) {
		text_add(t, "-");
		return;
	}
	switch (unit) {
	case FIGURE_BYTES:
		text_bytes(t, value);
		return;
	case FIGURE_NS:
		text_duration(t, value);
		return;
	default:
		text_count(t, value);
		return;
	}
}

void number_add_real(struct text *t, enum figure_unit unit, double value)
{
	bool is_small = unit == FIGURE_NUMBER && value < 9.95;

	if (value < 0 || value >= (double)UINT64_MAX)
		text_add(t, "-");
	else if (is_small && fabs(value - round(value)) >= 0.05)
		text_add(t, "%.1f", value);
	else
		number_add(t, unit, (uint64_t)(value + 0.5));
}

void number_add_growth(struct text *t, enum figure_unit unit, int64_t growth)
{
	if (growth != 0)
		text_add(t, growth < 0 ? "-" : "+");
	number_add(t, unit, growth < 0 ? (uint64_t)-growth : (uint64_t)growth);
}
