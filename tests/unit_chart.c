/* unit_chart: ticks are round and few, labels do not repeat; paths have the points that they
 * should; what others wrote is nothing but text. */
#include "out/axis.h"
#include "out/chart.h"
#include "out/markup.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#define SECOND      UINT64_C(1000000000)

/* --- axes ----------------------------------------------------------------------------------- */

static const struct {
	enum axis_unit unit;
	double most;
	int want, is_open;
	const char *labels; /* with a | between them */
} axes[] = {
	{AXIS_COUNT, 60000, 4, 1, "0|20,000|40,000|60,000"},
	{AXIS_COUNT, 60001, 4, 1, "0|20,000|40,000|60,000|80,000"},
	{AXIS_COUNT, 1000000, 4, 1, "0|500,000|1,000,000"},
	{AXIS_COUNT, 3, 4, 1, "0|1|2|3"},
	{AXIS_COUNT, 0, 4, 1, "0|1"},
	{AXIS_BYTES, 450 * 0x1p20, 4, 1, "0|200 MiB|400 MiB|600 MiB"},
	{AXIS_BYTES, 1.5 * 0x1p30, 4, 1, "0|512 MiB|1 GiB|1.5 GiB"},
	{AXIS_BYTES, 7.2 * 0x1p30, 4, 1, "0|2 GiB|4 GiB|6 GiB|8 GiB"},
	{AXIS_BYTES, 0, 4, 1, "0|512 B|1 KiB"},
	{AXIS_PERCENT, 100, 4, 1, "0 %|50 %|100 %"},
	{AXIS_TIME, 12.7e9, 8, 0, "0|2 s|4 s|6 s|8 s|10 s|12 s"},
	{AXIS_TIME, 0.039e9, 8, 0, "0|5 ms|10 ms|15 ms|20 ms|25 ms|30 ms|35 ms"},
	{AXIS_TIME, 90e9, 8, 0, "0|15 s|30 s|45 s|60 s|75 s|90 s"},
	{AXIS_TIME, 600e9, 8, 0, "0|2 min|4 min|6 min|8 min|10 min"},
	{AXIS_TIME, 36000e9, 8, 0, "0|2 h|4 h|6 h|8 h|10 h"},
	{AXIS_TIME, 5400e9, 8, 0, "0|15 min|30 min|45 min|1 h|1:15 h|1:30 h"},
	{AXIS_TIME, 0, 8, 0, "0|200 ms|400 ms|600 ms|800 ms|1 s"},
};

static void test_ticks(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(axes); i++) {
		char labels[256] = "";
		struct axis axis;

		axis_linear(&axis, axes[i].unit, axes[i].most, (uint32_t)axes[i].want,
		            axes[i].is_open);
		for (uint32_t t = 0; t < axis.count; t++) {
			size_t len = strlen(labels);

			snprintf(labels + len, sizeof(labels) - len, "%s%s", t > 0 ? "|" : "",
			         axis.ticks[t].label);
			assert_true(axis.ticks[t].at >= 0 && axis.ticks[t].at <= 1 + 1e-9);
		}
		assert_string_equal(labels, axes[i].labels);
		assert_true(axis.high >= axes[i].most);
	}
}

/* Whatever the number: at least two ticks, all different, the axis at most a step too long. */
static void test_ticks_of_all_sizes(void **state)
{
	(void)state;
	for (int unit = 0; unit < AXIS_UNIT_COUNT; unit++) {
		for (int power = 0; power < 130; power++) {
			double most = pow(1.37, power);
			struct axis axis;

			if (unit == AXIS_TIME && most < 1e6)
				continue;
			axis_linear(&axis, (enum axis_unit)unit, most, 4, 1);
			if (axis.count < 2 || axis.count > AXIS_TICKS_MOST)
				fail_msg("unit %d, %g: %u ticks", unit, most, axis.count);
			for (uint32_t t = 1; t < axis.count; t++) {
				if (strcmp(axis.ticks[t].label, axis.ticks[t - 1].label) == 0)
					fail_msg("unit %d, %g: %s twice", unit, most,
					         axis.ticks[t].label);
			}
			if (axis.high < most || axis.high > 2.6 * most + 1)
				fail_msg("unit %d, %g: to %g", unit, most, axis.high);
		}
	}
}

static void test_log(void **state)
{
	struct axis axis;

	(void)state;
	axis_log(&axis, 112639, 5590000);
	assert_int_equal(axis.count, 3);
	assert_string_equal(axis.ticks[0].label, "100 us");
	assert_string_equal(axis.ticks[2].label, "10 ms");
	axis_log(&axis, 1000, 1000);
	assert_int_equal(axis.count, 2);
	axis_log(&axis, 1, 1e15);
	assert_true(axis.count <= AXIS_TICKS_MOST);
	assert_true(axis.high >= 1e15);
}

/* --- others' words -------------------------------------------------------------------------- */

static char *text_of(void (*write)(FILE *to, const void *what), const void *what)
{
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	assert_non_null(to);
	write(to, what);
	assert_int_equal(fclose(to), 0);
	return text;
}

static void write_markup(FILE *to, const void *what)
{
	markup_text(to, what);
}

