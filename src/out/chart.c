/* chart: paths, and words beside them.
 *
 * A plot is 1,000 units wide and high. Where there are more points than could be told apart, each
 * column of the plot shows the least and the most of its points, so that no spike gets lost. */
#include "out/chart.h"

#include "out/markup.h"

#include <math.h>
#include <string.h>

#define SIDE     1000.0
#define COLUMNS  500 /* that are told apart */
#define DOTS     40  /* so few points are shown one by one */
#define SLIM     0.14
#define TOO_SLIM 0.055

static double x_of(const struct chart *chart, uint64_t at_ns)
{
	return chart->span_ns > 0 ? SIDE * (double)at_ns / (double)chart->span_ns : 0;
}

static double y_of(const struct axis *axis, double value)
{
	return SIDE * (1 - (value - axis->low) / (axis->high - axis->low));
}

static double known(double value)
{
	return isnan(value) ? 0 : value;
}

/* --- lines -------------------------------------------------------------------------------- */

struct pen {
	FILE *to;
	bool is_down;
	double x, y;
};

static void pen_go(struct pen *pen, double x, double y, bool is_stepped)
{
	if (!pen->is_down)
		fprintf(pen->to, "M%.0f %.0f", is_stepped ? pen->x : x, y);
	else if (is_stepped && fabs(pen->y - y) >= 0.5)
		fprintf(pen->to, "V%.0f", y);
	if (is_stepped)
		fprintf(pen->to, "H%.0f", x);
	else if (pen->is_down)
		fprintf(pen->to, "L%.0f %.0f", x, y);
	*pen = (struct pen){pen->to, true, x, y};
}

/* The first point that belongs to another column than `from`. */
static uint32_t column_end(const struct chart *chart, const struct chart_series *s, uint32_t from)
{
	double column = floor(x_of(chart, s->at_ns[from]) * COLUMNS / SIDE);
	uint32_t to = from + 1;

	if (s->count <= 2 * COLUMNS)
		return to;
	while (to < s->count && floor(x_of(chart, s->at_ns[to]) * COLUMNS / SIDE) <= column)
		to++;
	return to;
}

static void line_path(FILE *to, const struct chart *chart, const struct chart_series *s,
                      const struct axis *axis)
{
	struct pen pen = {.to = to};

	for (uint32_t p = 0, end; p < s->count; p = end) {
		double least = NAN, most = NAN;

		end = column_end(chart, s, p);
		for (uint32_t i = p; i < end; i++) {
			least = fmin(least, s->values[i]);
			most = fmax(most, s->values[i]);
		}
		double x = x_of(chart, s->at_ns[end - 1]);

		if (isnan(least)) {
			/* Samples too near each other to say: no gap that could be seen. */
			if (x - pen.x >= 2)
				pen = (struct pen){.to = to, .x = x};
			continue;
		}
		if (most > least || (!pen.is_down && end > p + 1))
			pen_go(&pen, x_of(chart, s->at_ns[p]), y_of(axis, most), chart->is_stepped);
		pen_go(&pen, x, y_of(axis, least), chart->is_stepped);
	}
}

static void dots_path(FILE *to, const struct chart *chart, const struct chart_series *s,
                      const struct axis *axis)
{
	for (uint32_t p = 0; p < s->count; p++) {
		if (!isnan(s->values[p]))
			fprintf(to, "M%.0f %.0fh0", x_of(chart, s->at_ns[p]),
			        y_of(axis, s->values[p]));
	}
}

static void write_lines(FILE *to, const struct chart *chart, const struct axis *axis)
{
	for (uint32_t i = 0; i < chart->series_count; i++) {
		const struct chart_series *s = &chart->series[i];

		fprintf(to, "<path class=\"line c%u%s\" d=\"", i + 1,
		        s->is_dashed ? " dashed" : "");
		line_path(to, chart, s, axis);
		fprintf(to, "\"/>");
		if (chart->is_stepped || chart->is_plain || s->is_dashed || s->count > DOTS)
			continue;
		fprintf(to, "<path class=\"dots c%u\" d=\"", i + 1);
		dots_path(to, chart, s, axis);
		fprintf(to, "\"/>");
	}
}

