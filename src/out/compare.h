/* compare: two runs, figure by figure, and which of the differences exceed noise. Pure.
 *
 * Noise is estimated from each run by itself (docs/report.md): how far its figure may be from what
 * the same run would have had a second time, 95 times of 100. */
#pragma once

#include "out/axis.h"
#include "out/report.h"

#include <stdbool.h>
#include <stdint.h>

#define COMPARE_ROWS_MOST     96
#define COMPARE_SETTINGS_MOST 64

/* Without an estimate only more than this is marked. */
#define COMPARE_UNESTIMATED 0.05
/* Nothing less is marked, whatever the estimate. */
#define COMPARE_LEAST 0.01

enum compare_better { COMPARE_NEITHER, COMPARE_MORE, COMPARE_LESS };

enum compare_mark {
	COMPARE_SAME,  /* within noise, or a difference of 0 */
	COMPARE_WORSE, /* of the second to the first         */
	COMPARE_BETTER,
	COMPARE_OTHER /* differs, and neither is the better: the runs are of two sizes */
};

struct compare_row {
	char name[64]; /* "ramp rate" */
	enum axis_unit unit;
	enum compare_better better;
	double values[2]; /* NAN: not known */
	double noise[2];  /* half of what the interval is wide; NAN: no estimate */
	double ratio;     /* (second - first) / first; NAN */
	enum compare_mark mark;
};

struct compare_setting {
	char name[64];
	char values[2][192];
};

struct compare {
	const struct report *runs[2]; /* the caller's */
	uint32_t row_count, setting_count;
	struct compare_row rows[COMPARE_ROWS_MOST];
	struct compare_setting settings[COMPARE_SETTINGS_MOST]; /* that differ */
	uint32_t setting_more;                                  /* of which there was no room */
	uint32_t marked;                                        /* rows that exceed noise     */
};

void compare_make(const struct report *a, const struct report *b, struct compare *compare);

/* "+12.3 %", "x12", "new", "=", or "-" where it is no part; "0.8 %", or "no estimate". */
struct axis_text compare_ratio_text(const struct compare_row *row);
struct axis_text compare_noise_text(const struct compare_row *row);

/* Whether noise can be said as a part of the first value. */
bool compare_has_noise(const struct compare_row *row);

/* "better", "worse", "differs", or "" where it is within noise. */
const char *compare_mark_text(enum compare_mark mark);

/* A value of the row, or "-". */
struct axis_text compare_value_text(const struct compare_row *row, int run);

/* One sentence: how many differ. */
void compare_headline(const struct compare *compare, char *out, size_t size);
