/* unit_hdr: lines of an HdrHistogram log, taken apart by a decoder of our own; tests/lab_record
 * asks the reader of others. */
#include "hlog.h"
#include "out/hdr_read.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static struct hist none, hist, earlier;
static char line[HDR_LINE_MOST];
static uint64_t counts[HIST_BUCKETS]; /* decoded */

/* A value's index by the formulas of HdrHistogram, for 256 sub-buckets. */
static size_t their_index(uint64_t value)
{
	unsigned int bucket = 56 - (unsigned int)__builtin_clzll(value | 255);

	return ((size_t)(bucket + 1) << 7) + (size_t)(value >> bucket) - 128;
}

static void write_and_decode(const struct hist *before)
{
	size_t len = hdr_line("connect", 1500000000, 2500000000, before, &hist, line, sizeof(line));

	assert_true(len > 0 && len == strlen(line));
	assert_int_equal(line[len - 1], '\n');
	assert_ptr_equal(line, strstr(line, "Tag=connect,1.500,1.000,"));
	const char *base64 = strrchr(line, ',') + 1;

	hlog_decode(base64, len - 1 - (size_t)(base64 - line), counts);
}

static void record(const uint64_t *values, size_t count)
{
	memset(&hist, 0, sizeof(hist));
	for (size_t i = 0; i < count; i++)
		hist_record(&hist, values[i]);
	write_and_decode(&none);
	for (size_t i = 0; i < count; i++) {
		assert_true(counts[their_index(values[i])] > 0);
		counts[their_index(values[i])]--;
	}
	for (size_t i = 0; i < HIST_BUCKETS; i++)
		assert_true(counts[i] == 0);
}

/* Each value lies where HdrHistogram looks for it. */
static void edges(void **state)
{
	static uint64_t values[4 * HIST_MAX_BITS];
	size_t count = 0;

	(void)state;
	for (unsigned int bit = 0; bit < HIST_MAX_BITS; bit++) {
		uint64_t power = UINT64_C(1) << bit;

		record(&power, 1);
		values[count++] = power - 1;
		values[count++] = power;
		values[count++] = power + power / 2;
		values[count++] = 2 * power - 1;
	}
	record(values, count);
}

static void random_values(void **state)
{
	static uint64_t values[5000];

	(void)state;
	srandom(6);
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		values[i] = ((uint64_t)random() << 20 | (uint64_t)random() % 1048576) >>
		            (11 + random() % 40);
	record(values, sizeof(values) / sizeof(values[0]));
}

/* Counts of all lengths, and one whose varint has its ninth byte. */
static void large_counts(void **state)
{
	(void)state;
	for (unsigned int bits = 1; bits < 63; bits++) {
		memset(&hist, 0, sizeof(hist));
		hist_add(&hist, 3, (UINT64_C(1) << bits) - 1);
		hist_add(&hist, 5, UINT64_C(1) << bits);
		write_and_decode(&none);
		assert_true(counts[3] == (UINT64_C(1) << bits) - 1);
		assert_true(counts[5] == UINT64_C(1) << bits);
	}
	memset(&hist, 0, sizeof(hist));
	for (size_t i = 0; i < HIST_BUCKETS; i++)
		hist_add(&hist, hist_bound(i), (UINT64_C(1) << 60) + i * i * 7919);
	write_and_decode(&none);
	assert_memory_equal(counts, hist.buckets, sizeof(counts));
}

/* Intervals add up to the total. */
static void intervals(void **state)
{
	static uint64_t sums[HIST_BUCKETS];

	(void)state;
	memset(&hist, 0, sizeof(hist));
	for (unsigned int second = 0; second < 10; second++) {
		earlier = hist;
		for (unsigned int i = 0; i < 100 * second + 1; i++)
			hist_record(&hist, 1000 * second + 37 * i);
		write_and_decode(&earlier);
		for (size_t i = 0; i < HIST_BUCKETS; i++)
			sums[i] += counts[i];
	}
	assert_memory_equal(sums, hist.buckets, sizeof(sums));
	assert_int_equal(hdr_line("connect", 0, 1, &hist, &hist, line, sizeof(line)), 0);
}