/* --- areas -------------------------------------------------------------------------------- */

static double stacked(const struct chart *chart, uint32_t series, uint32_t point)
{
	double sum = 0;

	for (uint32_t i = 0; i < series; i++)
		sum += known(chart->series[i].values[point]);
	return sum;
}

static void write_area(FILE *to, const struct chart *chart, const struct axis *axis, uint32_t i)
{
	const struct chart_series *s = &chart->series[i];
	uint32_t stride = s->count / COLUMNS + 1;

	fprintf(to, "<path class=\"area c%u\" d=\"", i + 1);
	for (uint32_t p = 0; p < s->count; p += stride)
		fprintf(to, "%s%.0f %.0f", p == 0 ? "M" : "L", x_of(chart, s->at_ns[p]),
		        y_of(axis, stacked(chart, i + 1, p)));
	for (uint32_t p = (s->count - 1) / stride * stride + stride; p >= stride; p -= stride)
		fprintf(to, "L%.0f %.0f", x_of(chart, s->at_ns[p - stride]),
		        y_of(axis, stacked(chart, i, p - stride)));
	fprintf(to, "Z\"/>");
}

/* --- the frame ---------------------------------------------------------------------------- */

double chart_most(const struct chart *chart)
{
	double most = 0;

	for (uint32_t i = 0; i < chart->series_count; i++) {
		for (uint32_t p = 0; p < chart->series[i].count; p++)
			most = fmax(most, chart->is_stacked ? stacked(chart, chart->series_count, p)
			                                    : known(chart->series[i].values[p]));
	}
	return most;
}

static void write_legend(FILE *to, const struct chart *chart)
{
	fprintf(to, "<ul class=\"legend\">");
	/* Of a stack in the order that is seen: the top first. */
	for (uint32_t n = 0; n < chart->series_count; n++) {
		uint32_t i = chart->is_stacked ? chart->series_count - 1 - n : n;
		const struct chart_series *s = &chart->series[i];

		fprintf(to, "<li><i class=\"key c%u%s%s\"></i>", i + 1,
		        chart->is_stacked ? " full" : "", s->is_dashed ? " dashed" : "");
		markup_text(to, s->name);
		if (s->value[0] != '\0') {
			fprintf(to, " <b>");
			markup_text(to, s->value);
			fprintf(to, "</b>");
		}
		fprintf(to, "</li>");
	}
	fprintf(to, "</ul>\n");
}

static void write_grid(FILE *to, const struct axis *across, const struct axis *up)
{
	fprintf(to, "<path class=\"grid\" d=\"");
	for (uint32_t i = 0; i < up->count; i++)
		fprintf(to, "M0 %.0fH1000", SIDE * (1 - up->ticks[i].at));
	for (uint32_t i = 0; i < across->count; i++)
		fprintf(to, "M%.0f 0V1000", SIDE * across->ticks[i].at);
	fprintf(to, "\"/>");
}

static void write_y(FILE *to, const struct axis *axis)
{
	fprintf(to, "<div class=\"y\" aria-hidden=\"true\">");
	for (uint32_t i = 0; i < axis->count; i++) {
		fprintf(to, "<span style=\"bottom:%.2f%%\">", 100 * axis->ticks[i].at);
		markup_text(to, axis->ticks[i].label);
		fprintf(to, "</span>");
	}
	fprintf(to, "</div>\n");
}

static void write_x(FILE *to, const struct axis *axis)
{
	fprintf(to, "<div class=\"x\" aria-hidden=\"true\">");
	for (uint32_t i = 0; i < axis->count; i++) {
		double at = axis->ticks[i].at;

		fprintf(to, "<span class=\"%s\" style=\"left:%.2f%%\">",
		        at < 0.02   ? "first"
		        : at > 0.96 ? "last"
		        : i % 2     ? "odd"
		                    : "even",
		        100 * at);
		markup_text(to, axis->ticks[i].label);
		fprintf(to, "</span>");
	}
	fprintf(to, "</div>\n");
}

