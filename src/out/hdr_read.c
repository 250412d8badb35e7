/* hdr_read: a log's lines, back as counts. What is read may be anybody's file: every length is
 * bounded before it is used, and counts are added only when the whole line has been understood. */
#include "out/hdr_read.h"

#include "base/unit.h"

#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <zlib.h>

#define COOKIE_COUNTS   0x1c849313u /* V2, and the size of a word as it is always given */
#define COOKIE_DEFLATED 0x1c849314u
#define DIGITS          2
#define RATIO_ONE       UINT64_C(0x3ff0000000000000) /* 1.0 as an IEEE double */
#define HEADER_BYTES    40
#define LEB128_MOST     9
#define PAYLOAD_MOST    (HEADER_BYTES + HIST_BUCKETS * LEB128_MOST)
#define NS_PER_MS       UINT64_C(1000000)
#define SECONDS_MOST    UINT64_C(9000000000) /* of ns, that 64 bits hold */

struct reader {
	const char *at, *end;
};

static bool take(struct reader *r, const char *text)
{
	size_t len = strlen(text);

	if ((size_t)(r->end - r->at) < len || memcmp(r->at, text, len) != 0)
		return false;
	r->at += len;
	return true;
}

/* "12.345": seconds with three decimals, as they are written. */
static bool take_seconds(struct reader *r, uint64_t *ns)
{
	uint64_t seconds, ms;
	const char *point;

	if (!unit_take_digits(&r->at, r->end, &seconds) || !take(r, ".") || seconds > SECONDS_MOST)
		return false;
	point = r->at;
	if (!unit_take_digits(&r->at, r->end, &ms) || r->at - point != 3)
		return false;
	*ns = (seconds * 1000 + ms) * NS_PER_MS;
	return true;
}

/* --- base64 ------------------------------------------------------------------------------- */

static int digit_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Four digits are three bytes; of the last four one or two may be padding. `bytes` has room for
 * three quarters of what is left. How many bytes; 0 where it is no base64. */
static size_t decode_base64(const struct reader *r, uint8_t *bytes)
{
	size_t len = (size_t)(r->end - r->at), count = 0, padding = 0;

	if (len == 0 || len % 4 != 0)
		return 0;
	padding = r->end[-1] != '=' ? 0 : r->end[-2] != '=' ? 1 : 2;
	for (size_t i = 0; i < len; i += 4) {
		uint32_t bits = 0;

		for (size_t j = 0; j < 4; j++) {
			bool is_padding = i + j >= len - padding;
			int digit = is_padding ? 0 : digit_of(r->at[i + j]);

			if (digit < 0)
				return 0;
			bits = bits << 6 | (uint32_t)digit;
		}
		bytes[count++] = (uint8_t)(bits >> 16);
		bytes[count++] = (uint8_t)(bits >> 8);
		bytes[count++] = (uint8_t)bits;
	}
	return count - padding;
}

/* --- counts ------------------------------------------------------------------------------- */

static uint32_t get32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return be32toh(value);
}

static uint64_t get64(const uint8_t *at)
{
	uint64_t value;

	memcpy(&value, at, sizeof(value));
	return be64toh(value);
}

/* Seven bits a byte, the lowest first; a ninth byte has eight. False where it is cut. */
static bool take_leb128(const uint8_t **at, const uint8_t *end, int64_t *out)
{
	uint64_t bits = 0;

	for (int i = 0; i < LEB128_MOST; i++) {
		if (*at == end)
			return false;
		uint8_t byte = *(*at)++;
		bool is_last = i == LEB128_MOST - 1;

		bits |= (uint64_t)(is_last ? byte : byte & 0x7f) << (7 * i);
		if (is_last || (byte & 0x80) == 0)
			break;
	}
	*out = (int64_t)(bits >> 1) ^ -(int64_t)(bits & 1);
	return true;
}

