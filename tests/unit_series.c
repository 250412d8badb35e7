/* unit_series: a sample as a line and back: every figure, every quantile, and lines that are none.
 */
#include "base/figure.h"
#include "out/series.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIB UINT64_C(1048576)

static struct sample sample, again;
static char line[SERIES_LINE_MOST], second[SERIES_LINE_MOST];

static const char *label_of(const struct figure *f, unsigned int i)
{
	static char label[16];

	if (f->family == FIGURE_BY_CAUSE)
		return cause_name((enum cause)(i % CAUSE_COUNT));
	if (f->family == FIGURE_BY_ANSWER)
		return answer_name((enum answer)(i % ANSWER_COUNT));
	snprintf(label, sizeof(label), f->family == FIGURE_BY_CPU ? "%u" : "cache-%u", i);
	return f->family == FIGURE_ONE ? "" : label;
}

/* Each number another one; three of each family. */
static void fill(void)
{
	uint64_t value = 7 * MIB;

	figure_clear(&sample);
	sample.at_ns = 123456789012345;
	sample.unix_ns = 1790000000123456789;
	memset(sample.run.answers, 0,
	       sizeof(sample.run.answers)); /* those that are 0 are left out */
	for (int i = 0; i < FIGURE_COUNT; i++) {
		const struct figure *f = figure_at((enum figure_id)i);

		for (unsigned int j = 0; j < (f->family == FIGURE_ONE ? 1 : 3); j++)
			assert_true(figure_put(f, &sample, label_of(f, j), value += 12345));
	}
	sample.run.phase = LIVE_PROOF;
}

static size_t write_line(void)
{
	size_t len = series_write(&sample, line, sizeof(line));

	assert_true(len > 0 && len == strlen(line));
	return len;
}

static void read_back(void)
{
	size_t len = write_line();

	assert_int_equal(series_read(line, len, &again), 0);
	assert_int_equal(series_write(&again, second, sizeof(second)), len);
	assert_string_equal(line, second);
}

static void all_figures(void **state)
{
	(void)state;
	fill();
	read_back();
	assert_true(again.at_ns == sample.at_ns && again.unix_ns == sample.unix_ns);
	assert_int_equal(again.run.phase, LIVE_PROOF);
	assert_true(again.has_run && again.has_slabs);
	for (int i = 0; i < FIGURE_COUNT; i++) {
		const struct figure *f = figure_at((enum figure_id)i);

		assert_int_equal(figure_count(f, &again), figure_count(f, &sample));
		for (uint32_t j = 0; j < figure_count(f, &sample); j++) {
			assert_true(figure_value(f, &again, j) == figure_value(f, &sample, j));
			assert_string_equal(figure_label(f, &again, j),
			                    figure_label(f, &sample, j));
		}
	}
	assert_true(again.run.failed == figure_sum(figure_at(FIGURE_RUN_FAILED), &sample));
}

static void keys(void **state)
{
	(void)state;
	figure_clear(&sample);
	sample.at_ns = 5;
	sample.unix_ns = 6;
	write_line();
	assert_string_equal(line, "{\"schema\":\"megaconn.sample/1\",\"at_ns\":5,\"unix_ns\":6}");
	sample.has_run = true;
	sample.run = (struct live){.phase = LIVE_RAMP, .connected = 9};
	sample.run.failed_by_cause[CAUSE_REFUSED] = 3;
	sample.socket_memory_bytes = 4096;
	sample.tcp.curr_estab = 0;
	sample.cpus.count = 1;
	sample.cpus.cpus[0] = (struct probe_cpu){"11", 1, 2, PROBE_UNKNOWN};
	write_line();
	assert_non_null(strstr(line, "\"unix_ns\":6,\"phase\":\"ramp\","));
	assert_non_null(strstr(line, ",\"run_connected\":9,"));
	assert_non_null(strstr(line, ",\"run_failed\":{\"refused\":3},"));
	assert_non_null(strstr(line, ",\"run_lost\":{},"));
	assert_non_null(strstr(line, ",\"tcp_memory_bytes\":4096,"));
	assert_non_null(strstr(line, ",\"tcp_established\":0,"));
	assert_non_null(strstr(line, ",\"cpu_busy_ns\":{\"11\":1},"));
	assert_non_null(strstr(line, ",\"cpu_idle_ns\":{}"));
	assert_null(strstr(line, "slab"));
	assert_null(strstr(line, "\"connect\""));
	read_back();
}