static void write_bands(FILE *to, const struct chart *chart)
{
	for (uint32_t i = 0; i < chart->band_count; i++) {
		const struct chart_band *band = &chart->bands[i];
		double from = x_of(chart, band->from_ns), till = x_of(chart, band->to_ns);

		fprintf(to,
		        "<rect class=\"band %s\" x=\"%.1f\" y=\"0\" width=\"%.1f\" "
		        "height=\"1000\"/>",
		        i % 2 ? "odd" : "even", from, till - from);
	}
}

/* Names of bands, where they have room. */
static void write_band_names(FILE *to, const struct chart *chart)
{
	if (chart->band_count == 0)
		return;
	fprintf(to, "<div class=\"bands\" aria-hidden=\"true\">");
	for (uint32_t i = 0; i < chart->band_count; i++) {
		const struct chart_band *band = &chart->bands[i];
		double from = x_of(chart, band->from_ns) / SIDE;
		double width = x_of(chart, band->to_ns) / SIDE - from;

		if (width < TOO_SLIM)
			continue;
		fprintf(to, "<span%s style=\"left:%.2f%%;width:%.2f%%\">",
		        width < SLIM ? " class=\"slim\"" : "", 100 * from, 100 * width);
		markup_text(to, band->name);
		fprintf(to, "</span>");
	}
	fprintf(to, "</div>");
}

static void open_figure(FILE *to, const char *id, const char *title, const char *what)
{
	fprintf(to, "<figure class=\"chart\" id=\"%s\">\n<figcaption>", id);
	markup_text(to, title);
	fprintf(to, "<small>");
	markup_text(to, what);
	fprintf(to, "</small></figcaption>\n");
}

static void open_svg(FILE *to, const char *id, const char *title, const char *what)
{
	fprintf(to,
	        "<div class=\"plot\"><svg xmlns=\"http://www.w3.org/2000/svg\" "
	        "viewBox=\"0 0 1000 1000\" preserveAspectRatio=\"none\" role=\"img\" "
	        "aria-labelledby=\"%s-t %s-d\"><title id=\"%s-t\">",
	        id, id, id);
	markup_text(to, title);
	fprintf(to, "</title><desc id=\"%s-d\">", id);
	markup_text(to, what);
	fprintf(to, "</desc>");
}

void chart_write(FILE *to, const struct chart *chart)
{
	struct axis across, up;

	axis_linear(&across, AXIS_TIME, (double)chart->span_ns, 8, false);
	axis_linear(&up, chart->unit, fmax(chart->most, chart_most(chart)), 4, true);
	open_figure(to, chart->id, chart->title, chart->what);
	if (chart->series_count > 1 || chart->series[0].value[0] != '\0')
		write_legend(to, chart);
	fprintf(to, "<div class=\"frame\">\n");
	write_y(to, &up);
	open_svg(to, chart->id, chart->title, chart->what);
	write_bands(to, chart);
	write_grid(to, &across, &up);
	if (chart->is_stacked) {
		for (uint32_t i = 0; i < chart->series_count; i++)
			write_area(to, chart, &up, i);
	} else {
		write_lines(to, chart, &up);
	}
	fprintf(to, "</svg>");
	write_band_names(to, chart);
	fprintf(to, "</div>\n");
	write_x(to, &across);
	fprintf(to, "</div>\n</figure>\n");
}

/* --- quantiles ---------------------------------------------------------------------------- */

/* p50 is one half beyond, p90 a tenth: these are a third of a decade, and one, apart from p0. The
 * longest stands one decade after p99.9. */
static const struct {
	const char *name;
	double decades;
} quantiles[CHART_QUANTILES] = {
	{"50 %", 0.30103}, {"90 %", 1}, {"99 %", 2}, {"99.9 %", 3}, {"longest", 4},
};

static double quantile_x(uint32_t i)
{
	return (quantiles[i].decades - quantiles[0].decades) /
	       (quantiles[CHART_QUANTILES - 1].decades - quantiles[0].decades);
}

