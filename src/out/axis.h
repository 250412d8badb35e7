/* axis: where the marks of an axis stand, and what is written beside them. Pure.
 *
 * Steps are 1, 2 or 5 of a power of ten (of bytes: of KiB, MiB, ...; of time: what clocks have). */
#pragma once

#include <stdint.h>

#define AXIS_TICKS_MOST 12

enum axis_unit {
	AXIS_COUNT,
	AXIS_BYTES,
	AXIS_PERCENT,
	AXIS_TIME, /* ns, from the beginning: 0, 10 s, 20 s */
	AXIS_NS,   /* ns, a duration: 10 us, 1 ms           */
	AXIS_UNIT_COUNT
};

struct axis_tick {
	double at; /* 0 .. 1 of the axis */
	char label[24];
};

struct axis {
	double low, high;
	uint32_t count;
	struct axis_tick ticks[AXIS_TICKS_MOST];
};

/* From 0 to `most` (>= 0), with some `want` ticks. Where `is_open`, it ends at a tick that is not
 * below `most`, else at `most` itself. */
void axis_linear(struct axis *axis, enum axis_unit unit, double most, uint32_t want, int is_open);

/* Powers of ten of AXIS_NS from below `least` to above `most` (both > 0). */
void axis_log(struct axis *axis, double least, double most);

/* A value as people read it, in full: "1,234,567", "1.5 GiB", "43.2 %", "1.50 ms". */
struct axis_text {
	char text[32];
};
struct axis_text axis_text(enum axis_unit unit, double value);