/* In ms; of an interval the bound of its last bucket, and never above the maximum of all. */
static void interval_max(void **state)
{
	(void)state;
	memset(&hist, 0, sizeof(hist));
	hist_record(&hist, 1234567890);
	write_and_decode(&none);
	assert_non_null(strstr(line, ",1.000,1234.568,"));
	earlier = hist;
	hist_record(&hist, 1000000);
	write_and_decode(&earlier);
	assert_non_null(strstr(line, ",1.000,1.004,"));
	hist_record(&hist, 4 * HIST_MAX_NS);
	write_and_decode(&earlier);
	assert_non_null(strstr(line, ",1.000,4398046.511,"));
	assert_int_equal(counts[HIST_BUCKETS - 1], 1);
}

static void header(void **state)
{
	(void)state;
	size_t len = hdr_header(1790000000123999999, line, sizeof(line));

	assert_int_equal(len, strlen(line));
	assert_string_equal(line, "#[Histogram log format version 1.3]\n"
	                          "#[StartTime: 1790000000.123 (seconds since epoch)]\n"
	                          "#[BaseTime: 1790000000.123 (seconds since epoch)]\n"
	                          "#[Values are in ns, Interval_Max is in ms]\n"
	                          "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\","
	                          "\"Interval_Compressed_Histogram\"\n");
	assert_int_equal(hdr_header(1, line, 100), 0);
}

/* As long as a line can be, or nearly: counts that do not deflate. And one byte too little. */
static void room(void **state)
{
	(void)state;
	srandom(7);
	memset(&hist, 0, sizeof(hist));
	for (size_t i = 0; i < HIST_BUCKETS; i++)
		hist_add(&hist, hist_bound(i), (uint64_t)random() << 31 | (uint64_t)random());
	size_t len = hdr_line("connect", 0, 1, &none, &hist, line, sizeof(line));

	assert_true(len > 45000);
	char *less = malloc(len);

	assert_non_null(less);
	assert_int_equal(hdr_line("connect", 0, 1, &none, &hist, less, len), 0);
	free(less);
}

/* --- reading back --------------------------------------------------------------------------- */

static struct hist back;

static int read_line(const char *text, size_t len, struct hdr_read *out)
{
	return hdr_read_line(text, len, out, &back);
}

/* What one line has is what the next reads; and lines add up. */
static void lines_come_back(void **state)
{
	struct hdr_read read;

	(void)state;
	srandom(7);
	memset(&back, 0, sizeof(back));
	memset(&hist, 0, sizeof(hist));
	for (int i = 0; i < 50; i++) {
		earlier = hist;
		for (int j = 0; j < 1 + random() % 2000; j++)
			hist_record(&hist, (uint64_t)random() >> random() % 31);
		size_t len = hdr_line("corrected", 1500000000, 2750000000, &earlier, &hist, line,
		                      sizeof(line));

		assert_int_equal(read_line(line, len, &read), 0);
		assert_int_equal(read.kind, HDR_COUNTS);
		assert_string_equal(read.tag, "corrected");
		assert_int_equal(read.from_ns, 1500000000);
		assert_int_equal(read.to_ns, 2750000000);
		assert_int_equal(back.count, hist.count);
		assert_memory_equal(back.buckets, hist.buckets, sizeof(hist.buckets));
	}
	assert_true(back.max_ns >= hist.max_ns);
	assert_true(back.max_ns <= hist.max_ns + hist.max_ns / 64 + 1);
}

static void headers_and_stages_come_back(void **state)
{
	struct hdr_read read;
	size_t len = hdr_header(UINT64_C(1795435200250999999), line, sizeof(line));
	const char *base = strstr(line, "#[BaseTime");

	(void)state;
	assert_true(len > 0 && base);
	assert_int_equal(read_line(line, strcspn(line, "\n"), &read), 0);
	assert_int_equal(read.kind, HDR_OTHER);
	assert_int_equal(read_line(base, strcspn(base, "\n") + 1, &read), 0);
	assert_int_equal(read.kind, HDR_BASE);
	assert_int_equal(read.base_unix_ns, UINT64_C(1795435200250000000));
	len = hdr_stage(17, line, sizeof(line));
	assert_int_equal(read_line(line, len, &read), 0);
	assert_int_equal(read.kind, HDR_STAGE);
	assert_int_equal(read.stage, 17);
	assert_int_equal(hdr_stage(17, line, 4), 0);
	assert_int_equal(read_line("\"StartTimestamp\",\"Interval_Length\"", 35, &read), 0);
	assert_int_equal(read_line("\n", 1, &read), 0);
}