static void small_caches(void **state)
{
	(void)state;
	figure_clear(&sample);
	sample.has_slabs = true;
	sample.slabs.count = 3;
	sample.slabs.slabs[0] = (struct probe_slab){"TCP", 1000, 2368, 4 * MIB};
	sample.slabs.slabs[1] = (struct probe_slab){"small", 10, 64, SERIES_CACHE_LEAST_BYTES - 1};
	sample.slabs.slabs[2] = (struct probe_slab){"filp", 2000, 256, SERIES_CACHE_LEAST_BYTES};
	read_back();
	assert_null(strstr(line, "small"));
	assert_non_null(strstr(line, "\"slab_bytes\":{\"TCP\":4194304,\"filp\":262144}"));
	assert_non_null(strstr(line, "\"slab_objects\":{\"TCP\":1000,\"filp\":2000}"));
	sample.slabs.slabs[0] = sample.slabs.slabs[1];
	sample.slabs.count = 1;
	read_back();
	assert_non_null(strstr(line, "\"slab_bytes\":{}"));
	assert_true(again.has_slabs && again.slabs.count == 0);
}

/* The line's quantiles are the histogram's, and what is read from it has the same. */
static void connect_times(void **state)
{
	static const uint64_t counts[] = {1, 2, 9, 10, 99, 1000, 123457};
	static const double qs[] = {0.5, 0.9, 0.99, 0.999, 1};

	(void)state;
	for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
		figure_clear(&sample);
		sample.has_run = true;
		for (uint64_t i = 0; i < counts[c]; i++)
			hist_record(&sample.connect, (i * i * 7919) % 50000000);
		read_back();
		assert_true(again.connect.count == counts[c]);
		assert_true(again.connect.max_ns == sample.connect.max_ns);
		for (size_t i = 0; i < sizeof(qs) / sizeof(qs[0]); i++)
			assert_true(hist_quantile(&again.connect, qs[i]) ==
			            hist_quantile(&sample.connect, qs[i]));
	}
	figure_clear(&sample);
	sample.has_run = true;
	hist_record(&sample.connect, 5);
	hist_record(&sample.connect, HIST_MAX_NS * 3); /* beyond the last bucket's bound */
	read_back();
	assert_true(again.connect.max_ns == HIST_MAX_NS * 3);
}

/* Of answers only quantiles are told, those since the sample before. */
static void latency(void **state)
{
	(void)state;
	figure_clear(&sample);
	sample.has_run = true;
	read_back();
	assert_null(strstr(line, "\"latency\""));
	assert_null(strstr(line, "\"run_answers\""));
	sample.latency = (struct quantiles){7, 1, 2, 3, 4, 5, 6};
	memset(sample.run.answers, 0, sizeof(sample.run.answers));
	sample.run.answers[ANSWER_GOOD] = 6;
	sample.run.answers[ANSWER_MISSING] = 1;
	write_line();
	assert_non_null(strstr(line, ",\"run_answers\":{\"good\":6,\"missing\":1}"));
	assert_non_null(strstr(line, ",\"latency\":{\"count\":7,\"p50\":1,\"p90\":2,\"p99\":3,"
	                             "\"p999\":4,\"p9999\":5,\"max\":6}"));
	read_back();
	assert_memory_equal(&again.latency, &sample.latency, sizeof(sample.latency));
}

/* The longest line that there can be, and one byte too little for it. */
static void room(void **state)
{
	(void)state;
	fill();
	for (int i = 0; i < FIGURE_COUNT; i++) {
		const struct figure *f = figure_at((enum figure_id)i);
		unsigned int most = f->family == FIGURE_ONE        ? 1
		                    : f->family == FIGURE_BY_CACHE ? PROBE_SLABS_MAX
		                    : f->family == FIGURE_BY_CPU   ? PROBE_CPUS_MAX
		                                                   : CAUSE_COUNT;

		for (unsigned int j = 0; j < most; j++) {
			char label[32];

			snprintf(label, sizeof(label), "a-name-of-thirty-one-bytes-%04u", j);
			(void)figure_put(f, &sample,
			                 f->family == FIGURE_BY_CACHE ? label : label_of(f, j),
			                 INT64_MAX);
		}
	}
	hist_add(&sample.connect, INT64_MAX, INT64_MAX);
	for (int i = 0; i < QUANTILES_EACH; i++)
		quantiles_set(&sample.latency, i, INT64_MAX);
	sample.latency.count = INT64_MAX;
	size_t len = write_line();

	assert_true(len > 60000);
	read_back();
	char *less = malloc(len);

	assert_non_null(less);
	assert_int_equal(series_write(&sample, less, len), 0);
	free(less);
	assert_int_equal(series_read(line, SERIES_LINE_MOST, &again), -EINVAL);
}

