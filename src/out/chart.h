/* chart: charts over time and of quantiles, as HTML with SVG in it. Pure, but for writing.
 *
 * Only lines and areas are SVG, stretched to what room there is, with strokes that do not stretch;
 * all words stand beside it in HTML. So the same chart serves a screen, a phone and paper, and its
 * words are never smaller than others. Colours are classes (c1 ... c9) of out/report_style. */
#pragma once

#include "out/axis.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define CHART_SERIES_MOST 9
#define CHART_BANDS_MOST  64

struct chart_series {
	const char *name;      /* others' words as well: they are escaped           */
	char value[48];        /* beside the name: "most 100,000"; ""               */
	uint32_t count;        /* of points                                         */
	const uint64_t *at_ns; /* from the beginning, not falling                   */
	double *values;        /* >= 0, or NAN: not known                           */
	bool is_dashed;
};

/* A span of time with a name, shaded. */
struct chart_band {
	const char *name;
	uint64_t from_ns, to_ns;
};

struct chart {
	const char *id;    /* unique in the page, [a-z-] */
	const char *title; /* "Open connections"         */
	const char *what;  /* a sentence for who cannot see it, and in small print */
	enum axis_unit unit;
	uint64_t span_ns; /* of the time axis                                              */
	double most;      /* the axis goes to this at least: 100 of percents; 0: by values */
	bool is_stacked;  /* areas, the first at the bottom                                */
	bool is_stepped;  /* a value holds for the time since the point before: rates      */
	bool is_plain;    /* single points are not shown, however few                      */
	uint32_t series_count, band_count;
	struct chart_series series[CHART_SERIES_MOST];
	struct chart_band bands[CHART_BANDS_MOST];
};

void chart_write(FILE *to, const struct chart *chart);

/* The largest value, of the stack where it is one; 0 where none is known. */
double chart_most(const struct chart *chart);

/* Quantiles of times, both axes logarithmic: that of quantiles by how few lie beyond. */
#define CHART_QUANTILES 5
struct chart_quantiles {
	const char *name;
	uint64_t ns[CHART_QUANTILES]; /* p50, p90, p99, p99.9, the longest; all known */
};
void chart_quantiles(FILE *to, const struct chart_quantiles *lines, uint32_t count);

/* A line as small as a word, without axes; nothing where fewer than two values are known. */
void chart_spark(FILE *to, const double *values, uint32_t count);