static void test_markup(void **state)
{
	static const struct {
		const char *from, *to;
	} texts[] = {
		{"plain", "plain"},
		{"<script>alert(\"1\")</script> & 'x'",
	         "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; &#39;x&#39;"},
		{"a\nb\tc", "a\nb\tc"},
		{"\x1b[31m\x7f", "\xEF\xBF\xBD[31m\xEF\xBF\xBD"},
		{"µ · →", "µ · →"},
		{"\xff\xfe", "\xEF\xBF\xBD\xEF\xBF\xBD"},
		{"\xc0\xaf", "\xEF\xBF\xBD\xEF\xBF\xBD"},                 /* not the shortest */
		{"\xed\xa0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"}, /* a surrogate      */
		{"\xef\xbf\xbf", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"}, /* not in XML       */
		{"\xe2\x82", "\xEF\xBF\xBD\xEF\xBF\xBD"},                 /* cut off          */
		{"\xf0\x9f\x99\x82", "\xf0\x9f\x99\x82"},
		{NULL, ""},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		char *text = text_of(write_markup, texts[i].from);

		assert_string_equal(text, texts[i].to);
		free(text);
	}
}

/* --- charts --------------------------------------------------------------------------------- */

static void write_chart(FILE *to, const void *what)
{
	chart_write(to, what);
}

/* clang-tidy does not see that the chart may change them. */
static struct chart made(const uint64_t *at_ns,
                         double *values, /* NOLINT(readability-non-const-parameter) */
                         uint32_t count)
{
	struct chart chart = {.id = "x", .title = "A <title>", .what = "what", .series_count = 1};

	chart.series[0] = (struct chart_series){
		.name = "a&b", .value = "most 4", .count = count, .at_ns = at_ns, .values = values};
	chart.span_ns = count > 0 ? at_ns[count - 1] : 0;
	return chart;
}

static void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("'%s' is not in: %s", part, text);
}

static void test_line(void **state)
{
	static const uint64_t at_ns[] = {0, SECOND, 2 * SECOND, 3 * SECOND, 4 * SECOND};
	double values[] = {0, 2, NAN, 4, 3};
	struct chart chart = made(at_ns, values, 5);
	char *text = text_of(write_chart, &chart);

	(void)state;
	/* What is not known is a gap. */
	assert_has(text, "class=\"line c1\" d=\"M0 1000L250 500M750 0L1000 250\"");
	assert_has(text, "class=\"dots c1\" d=\"M0 1000h0M250 500h0M750 0h0M1000 250h0\"");
	assert_has(text, "A &lt;title&gt;");
	assert_has(text, "a&amp;b <b>most 4</b>");
	assert_null(strstr(text, "a&b"));
	free(text);
}

static void test_steps(void **state)
{
	static const uint64_t at_ns[] = {0, SECOND, 2 * SECOND};
	double values[] = {NAN, 4, 2};
	struct chart chart = made(at_ns, values, 3);

	(void)state;
	chart.is_stepped = true;
	char *text = text_of(write_chart, &chart);

	assert_has(text, "d=\"M0 0H500V500H1000\"");
	free(text);
}

static void test_stack(void **state)
{
	static const uint64_t at_ns[] = {0, SECOND};
	double below[] = {1, 1}, above[] = {0, 3};
	struct chart chart = made(at_ns, below, 2);

	(void)state;
	chart.is_stacked = true;
	chart.series_count = 2;
	chart.series[1] = chart.series[0];
	chart.series[1].values = above;
	assert_true(fabs(chart_most(&chart) - 4) < 1e-9);
	char *text = text_of(write_chart, &chart);

	assert_has(text, "class=\"area c1\" d=\"M0 750L1000 750L1000 1000L0 1000Z\"");
	assert_has(text, "class=\"area c2\" d=\"M0 750L1000 0L1000 750L0 750Z\"");
	free(text);
}

/* Of very many points each column keeps its highest: a spike of one second in ten hours. */
static void test_spike(void **state)
{
	enum { COUNT = 36000 };
	uint64_t *at_ns = calloc(COUNT, sizeof(*at_ns));
	double *values = calloc(COUNT, sizeof(*values));

	(void)state;
	assert_non_null(at_ns);
	assert_non_null(values);
	for (uint64_t i = 0; i < COUNT; i++)
		at_ns[i] = i * SECOND;
	values[17777] = 4;
	struct chart chart = made(at_ns, values, COUNT);
	char *text = text_of(write_chart, &chart);

	assert_has(text, "M0 1000L");
	assert_has(text, "L492 0L");
	assert_true(strlen(text) < 30000);
	free(text);
	free(at_ns);
	free(values);
}

static void test_names_of_bands(void **state)
{
	static const uint64_t at_ns[] = {0, 100 * SECOND};
	double values[] = {1, 1};
	struct chart chart = made(at_ns, values, 2);

	(void)state;
	chart.band_count = 3;
	chart.bands[0] = (struct chart_band){"ramp", 0, 90 * SECOND};
	chart.bands[1] = (struct chart_band){"proof", 90 * SECOND, 92 * SECOND};
	chart.bands[2] = (struct chart_band){"hold", 92 * SECOND, 100 * SECOND};
	char *text = text_of(write_chart, &chart);

	assert_has(text, ">ramp</span>");
	/* No room for its name; hardly any, which phones have not. */
	assert_null(strstr(text, ">proof</span>"));
	assert_has(text, "class=\"slim\" style=\"left:92.00%;width:8.00%\">hold</span>");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ticks),
		cmocka_unit_test(test_ticks_of_all_sizes),
		cmocka_unit_test(test_log),
		cmocka_unit_test(test_markup),
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_stack),
		cmocka_unit_test(test_spike),
		cmocka_unit_test(test_names_of_bands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
