/* fuzz_plan: a libFuzzer target for what users write about the network: pool_parse and
 * endpoint_parse. Besides memory errors it looks for broken promises: ranges that overlap, numbers
 * that do not lead back, *out written on failure, texts that do not survive being written out and
 * parsed again, errors without words or of several lines. */
#include "base/text.h"
#include "plan/endpoint.h"
#include "plan/pool.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_HOST "::"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void check_failure(int rc, const struct err *err)
{
	require(rc == -EINVAL && err->text[0] != '\0');
	for (const char *at = err->text; *at != '\0'; at++)
		require(*at >= ' ' && *at <= '~');
}

static bool is_untouched(const void *out, size_t size)
{
	const uint8_t *bytes = out;

	for (size_t i = 0; i < size; i++) {
		if (bytes[i] != 0x5a)
			return false;
	}
	return true;
}

static void check_number(const struct pool *pool, uint32_t number)
{
	struct ip ip = pool_at(pool, number);

	require(pool_index(pool, &ip) == number);
}

/* The ends of a range lead back, and no range has an end within another: so they are disjoint. */
static void check_range(const struct pool *pool, uint32_t i)
{
	const struct pool_range *range = &pool->ranges[i];
	struct ip last = ip_add(&range->first, range->count - 1);

	require(range->count > 0);
	require(range->first.family == pool->ranges[0].first.family);
	require(ip_distance(&range->first, &last) == range->count - 1);
	check_number(pool, range->before);
	check_number(pool, range->before + range->count / 2);
	check_number(pool, range->before + range->count - 1);
	for (uint32_t j = 0; j < pool->range_count; j++) {
		const struct pool_range *other = &pool->ranges[j];
		int64_t first_in = ip_distance(&other->first, &range->first);
		int64_t last_in = ip_distance(&other->first, &last);

		if (j == i)
			continue;
		require(first_in < 0 || first_in >= other->count);
		require(last_in < 0 || last_in >= other->count);
	}
}

/* The pool written as ranges is the same pool. */
static void check_pool_again(const struct pool *pool)
{
	static char buffer[POOL_RANGES_MAX * 2 * IP_TEXT_BYTES];
	static struct pool again;
	char first[IP_TEXT_BYTES], last[IP_TEXT_BYTES];
	struct text text;

	text_init(&text, buffer, sizeof(buffer));
	for (uint32_t i = 0; i < pool->range_count; i++) {
		const struct pool_range *range = &pool->ranges[i];
		struct ip end = ip_add(&range->first, range->count - 1);

		text_add(&text, "%s%s-%s", i > 0 ? "," : "", ip_format(&range->first, first),
		         ip_format(&end, last));
	}
	require(!text.cut && pool_parse(buffer, &again, NULL) == 0);
	require(again.count == pool->count && again.range_count == pool->range_count);
	for (uint32_t i = 0; i < pool->range_count; i++) {
		require(ip_equal(&again.ranges[i].first, &pool->ranges[i].first));
		require(again.ranges[i].count == pool->ranges[i].count);
		require(again.ranges[i].before == pool->ranges[i].before);
	}
}

static void check_pool(const char *s)
{
	static struct pool pool;
	struct err err = {{0}};
	uint32_t before = 0;
	int rc;

	memset(&pool, 0x5a, sizeof(pool));
	rc = pool_parse(s, &pool, &err);
	if (rc != 0) {
		check_failure(rc, &err);
		require(is_untouched(&pool, sizeof(pool)));
		return;
	}
	require(pool.range_count >= 1 && pool.range_count <= POOL_RANGES_MAX);
	require(pool.count <= POOL_ADDRESSES_MAX);
	for (uint32_t i = 0; i < pool.range_count; i++) {
		require(pool.ranges[i].before == before);
		check_range(&pool, i);
		before += pool.ranges[i].count;
	}
	require(before == pool.count);
	check_pool_again(&pool);
}

static void check_endpoint_again(const struct endpoint *endpoint)
{
	char buffer[ENDPOINT_HOST_BYTES + 32];
	struct endpoint again;
	struct text text;
	bool has_colon = strchr(endpoint->host, ':') != NULL;

	text_init(&text, buffer, sizeof(buffer));
	text_add(&text, "%s%s%s:%u-%u", has_colon ? "[" : "", endpoint->host, has_colon ? "]" : "",
	         endpoint->port_low, endpoint->port_high);
	require(!text.cut && endpoint_parse(buffer, NULL, &again, NULL) == 0);
	require(strcmp(again.host, endpoint->host) == 0);
	require(again.port_low == endpoint->port_low && again.port_high == endpoint->port_high);
}

/* Returns whether it was taken. */
static bool check_endpoint(const char *s, const char *default_host)
{
	struct endpoint endpoint;
	struct err err = {{0}};
	int rc;

	memset(&endpoint, 0x5a, sizeof(endpoint));
	rc = endpoint_parse(s, default_host, &endpoint, &err);
	if (rc != 0) {
		check_failure(rc, &err);
		require(is_untouched(&endpoint, sizeof(endpoint)));
		return false;
	}
	require(memchr(endpoint.host, '\0', sizeof(endpoint.host)) != NULL);
	require(endpoint.host[0] != '\0');
	require(endpoint.port_low >= 1 && endpoint.port_low <= endpoint.port_high);
	check_endpoint_again(&endpoint);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char s[1024];

	if (size >= sizeof(s))
		return 0;
	memcpy(s, data, size);
	s[size] = '\0';
	check_pool(s);
	/* A default only adds to what is taken. */
	if (check_endpoint(s, NULL))
		require(check_endpoint(s, DEFAULT_HOST));
	else
		(void)check_endpoint(s, DEFAULT_HOST);
	return 0;
}
