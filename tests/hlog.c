/* hlog: base64, zlib, headers, ZigZag LEB128. */
#include "hlog.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <endian.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#define LINE_MOST 65536

static uint8_t deflated[LINE_MOST], payload[LINE_MOST];

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

static void decode_counts(const uint8_t *at, size_t len, uint64_t counts[HIST_BUCKETS])
{
	const uint8_t *end = at + len;
	size_t bucket = 0;

	memset(counts, 0, HIST_BUCKETS * sizeof(counts[0]));
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

void hlog_decode(const char *base64, size_t len, uint64_t counts[HIST_BUCKETS])
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
	decode_counts(payload + 40, payload_len - 40, counts);
}

/* After a comma. */
static double next_number(char **at)
{
	char *end;

	assert_int_equal(**at, ',');
	double number = strtod(*at + 1, &end);

	assert_true(end > *at + 1);
	*at = end;
	return number;
}

size_t hlog_sum_tag(const char *path, const char *tag, uint64_t counts[HIST_BUCKETS],
                    size_t *others)
{
	char begin[64];
	static uint64_t one[HIST_BUCKETS];
	static char line[LINE_MOST];
	double end_s = 0, start_s, length_s;
	FILE *log = fopen(path, "re");
	size_t lines = 0;

	snprintf(begin, sizeof(begin), "Tag=%s,", tag);
	if (others)
		*others = 0;
	assert_non_null(log);
	memset(counts, 0, HIST_BUCKETS * sizeof(counts[0]));
	while (fgets(line, sizeof(line), log)) {
		if (line[0] == '#' || line[0] == '"')
			continue;
		if (strncmp(line, begin, strlen(begin)) != 0) {
			if (!others)
				fail_msg("%s: a line of another tag: %.40s", path, line);
			else
				++*others;
			continue;
		}
		char *at = line + strlen(begin) - 1;

		start_s = next_number(&at);
		length_s = next_number(&at);
		assert_true(next_number(&at) >= 0);
		assert_int_equal(*at++, ',');
		assert_true(start_s > end_s - 0.0015 && length_s >= 0);
		end_s = start_s + length_s;
		hlog_decode(at, strcspn(at, "\n"), one);
		for (size_t i = 0; i < HIST_BUCKETS; i++)
			counts[i] += one[i];
		lines++;
	}
	fclose(log);
	return lines;
}

size_t hlog_sum(const char *path, uint64_t counts[HIST_BUCKETS])
{
	return hlog_sum_tag(path, "connect", counts, NULL);
}

/* hdr-histogram-js finds each count in the bucket that the decoder above finds it in. */
static void assert_same(FILE *answer, const uint64_t counts[HIST_BUCKETS])
{
	static uint64_t theirs[HIST_BUCKETS];
	char line[256], *rest;
	uint64_t total = 0, sum = 0;
	size_t bucket = 0;

	while (fgets(line, sizeof(line), answer)) {
		if (strncmp(line, "total ", 6) == 0)
			sum = strtoull(line + 6, NULL, 10);
		if (strncmp(line, "value ", 6) != 0)
			continue;
		uint64_t value = strtoull(line + 6, &rest, 10);

		while (bucket < HIST_BUCKETS && hist_bound(bucket) < value)
			bucket++;
		assert_true(bucket < HIST_BUCKETS && hist_bound(bucket) == value);
		theirs[bucket] = strtoull(rest, NULL, 10);
	}
	for (size_t i = 0; i < HIST_BUCKETS; i++)
		total += counts[i];
	assert_true(sum > 0 && sum == total);
	assert_memory_equal(theirs, counts, sizeof(theirs));
}

void hlog_assert_others(const char *path, const uint64_t counts[HIST_BUCKETS])
{
	int ends[2], status = 1;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid_t pid = fork();

	if (pid == 0) {
		dup2(ends[1], STDOUT_FILENO);
		setenv("NODE_PATH", "build/npm/node_modules", 0);
		execlp("node", "node", "tests/npm/hlog.js", path, NULL);
		_exit(127);
	}
	close(ends[1]);
	FILE *answer = fdopen(ends[0], "r");

	assert_non_null(answer);
	assert_same(answer, counts);
	fclose(answer);
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
}

uint64_t hlog_total(const uint64_t counts[HIST_BUCKETS])
{
	uint64_t sum = 0;

	for (size_t i = 0; i < HIST_BUCKETS; i++)
		sum += counts[i];
	return sum;
}

uint64_t hlog_quantile(const uint64_t counts[HIST_BUCKETS], double q)
{
	uint64_t rank = hist_rank(q, hlog_total(counts)), passed = 0;
	size_t i = 0;

	while ((passed += counts[i]) < rank)
		i++;
	return hist_bound(i);
}
