/* packet: IPv4 and IPv6 packets with one TCP segment each: taken apart and made.
 *
 * This is done for every packet, so the usual one, 20 bytes of IPv4 and 20 of TCP, goes straight
 * through. Sums of what comes in are made over words of 64 bits in the order of this machine's
 * bytes, which changes no more than the order of the sum's bytes (RFC 1071 section 2 (B)), and no
 * bit of which is lost: a carry out of the top is added at the bottom. Sums of what goes out are
 * made of the numbers that are written, since reading again what was just stored in pieces would
 * stall. */
#include "utcp/packet.h"

#include <endian.h>
#include <string.h>

#define IPV4_BYTES  20
#define IPV6_BYTES  40
#define TCP_BYTES   20
#define TCP         6 /* the protocol's number */
#define HOPS        64
#define IPV4_DF     0x4000
#define IPV4_PARTS  0x3fff /* "more fragments", and the offset */
#define OPTION_END  0
#define OPTION_NOP  1
#define OPTION_MSS  2
#define MSS_BYTES   4
#define FLAGS_KNOWN (SEGMENT_FIN | SEGMENT_SYN | SEGMENT_RST | SEGMENT_PSH | SEGMENT_ACK)

/* ---- bytes ---------------------------------------------------------------------------------- */

static inline uint64_t load_64(const uint8_t *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof(word));
	return word;
}

static inline uint32_t load_32(const uint8_t *at)
{
	uint32_t word;

	memcpy(&word, at, sizeof(word));
	return word;
}

static inline uint16_t load_16(const uint8_t *at)
{
	uint16_t word;

	memcpy(&word, at, sizeof(word));
	return word;
}

static inline uint32_t get_32(const uint8_t *at)
{
	return be32toh(load_32(at));
}

static inline uint16_t get_16(const uint8_t *at)
{
	return be16toh(load_16(at));
}

static inline uint8_t *put_32(uint8_t *at, uint32_t number)
{
	number = htobe32(number);
	memcpy(at, &number, sizeof(number));
	return at + sizeof(number);
}

/* ---- sums ----------------------------------------------------------------------------------- */

static inline uint64_t add(uint64_t sum, uint64_t word)
{
	sum += word;
	return sum + (sum < word);
}

static inline uint64_t add_20(uint64_t sum, const uint8_t *bytes)
{
	sum = add(sum, load_64(bytes));
	sum = add(sum, load_64(bytes + 8));
	return add(sum, load_32(bytes + 16));
}

static uint64_t add_bytes(uint64_t sum, const uint8_t *bytes, uint32_t len)
{
	for (; len >= 8; bytes += 8, len -= 8)
		sum = add(sum, load_64(bytes));
	if (len & 4) {
		sum = add(sum, load_32(bytes));
		bytes += 4;
	}
	if (len & 2) {
		sum = add(sum, load_16(bytes));
		bytes += 2;
	}
	if (len & 1)
		sum = add(sum, htobe16((uint16_t)(*bytes << 8)));
	return sum;
}

static inline uint16_t fold(uint64_t sum)
{
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & UINT16_MAX) + (sum >> 16);
	return (uint16_t)((sum & UINT16_MAX) + (sum >> 16));
}

uint32_t packet_sum(const uint8_t *bytes, uint32_t len, uint32_t sum)
{
	return (uint32_t)fold(sum) + be16toh(fold(add_bytes(0, bytes, len)));
}

uint16_t packet_fold(uint32_t sum)
{
	return (uint16_t)~fold(sum);
}

/* ---- taken apart ---------------------------------------------------------------------------- */

/* Finds the MSS; false where an option runs over the end. */
static bool read_options(const uint8_t *at, const uint8_t *end, uint16_t *mss)
{
	while (at < end && *at != OPTION_END) {
		if (*at == OPTION_NOP) {
			at++;
			continue;
		}
		if (end - at < 2 || at[1] < 2 || end - at < at[1])
			return false;
		if (at[0] == OPTION_MSS && at[1] == MSS_BYTES)
			*mss = get_16(at + 2);
		at += at[1];
	}
	return true;
}

/* `sum`: of the addresses. */
static inline enum packet_kind parse_tcp(const uint8_t *tcp, uint32_t len, uint64_t sum,
                                         bool is_checked, struct packet *out)
{
	uint16_t mss = 0;

	if (len < TCP_BYTES)
		return PACKET_MALFORMED;
	if (!is_checked) {
		sum = add(sum, (uint64_t)htobe16(TCP) + htobe16((uint16_t)len));
		sum = add_20(sum, tcp);
		if (len > TCP_BYTES)
			sum = add_bytes(sum, tcp + TCP_BYTES, len - TCP_BYTES);
		if (fold(sum) != UINT16_MAX)
			return PACKET_BAD_CHECKSUM;
	}
	uint32_t head = (tcp[12] >> 4) * 4U;

	if (head != TCP_BYTES &&
	    (head < TCP_BYTES || head > len || !read_options(tcp + TCP_BYTES, tcp + head, &mss)))
		return PACKET_MALFORMED;
	out->tuple.target_port = get_16(tcp);
	out->tuple.source_port = get_16(tcp + 2);
	out->segment = (struct segment){
		.seq = get_32(tcp + 4),
		.ack = get_32(tcp + 8),
		.window = get_16(tcp + 14),
		.mss = tcp[13] & SEGMENT_SYN ? mss : 0,
		.len = (uint16_t)(len - head),
		.flags = tcp[13] & FLAGS_KNOWN,
		.data = tcp + head,
	};
	return PACKET_TCP;
}

