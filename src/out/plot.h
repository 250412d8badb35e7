/* plot: what of a record's series is drawn: the numbers of each chart, ready for out/chart, for
 * lines of blocks in text, and for two runs in one. */
#pragma once

#include "out/chart.h"
#include "out/report.h"

#include <stdbool.h>

enum plot_kind {
	PLOT_OPEN,    /* connections                          */
	PLOT_RATE,    /* connects and accepts a second        */
	PLOT_ANSWERS, /* messages and what came of them, a second */
	PLOT_LATENCY, /* of the answers of each second */
	PLOT_MEMORY,  /* what memory went into since it began */
	PLOT_CPU,
	PLOT_KIND_COUNT
};

struct plot {
	struct chart chart; /* its values and times lie in what follows */
	char names[CHART_SERIES_MOST][48];
	uint64_t *at_ns;
	double *values;
};

/* Makes one, and plot_free it. False where the record has nothing of that kind, or no memory could
 * be had. */
bool plot_make(const struct report *report, enum plot_kind kind, struct plot *plot);

void plot_free(struct plot *plot);

/* The phases of a run, one after the other; at most CHART_BANDS_MOST. A phase that comes between
 * two samples is not seen; where one ends is known to a second. */
uint32_t plot_phases(const struct track *track, struct chart_band *bands);

/* The same; of a run with several stages these instead of the hold. */
uint32_t plot_bands(const struct report *report, struct chart_band *bands);
