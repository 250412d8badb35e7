/* pool: ranges of addresses, read from a list and counted through. */
#include "plan/pool.h"

#include "base/text.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define HOST_BITS_MAX 24

_Static_assert(POOL_ADDRESSES_MAX == UINT32_C(1) << HOST_BITS_MAX, "the largest prefix is all");

/* One item of the user's list, and where to complain about it. */
struct item {
	const char *at;
	size_t len;
	struct err *err;
};

/* -------------------------------------------------------------------------- numbers */

void pool_set(struct pool *pool, const struct ip *first, uint32_t count)
{
	memset(pool, 0, sizeof(*pool));
	if (count == 0)
		return;
	pool->count = count;
	pool->range_count = 1;
	pool->ranges[0] = (struct pool_range){.first = *first, .count = count};
}

void pool_slice(struct pool *pool, uint32_t first, uint32_t count)
{
	struct pool from = *pool;

	memset(pool, 0, sizeof(*pool));
	for (uint32_t i = 0; i < from.range_count && count > 0; i++) {
		const struct pool_range *range = &from.ranges[i];

		if (range->before + range->count <= first)
			continue;
		uint32_t skipped = first - range->before, left = range->count - skipped;
		uint32_t taken = left < count ? left : count;

		pool->ranges[pool->range_count++] =
			(struct pool_range){.first = ip_add(&range->first, skipped),
		                            .count = taken,
		                            .before = pool->count};
		pool->count += taken;
		first += taken;
		count -= taken;
	}
}

struct ip pool_at(const struct pool *pool, uint32_t number)
{
	uint32_t low = 0, high = pool->range_count;

	/* The last range that does not begin behind it. */
	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;

		if (pool->ranges[middle].before <= number)
			low = middle;
		else
			high = middle;
	}
	return ip_add(&pool->ranges[low].first, number - pool->ranges[low].before);
}

int64_t pool_index(const struct pool *pool, const struct ip *ip)
{
	for (uint32_t i = 0; i < pool->range_count; i++) {
		const struct pool_range *range = &pool->ranges[i];
		int64_t distance = ip_distance(&range->first, ip);

		if (distance >= 0 && distance < range->count)
			return range->before + distance;
	}
	return -1;
}

/* -------------------------------------------------------------------------- the list */

static int refuse(const struct item *item, const char *why)
{
	return err_set(item->err, -EINVAL, "%s: %s", text_quote(item->at, item->len).text, why);
}

static int not_an_address(const struct item *item)
{
	return refuse(item, "not an address (try 198.18.0.1, 198.18.0.1-198.18.0.20 or "
	                    "198.18.0.0/24)");
}

static int too_many_addresses(const struct item *item)
{
	return err_set(item->err, -EINVAL, "%s: too many addresses, at most %u (2^%d) together",
	               text_quote(item->at, item->len).text, POOL_ADDRESSES_MAX, HOST_BITS_MAX);
}

static int parse_address(const char *at, size_t len, struct ip *out)
{
	char text[IP_TEXT_BYTES];

	if (len >= sizeof(text))
		return -EINVAL;
	memcpy(text, at, len);
	text[len] = '\0';
	return ip_parse(text, out);
}

/* A number of 0..most (< 1000) without leading zeros; -1 where it is none. */
static int parse_small(const char *at, size_t len, int most)
{
	int value = 0;

	if (len == 0 || len > 3 || (len > 1 && at[0] == '0'))
		return -1;
	for (size_t i = 0; i < len; i++) {
		if (at[i] < '0' || at[i] > '9')
			return -1;
		value = value * 10 + (at[i] - '0');
	}
	return value <= most ? value : -1;
}

/* "198.18.0.20", or "20" after an IPv4 address. */
static int parse_last(const struct ip *first, const char *at, size_t len, struct ip *out)
{
	int octet = first->family == AF_INET ? parse_small(at, len, 255) : -1;

	if (octet < 0)
		return parse_address(at, len, out);
	*out = *first;
	out->bytes[3] = (uint8_t)octet;
	return 0;
}

static int parse_range(const struct item *item, size_t dash, struct pool_range *out)
{
	struct ip first, last;
	int64_t distance;

	if (parse_address(item->at, dash, &first) != 0 ||
	    parse_last(&first, item->at + dash + 1, item->len - dash - 1, &last) != 0)
		return not_an_address(item);
	if (first.family != last.family)
		return refuse(item, "one end is an IPv4 address, the other an IPv6 one");
	if (memcmp(first.bytes, last.bytes, sizeof(first.bytes)) > 0)
		return refuse(item, "reversed: the lower address stands first");
	distance = ip_distance(&first, &last);
	if (distance < 0)
		return refuse(item, "leaves its /64: write a range for each");
	if (distance >= POOL_ADDRESSES_MAX)
		return too_many_addresses(item);
	*out = (struct pool_range){.first = first, .count = (uint32_t)distance + 1};
	return 0;
}

/* The address with all but its first `length` bits 0. */
static struct ip without_host_bits(const struct ip *ip, int length)
{
	struct ip base = *ip;