/* Cut anywhere, or with another byte anywhere: it is damaged, or nothing is lost by it; and what is
 * damaged adds nothing. */
static void damage_adds_nothing(void **state)
{
	static char copy[HDR_LINE_MOST];
	static struct hist before;
	struct hdr_read read;

	(void)state;
	memset(&hist, 0, sizeof(hist));
	for (uint64_t i = 0; i < 300; i++)
		hist_record(&hist, i * i * 977);
	size_t len = hdr_line("connect", 0, 1000000000, &none, &hist, line, sizeof(line));

	for (size_t i = 0; i < len; i++) {
		memset(&back, 0, sizeof(back));
		if (i < len - 1 && read_line(line, i, &read) == 0)
			assert_true(i == 0);
		memcpy(copy, line, len);
		copy[i] = (char)(copy[i] ^ (1 << (i % 7)));
		before = back;
		if (read_line(copy, len, &read) != 0)
			assert_memory_equal(&back, &before, sizeof(back));
	}
}

/* Each can be told, all of them together cannot. */
static void a_sum_that_overflows_is_refused(void **state)
{
	struct hdr_read read;

	(void)state;
	memset(&back, 0, sizeof(back));
	memset(&hist, 0, sizeof(hist));
	for (size_t i = 0; i < 4; i++)
		hist_add(&hist, hist_bound(i), (UINT64_C(1) << 62) - (i == 3));
	size_t len = hdr_line("connect", 0, 1000000000, &none, &hist, line, sizeof(line));

	assert_int_equal(read_line(line, len, &read), 0);
	assert_true(back.count == UINT64_MAX);
	memset(&back, 0, sizeof(back));
	hist_add(&hist, hist_bound(7), 1);
	hist.count = 1; /* the writer only asks whether there is any */
	len = hdr_line("connect", 0, 1000000000, &none, &hist, line, sizeof(line));
	assert_int_equal(read_line(line, len, &read), -EINVAL);
	assert_int_equal(back.count, 0);
}

static void what_is_no_line_of_ours_is_refused(void **state)
{
	static const char *const bad[] = {
		"x",
		"Tag=",
		"Tag=connect",
		"Tag=connect,",
		"Tag=connect,1.500,1.000,1.000,",
		"Tag=connect,1.500,1.000,1.000,====",
		"Tag=connect,1.500,1.000,1.000,AAAA",
		"Tag=connect,1.500,1.000,1.000,AAA",
		"Tag=connect,1.5,1.000,1.000,AAAA",
		"Tag=connect,-1.500,1.000,1.000,AAAA",
		"Tag=averyveryverylongtagindeed,1.500,1.000,1.000,AAAA",
		"#[Stage: x]",
		"#[Stage: 4294967296]",
		"#[Stage: 3",
		"#[BaseTime: now",
		"#[BaseTime: 99999999999999999999.000 (seconds since epoch)]",
		/* HdrHistogram's own, with 3 digits */
		"Tag=connect,0.000,1.000,1.000,HISTFAAAABx4nJNpmSzMwMDAxAABzFCaEUoz2X+AsAA4FgJG",
	};
	struct hdr_read read;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		memset(&back, 0, sizeof(back));
		assert_int_not_equal(read_line(bad[i], strlen(bad[i]), &read), 0);
		assert_int_equal(back.count, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(edges),
		cmocka_unit_test(random_values),
		cmocka_unit_test(large_counts),
		cmocka_unit_test(intervals),
		cmocka_unit_test(interval_max),
		cmocka_unit_test(header),
		cmocka_unit_test(room),
		cmocka_unit_test(lines_come_back),
		cmocka_unit_test(headers_and_stages_come_back),
		cmocka_unit_test(damage_adds_nothing),
		cmocka_unit_test(a_sum_that_overflows_is_refused),
		cmocka_unit_test(what_is_no_line_of_ours_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