static inline enum packet_kind parse_ipv4(const uint8_t *ip, uint32_t len, bool is_checked,
                                          struct packet *out)
{
	uint32_t head = (ip[0] & 15) * 4U, total = get_16(ip + 2);
	uint64_t sum = add_20(0, ip);

	if (head < IPV4_BYTES || total < head || total > len)
		return PACKET_MALFORMED;
	if (head > IPV4_BYTES)
		sum = add_bytes(sum, ip + IPV4_BYTES, head - IPV4_BYTES);
	if (fold(sum) != UINT16_MAX)
		return PACKET_BAD_CHECKSUM;
	if (ip[9] != TCP || (get_16(ip + 6) & IPV4_PARTS) != 0)
		return PACKET_FOREIGN;
	enum packet_kind kind = parse_tcp(ip + head, total - head, load_64(ip + 12), is_checked,
	                                  out);

	if (kind != PACKET_TCP)
		return kind;
	out->tuple.target = (struct ip){.family = AF_INET};
	out->tuple.source = (struct ip){.family = AF_INET};
	memcpy(out->tuple.target.bytes, ip + 12, 4);
	memcpy(out->tuple.source.bytes, ip + 16, 4);
	return PACKET_TCP;
}

static enum packet_kind parse_ipv6(const uint8_t *ip, uint32_t len, bool is_checked,
                                   struct packet *out)
{
	uint32_t after = get_16(ip + 4);

	if (len < IPV6_BYTES || after > len - IPV6_BYTES)
		return PACKET_MALFORMED;
	if (ip[6] != TCP)
		return PACKET_FOREIGN;
	enum packet_kind kind = parse_tcp(ip + IPV6_BYTES, after, add_bytes(0, ip + 8, 32),
	                                  is_checked, out);

	if (kind != PACKET_TCP)
		return kind;
	out->tuple.target = (struct ip){.family = AF_INET6};
	out->tuple.source = (struct ip){.family = AF_INET6};
	memcpy(out->tuple.target.bytes, ip + 8, 16);
	memcpy(out->tuple.source.bytes, ip + 24, 16);
	return PACKET_TCP;
}

enum packet_kind packet_parse(const uint8_t *bytes, uint32_t len, bool is_checked,
                              struct packet *out)
{
	if (len < IPV4_BYTES)
		return PACKET_MALFORMED;
	switch (bytes[0] >> 4) {
	case 4:
		return parse_ipv4(bytes, len, is_checked, out);
	case 6:
		return parse_ipv6(bytes, len, is_checked, out);
	default:
		return PACKET_FOREIGN;
	}
}

/* ---- made ----------------------------------------------------------------------------------- */

/* Writes IPv4's header, and returns the sum of its addresses. */
static inline uint64_t build_ipv4(uint8_t *out, const struct tuple *tuple, uint32_t total)
{
	uint32_t first = 0x4500U << 16 | total, second = IPV4_DF, third = HOPS << 24 | TCP << 16;
	uint32_t source = get_32(tuple->source.bytes), target = get_32(tuple->target.bytes);
	uint64_t addresses = (uint64_t)source + target;
	uint64_t sum = addresses + first + second + third;

	out = put_32(out, first);
	out = put_32(out, second);
	out = put_32(out, third | (uint16_t)~fold(sum));
	out = put_32(out, source);
	put_32(out, target);
	return addresses;
}

static uint64_t build_ipv6(uint8_t *out, const struct tuple *tuple, uint32_t after)
{
	out = put_32(out, UINT32_C(6) << 28);
	out = put_32(out, after << 16 | TCP << 8 | HOPS);
	memcpy(out, tuple->source.bytes, 16);
	memcpy(out + 16, tuple->target.bytes, 16);
	return (uint64_t)packet_sum(tuple->source.bytes, 16, 0) +
	       packet_sum(tuple->target.bytes, 16, 0);
}

/* `sum`: of the addresses; `len`: of the segment, with header and data. */
static inline void build_tcp(uint8_t *out, const struct tuple *tuple, const struct segment *s,
                             uint64_t sum, uint32_t len)
{
	uint32_t ports = (uint32_t)tuple->source_port << 16 | tuple->target_port;
	uint32_t option = s->mss != 0 ? OPTION_MSS << 24 | MSS_BYTES << 16 | s->mss : 0;
	uint32_t head = len - s->len;
	uint32_t control = head / 4 << 28 | (uint32_t)s->flags << 16 | s->window;

	sum += (uint64_t)TCP + len + ports + s->seq + s->ack + control + option;
	if (s->len > 0) {
		sum += packet_sum(s->data, s->len, 0);
		memcpy(out + head, s->data, s->len);
	}
	out = put_32(out, ports);
	out = put_32(out, s->seq);
	out = put_32(out, s->ack);
	out = put_32(out, control);
	out = put_32(out, (uint32_t)(uint16_t)~fold(sum) << 16);
	if (option != 0)
		put_32(out, option);
}

uint32_t packet_build(uint8_t *out, const struct tuple *tuple, const struct segment *segment)
{
	uint32_t option = segment->mss != 0 ? MSS_BYTES : 0,
		 len = TCP_BYTES + option + segment->len;
	bool is_ipv4 = tuple->source.family == AF_INET;
	uint32_t head = is_ipv4 ? IPV4_BYTES : IPV6_BYTES;
	uint64_t sum = is_ipv4 ? build_ipv4(out, tuple, head + len) : build_ipv6(out, tuple, len);

	build_tcp(out + head, tuple, segment, sum, len);
	return head + len;
}