/* Adds them to `into`; with NULL only looks whether all is well, and their sum can be told. */
static bool take_counts(const uint8_t *at, const uint8_t *end, struct hist *into)
{
	uint64_t sum = 0;
	size_t bucket = 0;

	while (at < end) {
		int64_t value;

		if (!take_leb128(&at, end, &value) || value == INT64_MIN)
			return false;
		size_t step = value < 0 ? (size_t)-value : 1;

		if (step > HIST_BUCKETS - bucket)
			return false;
		if (value > 0 && __builtin_add_overflow(sum, (uint64_t)value, &sum))
			return false;
		if (value > 0 && into) {
			into->buckets[bucket] += (uint64_t)value;
			into->count += (uint64_t)value;
			if (hist_bound(bucket) > into->max_ns)
				into->max_ns = hist_bound(bucket);
		}
		bucket += step;
	}
	return true;
}

static int read_payload(const uint8_t *payload, size_t len, struct hist *into)
{
	if (len < HEADER_BYTES || get32(payload) != COOKIE_COUNTS ||
	    get32(payload + 4) != len - HEADER_BYTES || get32(payload + 8) != 0 ||
	    get32(payload + 12) != DIGITS || get64(payload + 16) != 1 ||
	    get64(payload + 24) != HIST_MAX_NS || get64(payload + 32) != RATIO_ONE)
		return -EINVAL;
	if (!take_counts(payload + HEADER_BYTES, payload + len, NULL))
		return -EINVAL;
	(void)take_counts(payload + HEADER_BYTES, payload + len, into);
	return 0;
}

static int read_histogram(const struct reader *r, struct hist *into)
{
	static uint8_t deflated[HDR_LINE_MOST], payload[PAYLOAD_MOST];
	uLongf payload_len = sizeof(payload);
	size_t len = decode_base64(r, deflated);

	if (len < 8 || get32(deflated) != COOKIE_DEFLATED || get32(deflated + 4) != len - 8)
		return -EINVAL;
	if (uncompress(payload, &payload_len, deflated + 8, (uLong)(len - 8)) != Z_OK)
		return -EINVAL;
	return read_payload(payload, payload_len, into);
}

/* --- lines -------------------------------------------------------------------------------- */

static bool take_tag(struct reader *r, struct hdr_read *out)
{
	const char *comma = memchr(r->at, ',', (size_t)(r->end - r->at));
	size_t len = comma ? (size_t)(comma - r->at) : sizeof(out->tag);

	if (len >= sizeof(out->tag))
		return false;
	memcpy(out->tag, r->at, len);
	out->tag[len] = '\0';
	r->at = comma + 1;
	return true;
}

static int read_counts(struct reader *r, struct hdr_read *out, struct hist *into)
{
	uint64_t length_ns, max_ns;

	if (!take_tag(r, out) || !take_seconds(r, &out->from_ns) || !take(r, ",") ||
	    !take_seconds(r, &length_ns) || !take(r, ",") || !take_seconds(r, &max_ns) ||
	    !take(r, ","))
		return -EINVAL;
	out->to_ns = out->from_ns + length_ns;
	out->kind = HDR_COUNTS;
	return read_histogram(r, into);
}

static int read_comment(struct reader *r, struct hdr_read *out)
{
	uint64_t stage;

	if (take(r, "#[Stage: ")) {
		if (!unit_take_digits(&r->at, r->end, &stage) || !take(r, "]") || r->at != r->end ||
		    stage > UINT32_MAX)
			return -EINVAL;
		out->stage = (uint32_t)stage;
		out->kind = HDR_STAGE;
	} else if (take(r, "#[BaseTime: ")) {
		out->kind = HDR_BASE;
		return take_seconds(r, &out->base_unix_ns) ? 0 : -EINVAL;
	}
	return 0;
}

int hdr_read_line(const char *line, size_t len, struct hdr_read *out, struct hist *into)
{
	while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r'))
		len--;
	struct reader r = {line, line + len};

	*out = (struct hdr_read){.kind = HDR_OTHER};
	if (len >= HDR_LINE_MOST)
		return -EINVAL;
	if (len == 0 || line[0] == '"')
		return 0;
	if (line[0] == '#')
		return read_comment(&r, out);
	return take(&r, "Tag=") ? read_counts(&r, out, into) : -EINVAL;
}
