/* unreachable: an error quotes the packet that it is about: its IP header, and at least eight bytes
 * behind it, which are TCP's ports and sequence number. */
#include "utcp/unreachable.h"

#include "utcp/packet.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define IPV4_BYTES    20
#define IPV6_BYTES    40
#define ICMP_BYTES    8
#define QUOTED_BYTES  8 /* of TCP */
#define ICMP          1
#define ICMPV6        58
#define TCP           6
#define UNREACHABLE_4 3 /* the type of the error */
#define UNREACHABLE_6 1

/* By code; 0: not for us. */
static const int errors_4[] = {
	[0] = -ENETUNREACH,  [1] = -EHOSTUNREACH,  [3] = -ECONNREFUSED,  [5] = -EOPNOTSUPP,
	[6] = -ENETUNREACH,  [7] = -EHOSTUNREACH,  [9] = -ENETUNREACH,   [10] = -EHOSTUNREACH,
	[11] = -ENETUNREACH, [12] = -EHOSTUNREACH, [13] = -EHOSTUNREACH,
};
static const int errors_6[] = {
	[0] = -ENETUNREACH,  [1] = -EACCES, [3] = -EHOSTUNREACH,
	[4] = -ECONNREFUSED, [5] = -EACCES, [6] = -EACCES,
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static uint16_t get_16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t get_32(const uint8_t *at)
{
	return (uint32_t)get_16(at) << 16 | get_16(at + 2);
}

static struct ip address(int family, const uint8_t *at)
{
	struct ip ip = {.family = (uint8_t)family};

	memcpy(ip.bytes, at, family == AF_INET ? 4 : 16);
	return ip;
}

/* The quoted segment, at `at`, with `left` bytes from there on. */
static bool read_quoted(const uint8_t *at, uint32_t left, int family, struct unreachable *out)
{
	uint32_t header = IPV6_BYTES, addresses = 8, each = 16;
	uint8_t protocol = left > 9 ? at[6] : 0;

	if (family == AF_INET && left > 9) {
		header = (at[0] & 0xfU) * 4U;
		addresses = 12;
		each = 4;
		protocol = at[9];
	}
	if (left < header + QUOTED_BYTES || header < IPV4_BYTES || protocol != TCP)
		return false;
	if (at[0] >> 4 != (family == AF_INET ? 4 : 6))
		return false;
	out->tuple = (struct tuple){
		.source = address(family, at + addresses),
		.target = address(family, at + addresses + each),
		.source_port = get_16(at + header),
		.target_port = get_16(at + header + 2),
	};
	out->seq = get_32(at + header + 4);
	return true;
}

static bool read_error(const uint8_t *icmp, uint32_t len, int family, struct unreachable *out)
{
	const int *errors = family == AF_INET ? errors_4 : errors_6;
	const size_t count = family == AF_INET ? COUNT(errors_4) : COUNT(errors_6);
	const uint8_t type = family == AF_INET ? UNREACHABLE_4 : UNREACHABLE_6;

	if (len < ICMP_BYTES || icmp[0] != type || icmp[1] >= count || errors[icmp[1]] == 0)
		return false;
	out->error = errors[icmp[1]];
	return read_quoted(icmp + ICMP_BYTES, len - ICMP_BYTES, family, out);
}

static bool parse_ipv4(const uint8_t *bytes, uint32_t len, struct unreachable *out)
{
	uint32_t header = (bytes[0] & 0xfU) * 4U, total = get_16(bytes + 2);

	if (header < IPV4_BYTES || total < header || total > len || bytes[9] != ICMP ||
	    (get_16(bytes + 6) & 0x3fff) != 0 || packet_fold(packet_sum(bytes, header, 0)) != 0 ||
	    packet_fold(packet_sum(bytes + header, total - header, 0)) != 0)
		return false;
	return read_error(bytes + header, total - header, AF_INET, out);
}

static bool parse_ipv6(const uint8_t *bytes, uint32_t len, struct unreachable *out)
{
	uint32_t total = get_16(bytes + 4), sum;

	if (len < IPV6_BYTES || total > len - IPV6_BYTES || bytes[6] != ICMPV6)
		return false;
	sum = packet_sum(bytes + 8, 32, total + ICMPV6); /* the addresses: the pseudo-header */
	if (packet_fold(packet_sum(bytes + IPV6_BYTES, total, sum)) != 0)
		return false;
	return read_error(bytes + IPV6_BYTES, total, AF_INET6, out);
}

bool unreachable_parse(const uint8_t *bytes, uint32_t len, struct unreachable *out)
{
	if (len < IPV4_BYTES)
		return false;
	return bytes[0] >> 4 == 4   ? parse_ipv4(bytes, len, out)
	       : bytes[0] >> 4 == 6 ? parse_ipv6(bytes, len, out)
	                            : false;
}