	for (int i = 0; i < (int)sizeof(base.bytes); i++) {
		int kept = length - 8 * i;

		if (kept <= 0)
			base.bytes[i] = 0;
		else if (kept < 8)
			base.bytes[i] &= (uint8_t)(0xff << (8 - kept));
	}
	return base;
}

static int host_bits_are_set(const struct item *item, const struct ip *base, int length)
{
	char text[IP_TEXT_BYTES];

	return err_set(item->err, -EINVAL, "%s: has bits set behind the prefix (try %s/%d)",
	               text_quote(item->at, item->len).text, ip_format(base, text), length);
}

static int parse_prefix(const struct item *item, size_t slash, struct pool_range *out)
{
	struct ip ip, base;
	bool is_ipv4;
	int bits, length;

	if (parse_address(item->at, slash, &ip) != 0)
		return not_an_address(item);
	is_ipv4 = ip.family == AF_INET;
	bits = is_ipv4 ? 32 : 128;
	length = parse_small(item->at + slash + 1, item->len - slash - 1, bits);
	if (length < 0)
		return refuse(item, is_ipv4 ? "the length of an IPv4 prefix is 0 to 32"
		                            : "the length of an IPv6 prefix is 0 to 128");
	base = without_host_bits(&ip, length);
	if (!ip_equal(&ip, &base))
		return host_bits_are_set(item, &base, length);
	if (bits - length > HOST_BITS_MAX)
		return too_many_addresses(item);
	*out = (struct pool_range){.first = base, .count = UINT32_C(1) << (bits - length)};
	if (bits - length > 1) {
		out->first = ip_add(&base, 1);
		out->count -= is_ipv4 ? 2 : 1;
	}
	return 0;
}

static int parse_item(const struct item *item, struct pool_range *out)
{
	const char *slash = memchr(item->at, '/', item->len);
	const char *dash = memchr(item->at, '-', item->len);

	if (slash)
		return parse_prefix(item, (size_t)(slash - item->at), out);
	if (dash)
		return parse_range(item, (size_t)(dash - item->at), out);
	*out = (struct pool_range){.count = 1};
	return parse_address(item->at, item->len, &out->first) == 0 ? 0 : not_an_address(item);
}

static bool overlap(const struct pool_range *a, const struct pool_range *b)
{
	int64_t b_after_a = ip_distance(&a->first, &b->first);
	int64_t a_after_b = ip_distance(&b->first, &a->first);

	return (b_after_a >= 0 && b_after_a < a->count) || (a_after_b >= 0 && a_after_b < b->count);
}

static int refuse_overlap(const struct item *item, const struct pool_range *other)
{
	struct ip last = ip_add(&other->first, other->count - 1);
	char from[IP_TEXT_BYTES], to[IP_TEXT_BYTES];

	ip_format(&other->first, from);
	if (other->count == 1)
		return err_set(item->err, -EINVAL, "%s: overlaps %s, which is given before it",
		               text_quote(item->at, item->len).text, from);
	return err_set(item->err, -EINVAL, "%s: overlaps %s-%s, which are given before it",
	               text_quote(item->at, item->len).text, from, ip_format(&last, to));
}

static int add_range(const struct item *item, const struct pool_range *range, struct pool *pool)
{
	if (pool->range_count > 0 && range->first.family != pool->ranges[0].first.family)
		return refuse(item, range->first.family == AF_INET
		                            ? "IPv4 among IPv6 addresses: give one family"
		                            : "IPv6 among IPv4 addresses: give one family");
	for (uint32_t i = 0; i < pool->range_count; i++) {
		if (overlap(&pool->ranges[i], range))
			return refuse_overlap(item, &pool->ranges[i]);
	}
	if (pool->range_count == POOL_RANGES_MAX)
		return err_set(item->err, -EINVAL,
		               "%s: more than %d items in a list (join neighbours: 198.18.0.1-20)",
		               text_quote(item->at, item->len).text, POOL_RANGES_MAX);
	if (range->count > POOL_ADDRESSES_MAX - pool->count)
		return too_many_addresses(item);
	pool->ranges[pool->range_count] = *range;
	pool->ranges[pool->range_count++].before = pool->count;
	pool->count += range->count;
	return 0;
}

static int no_address(const char *text, struct err *err)
{
	return err_set(err, -EINVAL, "%s%san address is missing (try 198.18.0.1)",
	               text_quote(text, strlen(text)).text, text[0] != '\0' ? ": " : "");
}

int pool_parse(const char *text, struct pool *out, struct err *err)
{
	struct item item = {.at = text, .err = err};
	struct pool_range range = {.count = 0};
	struct pool pool;
	int failed;

	memset(&pool, 0, sizeof(pool));
	for (;;) {
		item.len = strcspn(item.at, ",");
		if (item.len == 0)
			return no_address(text, err);
		failed = parse_item(&item, &range);
		if (failed == 0)
			failed = add_range(&item, &range, &pool);
		if (failed != 0)
			return failed;
		if (item.at[item.len] == '\0')
			break;
		item.at += item.len + 1;
	}
	*out = pool;
	return 0;
}
