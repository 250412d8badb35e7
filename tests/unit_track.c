/* unit_track: of a series of any length what is drawn is kept: evenly, both sides of each change of
 * the phase, the first and the last; half a line at its end does no harm. */
#include "out/plot.h"
#include "out/series.h"
#include "out/track.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SECOND UINT64_C(1000000000)

static char path[64];

static int set_path(void **state)
{
	(void)state;
	snprintf(path, sizeof(path), "/tmp/unit_track.%d", (int)getpid());
	return 0;
}

static int remove_file(void **state)
{
	(void)state;
	unlink(path);
	return 0;
}

static enum live_phase phase_at(uint32_t second)
{
	return second < 100 ? LIVE_RAMP : second < 101 ? LIVE_PROOF : LIVE_HOLD;
}

static void make_sample(struct sample *sample, uint32_t second)
{
	figure_clear(sample);
	sample->at_ns = 77 * SECOND + second * SECOND;
	sample->unix_ns = 1000 * SECOND + second * SECOND;
	figure_put(figure_at(FIGURE_RUN_CLIENTS), sample, "", UINT64_C(10) * second);
	figure_put(figure_at(FIGURE_RUN_CONNECTED), sample, "", UINT64_C(10) * second);
	sample->run.phase = phase_at(second);
	if (second >= 50)
		figure_put(figure_at(FIGURE_SLAB), sample, "TCP", 1000000 + second);
}

/* Writes `seconds` lines, then `more`. */
static void write_series(uint32_t seconds, const char *more)
{
	static struct sample sample;
	static char line[SERIES_LINE_MOST];
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	for (uint32_t i = 0; i < seconds; i++) {
		make_sample(&sample, i);
		assert_true(series_write(&sample, line, sizeof(line)) > 0);
		fprintf(file, "%s\n", line);
	}
	fputs(more, file);
	assert_int_equal(fclose(file), 0);
}

static void test_all_of_a_short_one(void **state)
{
	struct track track = {0};
	uint64_t lines, bad;

	(void)state;
	write_series(110, "{\"schema\":\"megaconn.sample/1\",\"at_ns\":1870");
	assert_int_equal(track_read(&track, path, &lines, &bad), 0);
	assert_int_equal(track.count, 110);
	assert_int_equal(bad, 1);
	assert_int_equal(track.points[0].at_ns, 0);
	assert_int_equal(track.points[109].at_ns, 109 * SECOND);
	assert_int_equal(track_sum(&track, FIGURE_RUN_CLIENTS, 109), 1090);
	assert_true(track_sum(&track, FIGURE_TCP_ESTABLISHED, 3) == PROBE_UNKNOWN);
	assert_true(fabs(track_rate_per_s(&track, FIGURE_RUN_CONNECTED, 5) - 10) < 1e-9);
	assert_true(track_rate_per_s(&track, FIGURE_RUN_CONNECTED, 0) < 0);
	/* A cache that was not there from the beginning. */
	const uint64_t *tcp = track_column(&track, FIGURE_SLAB, "TCP");

	assert_non_null(tcp);
	assert_true(tcp[49] == PROBE_UNKNOWN);
	assert_int_equal(tcp[50], 1000050);
	assert_null(track_column(&track, FIGURE_SLAB, "UDP"));
	track_free(&track);
}

static void test_phases(void **state)
{
	struct chart_band bands[CHART_BANDS_MOST];
	struct track track = {0};
	uint64_t lines, bad;

	(void)state;
	write_series(110, "");
	assert_int_equal(track_read(&track, path, &lines, &bad), 0);
	assert_int_equal(plot_phases(&track, bands), 3);
	assert_string_equal(bands[1].name, "proof");
	assert_int_equal(bands[1].from_ns, 100 * SECOND);
	assert_int_equal(bands[1].to_ns, 101 * SECOND);
	assert_int_equal(bands[2].to_ns, 109 * SECOND);
	track_free(&track);
}

/* Of three hours every sixth second, and the one second of the proof too. */
static void test_thinned(void **state)
{
	struct track track = {0};
	uint64_t lines, bad;
	bool has_proof = false;

	(void)state;
	write_series(10801, "");
	assert_int_equal(track_read(&track, path, &lines, &bad), 0);
	assert_int_equal(lines, 10801);
	assert_int_equal(bad, 0);
	assert_true(track.count > TRACK_POINTS_MOST / 2);
	assert_true(track.count <= TRACK_POINTS_MOST + 8);
	for (uint32_t p = 0; p < track.count; p++) {
		uint64_t second = track.points[p].at_ns / SECOND;

		has_proof = has_proof || track.points[p].phase == LIVE_PROOF;
		assert_int_equal(track_sum(&track, FIGURE_RUN_CLIENTS, p), second * 10);
		if (p > 0)
			assert_true(second > track.points[p - 1].at_ns / SECOND);
	}
	assert_true(has_proof);
	assert_int_equal(track.points[track.count - 1].at_ns, 10800 * SECOND);
	track_free(&track);
}

static void test_others(void **state)
{
	struct track track = {0};
	uint64_t lines, bad;

	(void)state;
	write_series(0, "");
	assert_int_equal(track_read(&track, path, &lines, &bad), 0);
	assert_int_equal(track.count, 0);
	/* Foreign lines among ours. */
	write_series(2, "{\"a\":1}\n\n[]\nx\n");
	assert_int_equal(track_read(&track, path, &lines, &bad), 0);
	assert_int_equal(track.count, 2);
	assert_int_equal(bad, 4);
	track_free(&track);
	write_series(0, "{\"schema\":\"megaconn.sample/2\",\"at_ns\":1,\"unix_ns\":1}\n");
	assert_int_equal(track_read(&track, path, &lines, &bad), -ENOTSUP);
	unlink(path);
	assert_int_equal(track_read(&track, path, &lines, &bad), -ENOENT);
}

/* A clock that goes back is no time to draw. */
static void test_back_in_time(void **state)
{
	static struct sample sample;
	struct track track = {0};

	(void)state;
	make_sample(&sample, 5);
	assert_int_equal(track_add(&track, &sample), 0);
	make_sample(&sample, 4);
	assert_int_equal(track_add(&track, &sample), -EINVAL);
	assert_int_equal(track.count, 1);
	track_free(&track);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_of_a_short_one),
		cmocka_unit_test(test_phases),
		cmocka_unit_test(test_thinned),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_back_in_time),
	};

	return cmocka_run_group_tests(tests, set_path, remove_file);
}