#define HEAD "{\"schema\":\"megaconn.sample/1\",\"at_ns\":1,\"unix_ns\":2"

static int read_text(const char *text)
{
	return series_read(text, strlen(text), &again);
}

static void no_lines(void **state)
{
	static const char *const bad[] = {
		"",
		"{",
		"[]",
		"{}",
		"7",
		"\"megaconn.sample/1\"",
		"{\"schema\":1,\"at_ns\":1,\"unix_ns\":2}",
		"{\"schema\":\"megaconn.result/1\",\"at_ns\":1,\"unix_ns\":2}",
		"{\"schema\":\"megaconn.sample/1\",\"unix_ns\":2}",
		"{\"schema\":\"megaconn.sample/1\",\"at_ns\":1}",
		"{\"schema\":\"megaconn.sample/1\",\"at_ns\":-1,\"unix_ns\":2}",
		"{\"schema\":\"megaconn.sample/1\",\"at_ns\":1.5,\"unix_ns\":2}",
		HEAD,
		HEAD "} trailing",
		HEAD ",\"at_ns\":1}",
		HEAD ",\"phase\":\"lunch\"}",
		HEAD ",\"phase\":3}",
		HEAD ",\"tcp_established\":-1}",
		HEAD ",\"tcp_established\":\"5\"}",
		HEAD ",\"tcp_established\":{}}",
		HEAD ",\"tcp_established\":9223372036854775808}",
		HEAD ",\"run_failed\":3}",
		HEAD ",\"run_failed\":{\"refused\":-3}}",
		HEAD ",\"slab_bytes\":[]}",
		HEAD ",\"slab_bytes\":{\"TCP\":null}}",
		HEAD ",\"connect\":{}}",
		HEAD ",\"latency\":{}}",
		HEAD
		",\"latency\":{\"count\":1,\"p50\":1,\"p90\":1,\"p99\":1,\"p999\":1,\"max\":1}}",
		HEAD ",\"latency\":{\"count\":0,\"p50\":1,\"p90\":1,\"p99\":1,\"p999\":1,"
		     "\"p9999\":1,\"max\":1}}",
		HEAD ",\"latency\":{\"count\":9,\"p50\":5,\"p90\":4,\"p99\":6,\"p999\":6,"
		     "\"p9999\":6,\"max\":6}}",
		HEAD ",\"connect\":{\"count\":1,\"p50\":1,\"p90\":1,\"p99\":1,\"p999\":1}}",
		HEAD ",\"connect\":{\"count\":0,\"p50\":1,\"p90\":1,\"p99\":1,\"p999\":1,"
		     "\"max\":1}}",
		HEAD ",\"connect\":{\"count\":9,\"p50\":5,\"p90\":4,\"p99\":6,\"p999\":6,"
		     "\"max\":6}}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (read_text(bad[i]) != -EINVAL)
			fail_msg("was read: %s", bad[i]);
	}
	assert_int_equal(read_text("{\"schema\":\"megaconn.sample/2\",\"at_ns\":1,\"unix_ns\":2}"),
	                 -ENOTSUP);
}

/* What a later megaconn may add to the same schema. */
static void later_lines(void **state)
{
	(void)state;
	assert_int_equal(read_text(HEAD ",\"tcp_marvels\":7,\"run_failed\":{\"boredom\":2},"
	                                "\"tcp_resets\":4,\"moods\":{\"a\":[1]}}\n"),
	                 0);
	assert_true(again.tcp.estab_resets == 4);
	assert_true(again.tcp.out_rsts == PROBE_UNKNOWN);
	assert_int_equal(again.run.failed, 0);
	assert_int_equal(again.connect.count, 0);
}

/* Half a line, wherever a killed process left it, is none. */
static void half_lines(void **state)
{
	(void)state;
	fill();
	hist_record(&sample.connect, 12345);
	size_t len = write_line();

	for (size_t i = 0; i < len; i++)
		assert_int_equal(series_read(line, i, &again), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_figures),  cmocka_unit_test(keys),
		cmocka_unit_test(small_caches), cmocka_unit_test(connect_times),
		cmocka_unit_test(latency),      cmocka_unit_test(room),
		cmocka_unit_test(no_lines),     cmocka_unit_test(later_lines),
		cmocka_unit_test(half_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
