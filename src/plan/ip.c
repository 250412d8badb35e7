/* ip: an IPv4 or IPv6 address as a number that can be counted up. */
#include "plan/ip.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

_Static_assert(IP_TEXT_BYTES >= INET6_ADDRSTRLEN, "the longest address must fit");

/* The bytes that are counted: the last 4 of an IPv4 address, the last 8 of an IPv6 one. */
struct window {
	size_t from, len;
};

static struct window counted(const struct ip *ip)
{
	if (ip->family == AF_INET)
		return (struct window){.from = 0, .len = 4};
	return (struct window){.from = 8, .len = 8};
}

static uint64_t load_low(const struct ip *ip)
{
	struct window at = counted(ip);
	uint64_t value = 0;

	for (size_t i = 0; i < at.len; i++)
		value = value << 8 | ip->bytes[at.from + i];
	return value;
}

static void store_low(struct ip *ip, uint64_t value)
{
	struct window at = counted(ip);

	for (size_t i = at.len; i > 0; i--, value >>= 8)
		ip->bytes[at.from + i - 1] = (uint8_t)(value & 0xff);
}

int ip_parse(const char *text, struct ip *out)
{
	struct ip ip = {.family = AF_INET};

	if (inet_pton(AF_INET, text, ip.bytes) != 1) {
		ip.family = AF_INET6;
		if (inet_pton(AF_INET6, text, ip.bytes) != 1)
			return -EINVAL;
	}
	*out = ip;
	return 0;
}

const char *ip_format(const struct ip *ip, char text[IP_TEXT_BYTES])
{
	if (!inet_ntop(ip->family, ip->bytes, text, IP_TEXT_BYTES))
		snprintf(text, IP_TEXT_BYTES, "?"); /* neither family: an address never set */
	return text;
}

struct ip ip_add(const struct ip *ip, uint64_t n)
{
	struct ip sum = *ip;

	store_low(&sum, load_low(ip) + n);
	return sum;
}

int64_t ip_distance(const struct ip *first, const struct ip *ip)
{
	uint64_t from, to;

	if (first->family != ip->family)
		return -1;
	if (memcmp(first->bytes, ip->bytes, counted(first).from) != 0)
		return -1;
	from = load_low(first);
	to = load_low(ip);
	if (to < from)
		return -1;
	return to - from <= INT64_MAX ? (int64_t)(to - from) : INT64_MAX;
}

bool ip_equal(const struct ip *a, const struct ip *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

struct block {
	uint8_t first[16];
	uint8_t bits; /* how many of them are the same in the whole block */
};

static bool is_in_block(const uint8_t *bytes, const struct block *block)
{
	size_t whole = block->bits / 8;
	unsigned int rest = block->bits % 8;

	if (memcmp(bytes, block->first, whole) != 0)
		return false;
	return rest == 0 || (bytes[whole] ^ block->first[whole]) >> (8 - rest) == 0;
}

static bool is_in_one(const uint8_t *bytes, const struct block *blocks, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (is_in_block(bytes, &blocks[i]))
			return true;
	}
	return false;
}

/* What is not public, by the registries of special-purpose addresses (RFC 6890). */
static bool is_public_ipv4(const uint8_t bytes[4])
{
	static const struct block blocks[] = {
		{{0, 0, 0, 0}, 32},   /* this host             */
		{{127}, 8},           /* loopback              */
		{{10}, 8},            /* private, RFC 1918     */
		{{172, 16}, 12},      /* private               */
		{{192, 168}, 16},     /* private               */
		{{100, 64}, 10},      /* shared, RFC 6598      */
		{{169, 254}, 16},     /* link-local            */
		{{198, 18}, 15},      /* benchmarks, RFC 2544  */
		{{192, 0, 2}, 24},    /* documentation         */
		{{198, 51, 100}, 24}, /* documentation         */
		{{203, 0, 113}, 24},  /* documentation         */
	};

	return !is_in_one(bytes, blocks, sizeof(blocks) / sizeof(blocks[0]));
}

static bool is_public_ipv6(const uint8_t bytes[16])
{
	static const struct block mapped = {{[10] = 0xff, [11] = 0xff}, 96};
	static const struct block blocks[] = {
		{{0}, 128},                     /* this host             */
		{{[15] = 1}, 128},              /* loopback              */
		{{0xfe, 0x80}, 10},             /* link-local            */
		{{0xfc}, 7},                    /* private, RFC 4193     */
		{{0x20, 0x01, 0, 2, 0, 0}, 48}, /* benchmarks, RFC 5180  */
		{{0x20, 0x01, 0x0d, 0xb8}, 32}, /* documentation         */
	};

	if (is_in_block(bytes, &mapped))
		return is_public_ipv4(bytes + 12);
	return !is_in_one(bytes, blocks, sizeof(blocks) / sizeof(blocks[0]));
}

bool ip_is_public(const struct ip *ip)
{
	return ip->family == AF_INET ? is_public_ipv4(ip->bytes) : is_public_ipv6(ip->bytes);
}

bool ip_is_loopback(const struct ip *ip)
{
	static const uint8_t one[16] = {[15] = 1};

	return ip->family == AF_INET ? ip->bytes[0] == 127
	                             : memcmp(ip->bytes, one, sizeof(one)) == 0;
}

bool ip_is_host(const struct ip *ip)
{
	static const uint8_t unspecified[16];

	if (memcmp(ip->bytes, unspecified, sizeof(unspecified)) == 0)
		return false;
	return ip->family == AF_INET ? ip->bytes[0] < 224 : ip->bytes[0] != 0xff;
}

struct ip ip_unmapped(const struct ip *ip)
{
	static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};
	struct ip out = {.family = AF_INET};

	if (ip->family != AF_INET6 || memcmp(ip->bytes, prefix, sizeof(prefix)) != 0)
		return *ip;
	memcpy(out.bytes, ip->bytes + sizeof(prefix), 4);
	return out;
}

socklen_t ip_sockaddr(const struct ip *ip, uint16_t port, struct sockaddr_storage *out)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 in6 = {
		.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_scope_id = ip->scope};

	memset(out, 0, sizeof(*out));
	if (ip->family == AF_INET) {
		memcpy(&in.sin_addr, ip->bytes, sizeof(in.sin_addr));
		memcpy(out, &in, sizeof(in));
		return sizeof(in);
	}
	memcpy(&in6.sin6_addr, ip->bytes, sizeof(in6.sin6_addr));
	memcpy(out, &in6, sizeof(in6));
	return sizeof(in6);
}