static double log_y(const struct axis *axis, uint64_t ns)
{
	return SIDE * (1 - log10((double)ns / axis->low) / log10(axis->high / axis->low));
}

static void write_curve(FILE *to, const struct chart_quantiles *line, const struct axis *up,
                        uint32_t colour)
{
	fprintf(to, "<path class=\"line c%u%s\" d=\"", colour, colour > 1 ? " dashed" : "");
	for (uint32_t i = 0; i < CHART_QUANTILES; i++)
		fprintf(to, "%s%.0f %.0f", i == 0 ? "M" : "L", SIDE * quantile_x(i),
		        log_y(up, line->ns[i]));
	fprintf(to, "\"/><path class=\"dots c%u\" d=\"", colour);
	for (uint32_t i = 0; i < CHART_QUANTILES; i++)
		fprintf(to, "M%.0f %.0fh0", SIDE * quantile_x(i), log_y(up, line->ns[i]));
	fprintf(to, "\"/>");
}

void chart_quantiles(FILE *to, const struct chart_quantiles *lines, uint32_t count)
{
	static const char title[] = "Time to connect",
			  what[] = "how long the slowest share of connects took; both axes are "
				   "logarithmic";
	struct axis up, across = {.count = CHART_QUANTILES};
	struct chart legend = {.series_count = count};
	uint64_t least = UINT64_MAX, most = 0;

	for (uint32_t i = 0; i < count; i++) {
		legend.series[i] = (struct chart_series){.name = lines[i].name, .is_dashed = i > 0};
		least = lines[i].ns[0] < least ? lines[i].ns[0] : least;
		most = lines[i].ns[CHART_QUANTILES - 1] > most ? lines[i].ns[CHART_QUANTILES - 1]
		                                               : most;
	}
	axis_log(&up, (double)least, (double)most);
	for (uint32_t i = 0; i < CHART_QUANTILES; i++) {
		across.ticks[i].at = quantile_x(i);
		snprintf(across.ticks[i].label, sizeof(across.ticks[i].label), "%s",
		         quantiles[i].name);
	}
	open_figure(to, "quantiles", title, what);
	if (count > 1)
		write_legend(to, &legend);
	fprintf(to, "<div class=\"frame\">\n");
	write_y(to, &up);
	open_svg(to, "quantiles", title, what);
	write_grid(to, &across, &up);
	for (uint32_t i = 0; i < count; i++)
		write_curve(to, &lines[i], &up, i + 1);
	fprintf(to, "</svg></div>\n");
	write_x(to, &across);
	fprintf(to, "</div>\n</figure>\n");
}

/* --- sparks ------------------------------------------------------------------------------- */

void chart_spark(FILE *to, const double *values, uint32_t count)
{
	static uint64_t at_ns[COLUMNS];
	static double thinned[COLUMNS];
	struct chart chart = {.series_count = 1};
	struct axis axis = {.high = 1};
	uint32_t stride = count / COLUMNS + 1, n = 0, some = 0;

	for (uint32_t p = 0; p < count && n < COLUMNS; p += stride, n++) {
		thinned[n] = NAN;
		for (uint32_t i = p; i < p + stride && i < count; i++)
			thinned[n] = fmax(thinned[n], values[i]);
		at_ns[n] = n;
		some += isnan(thinned[n]) ? 0 : 1;
	}
	if (some < 2)
		return;
	chart.series[0] = (struct chart_series){.count = n, .at_ns = at_ns, .values = thinned};
	chart.span_ns = n - 1;
	axis.high = fmax(chart_most(&chart), 1e-9) * 1.05;
	fprintf(to, "<svg class=\"spark\" xmlns=\"http://www.w3.org/2000/svg\" "
	            "viewBox=\"0 -20 1000 1040\" preserveAspectRatio=\"none\" "
	            "aria-hidden=\"true\"><path class=\"line c1\" d=\"");
	line_path(to, &chart, &chart.series[0], &axis);
	fprintf(to, "\"/></svg>");
}
