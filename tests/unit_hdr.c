/* unit_hdr: lines of an HdrHistogram log, taken apart by a decoder written from the format's
 * description; tests/lab_record asks the reader of others. */
#include "out/hdr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static struct hist none, hist, earlier;
static char line[HDR_LINE_MOST];
static uint64_t counts[HIST_BUCKETS]; /* decoded */
static uint8_t deflated[HDR_LINE_MOST], payload[HDR_LINE_MOST];

/* --- the decoder ---------------------------------------------------------------------------- */

static uint32_t base64_digit(char c)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = strchr(digits, c);

	assert_true(c != '\0' && at);
	return (uint32_t)(at - digits);
}

static size_t decode_base64(const char *text, size_t len, uint8_t *bytes)
{
	size_t count = 0;

	assert_int_equal(len % 4, 0);
	for (size_t i = 0; i < len; i += 4) {
		uint32_t bits = 0;

		for (size_t j = 0; j < 4; j++)
			bits = bits << 6 | (text[i + j] == '=' ? 0 : base64_digit(text[i + j]));
		bytes[count++] = (uint8_t)(bits >> 16);
		if (text[i + 2] != '=')
			bytes[count++] = (uint8_t)(bits >> 8);
		if (text[i + 3] != '=')
			bytes[count++] = (uint8_t)bits;
	}
	return count;
}

static uint32_t get32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return be32toh(value);
}

static uint64_t get64(const uint8_t *at)
{
	return (uint64_t)get32(at) << 32 | get32(at + 4);
}

static int64_t get_leb128(const uint8_t **at)
{
	uint64_t bits = 0;

	for (unsigned int i = 0; i < 9; i++) {
		uint64_t byte = *(*at)++;

		if (i == 8) {
			bits |= byte << 56;
			break;
		}
		bits |= (byte & 0x7f) << (7 * i);
		if (!(byte & 0x80))
			break;
	}
	return (int64_t)(bits >> 1) ^ -(int64_t)(bits & 1);
}

static void decode_counts(const uint8_t *at, size_t len)
{
	const uint8_t *end = at + len;
	size_t bucket = 0;

	memset(counts, 0, sizeof(counts));
	while (at < end) {
		int64_t count = get_leb128(&at);

		if (count < 0) {
			bucket += (size_t)-count;
			continue;
		}
		assert_true(bucket < HIST_BUCKETS);
		counts[bucket++] = (uint64_t)count;
	}
	assert_ptr_equal(at, end);
}

static void decode(const char *base64, size_t len)
{
	size_t size = decode_base64(base64, len, deflated);
	uLongf payload_len = sizeof(payload);

	assert_int_equal(get32(deflated), 0x1c849314);
	assert_int_equal(get32(deflated + 4), size - 8);
	assert_int_equal(uncompress(payload, &payload_len, deflated + 8, size - 8), Z_OK);
	assert_int_equal(get32(payload), 0x1c849313);
	assert_int_equal(get32(payload + 4), payload_len - 40);
	assert_int_equal(get32(payload + 8), 0);
	assert_int_equal(get32(payload + 12), 2);
	assert_true(get64(payload + 16) == 1);
	assert_true(get64(payload + 24) == HIST_MAX_NS);
	assert_true(get64(payload + 32) == UINT64_C(0x3ff0000000000000));
	decode_counts(payload + 40, payload_len - 40);
}

/* A value's index by the formulas of HdrHistogram, for 256 sub-buckets. */
static size_t their_index(uint64_t value)
{
	unsigned int bucket = 56 - (unsigned int)__builtin_clzll(value | 255);

	return ((size_t)(bucket + 1) << 7) + (size_t)(value >> bucket) - 128;
}

/* --- tests ---------------------------------------------------------------------------------- */

static void write_and_decode(const struct hist *before)
{
	size_t len = hdr_line("connect", 1500000000, 2500000000, before, &hist, line, sizeof(line));

	assert_true(len > 0 && len == strlen(line));
	assert_int_equal(line[len - 1], '\n');
	assert_ptr_equal(line, strstr(line, "Tag=connect,1.500,1.000,"));
	const char *base64 = strrchr(line, ',') + 1;

	decode(base64, len - 1 - (size_t)(base64 - line));
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(edges),        cmocka_unit_test(random_values),
		cmocka_unit_test(large_counts), cmocka_unit_test(intervals),
		cmocka_unit_test(interval_max), cmocka_unit_test(header),
		cmocka_unit_test(room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
