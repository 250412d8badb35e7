/* hdr: the encoding (HdrHistogram's AbstractHistogram.encodeIntoByteBuffer):
 *
 *   cookie, bytes of counts, normalizing index offset, significant digits      32 bits each
 *   lowest discernible value, highest trackable value, conversion ratio        64 bits each
 *   counts by index, ZigZag LEB128; -n stands for n buckets of 0, up to the last that is not 0
 *
 * that deflated by zlib, after a cookie and its length; all big-endian; that in base64.
 *
 * With 2 significant digits their sub-buckets are 256 and the values of bucket b, sub-bucket s
 * (128 <= s, but for b = 0) have the index (b + 1) * 128 + s - 128, which is ours: shift * 128 + s.
 * So counts are copied. */
#include "out/hdr.h"

#include "base/text.h"

#include <assert.h>
#include <endian.h>
#include <inttypes.h>
#include <string.h>
#include <zlib.h>

#define COOKIE_COUNTS   0x1c849313u /* V2, and the size of a word as it is always given */
#define COOKIE_DEFLATED 0x1c849314u
#define DIGITS          2
#define RATIO_ONE       UINT64_C(0x3ff0000000000000) /* 1.0 as an IEEE double */
#define HEADER_BYTES    40
#define LEB128_MOST     9
#define PAYLOAD_MOST    (HEADER_BYTES + HIST_BUCKETS * LEB128_MOST)
#define DEFLATED_MOST   (PAYLOAD_MOST + PAYLOAD_MOST / 1000 + 64) /* more than compressBound */
#define STAGE_BEGIN     "#[Stage: "
#define NS_PER_MS       1e6
#define NS_PER_SECOND   1e9

static_assert(HIST_SUB_BITS == 7, "indexes are those of 256 sub-buckets");
static_assert((8 + DEFLATED_MOST + 2) / 3 * 4 + 256 < HDR_LINE_MOST, "a line has room");

static void put32(uint8_t *at, uint32_t value)
{
	value = htobe32(value);
	memcpy(at, &value, sizeof(value));
}

static void put64(uint8_t *at, uint64_t value)
{
	value = htobe64(value);
	memcpy(at, &value, sizeof(value));
}

/* Seven bits a byte, the lowest first; a ninth byte has eight. Returns how many bytes. */
static size_t put_leb128(uint8_t *at, int64_t value)
{
	uint64_t bits = ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
	size_t len = 0;

	while (bits > 0x7f && len < LEB128_MOST - 1) {
		at[len++] = (uint8_t)(bits | 0x80);
		bits >>= 7;
	}
	at[len++] = (uint8_t)bits;
	return len;
}

static uint64_t count_at(const struct hist *before, const struct hist *now, size_t bucket)
{
	return now->buckets[bucket] - before->buckets[bucket];
}

/* The last bucket that is not empty; HIST_BUCKETS where all are. */
static size_t last_bucket(const struct hist *before, const struct hist *now)
{
	for (size_t i = HIST_BUCKETS; i > 0; i--) {
		if (count_at(before, now, i - 1) > 0)
			return i - 1;
	}
	return HIST_BUCKETS;
}

static size_t put_counts(uint8_t *at, const struct hist *before, const struct hist *now,
                         size_t last)
{
	size_t len = 0;
	int64_t zeros = 0;

	for (size_t i = 0; i <= last; i++) {
		uint64_t count = count_at(before, now, i);

		if (count == 0) {
			zeros++;
			continue;
		}
		if (zeros > 0)
			len += put_leb128(at + len, zeros == 1 ? 0 : -zeros);
		zeros = 0;
		len += put_leb128(at + len, (int64_t)count);
	}
	return len;
}

static size_t encode(uint8_t *payload, const struct hist *before, const struct hist *now,
                     size_t last)
{
	size_t len = put_counts(payload + HEADER_BYTES, before, now, last);

	put32(payload, COOKIE_COUNTS);
	put32(payload + 4, (uint32_t)len);
	put32(payload + 8, 0);
	put32(payload + 12, DIGITS);
	put64(payload + 16, 1);
	put64(payload + 24, HIST_MAX_NS);
	put64(payload + 32, RATIO_ONE);
	return HEADER_BYTES + len;
}

/* `len` bytes in base64, with its padding. */
static void add_base64(struct text *t, const uint8_t *bytes, size_t len)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < len; i += 3) {
		size_t left = len - i;
		uint32_t bits = (uint32_t)bytes[i] << 16 |
		                (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) |
		                (left > 2 ? bytes[i + 2] : 0);

		text_add(t, "%c%c%c%c", digits[bits >> 18], digits[bits >> 12 & 63],
		         left > 1 ? digits[bits >> 6 & 63] : '=',
		         left > 2 ? digits[bits & 63] : '=');
	}
}

size_t hdr_header(uint64_t start_unix_ns, char *lines, size_t size)
{
	uint64_t start_ms = start_unix_ns / 1000000;
	struct text t;

	text_init(&t, lines, size);
	text_add(&t, "#[Histogram log format version 1.3]\n");
	text_add(&t, "#[StartTime: %" PRIu64 ".%03" PRIu64 " (seconds since epoch)]\n",
	         start_ms / 1000, start_ms % 1000);
	text_add(&t, "#[BaseTime: %" PRIu64 ".%03" PRIu64 " (seconds since epoch)]\n",
	         start_ms / 1000, start_ms % 1000);
	text_add(&t, "#[Values are in ns, Interval_Max is in ms]\n");
	text_add(&t, "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\","
	             "\"Interval_Compressed_Histogram\"\n");
	return t.cut ? 0 : t.len;
}

size_t hdr_stage(uint32_t stage, char *line, size_t size)
{
	struct text t;

	text_init(&t, line, size);
	text_add(&t, STAGE_BEGIN "%" PRIu32 "]\n", stage);
	return t.cut ? 0 : t.len;
}

/* Of an interval only the bucket is known that its maximum is in. */
static uint64_t max_ns(const struct hist *now, size_t last)
{
	if (last == HIST_BUCKETS - 1 || hist_bound(last) > now->max_ns)
		return now->max_ns;
	return hist_bound(last);
}

size_t hdr_line(const char *tag, uint64_t from_ns, uint64_t to_ns, const struct hist *before,
                const struct hist *now, char *line, size_t size)
{
	uint8_t payload[PAYLOAD_MOST], deflated[8 + DEFLATED_MOST];
	size_t last = last_bucket(before, now), len;
	uLongf deflated_len = DEFLATED_MOST;
	struct text t;

	if (last == HIST_BUCKETS)
		return 0;
	len = encode(payload, before, now, last);
	if (compress(deflated + 8, &deflated_len, payload, len) != Z_OK)
		return 0;
	put32(deflated, COOKIE_DEFLATED);
	put32(deflated + 4, (uint32_t)deflated_len);
	text_init(&t, line, size);
	text_add(&t, "Tag=%s,%.3f,%.3f,%.3f,", tag, (double)from_ns / NS_PER_SECOND,
	         (double)(to_ns - from_ns) / NS_PER_SECOND, (double)max_ns(now, last) / NS_PER_MS);
	add_base64(&t, deflated, 8 + deflated_len);
	text_add(&t, "\n");
	return t.cut ? 0 : t.len;
}
