/* packet: IPv4 and IPv6 packets with one TCP segment each: taken apart and made. Pure.
 *
 * RFC 791, RFC 8200, RFC 9293 section 3.1; checksums by RFC 1071. Bytes are read and written one
 * by one, or by memcpy: a packet lies at any address. */
#pragma once

#include "plan/tuple.h"
#include "utcp/segment.h"

#include <stdbool.h>
#include <stdint.h>

/* The longest that packet_build makes: IPv6 and TCP headers, the MSS option, 128 bytes of data. */
#define PACKET_DATA_MOST  128
#define PACKET_BYTES_MOST (40 + 20 + 4 + PACKET_DATA_MOST)

enum packet_kind {
	PACKET_TCP,
	PACKET_FOREIGN,     /* another protocol, a fragment, IPv6 with extension headers, no IP  */
	PACKET_MALFORMED,   /* lengths contradict each other, or it is cut off                   */
	PACKET_BAD_CHECKSUM /* of IPv4's header, or of TCP                                       */
};

/* As the receiver sees it: `tuple` has the packet's destination as its source, so that it can be
 * looked up in a plan of ours. */
struct packet {
	struct tuple tuple;
	struct segment segment; /* its data points into the packet */
};

/* Takes `len` bytes apart that begin with an IP header. Bytes behind the IP packet's own length are
 * padding, and ignored. `is_checked`: the checksum of TCP is known to be right, or will only be
 * filled in by a device (CHECKSUM_PARTIAL), and is not looked at; IPv4's always is. *out is filled
 * only where PACKET_TCP is returned. Its flags are the five of utcp/segment.h; urgent data and
 * congestion marks are not told. Options other than the MSS of a SYN are skipped; an MSS below 1
 * counts as none; options that run over the end of the header, or are shorter than their own kind
 * and length, make it PACKET_MALFORMED. */
enum packet_kind packet_parse(const uint8_t *bytes, uint32_t len, bool is_checked,
                              struct packet *out);

/* Writes a packet from the tuple's source to its target to `out` (PACKET_BYTES_MOST); returns its
 * length. segment->len is at most PACKET_DATA_MOST; an MSS is written as an option where it is not
 * 0. Both ends are of one family. IPv4: DF, id 0 (RFC 6864), TTL 64; IPv6: hop limit 64. */
uint32_t packet_build(uint8_t *out, const struct tuple *tuple, const struct segment *segment);

/* RFC 1071: the sum of `len` bytes at any address as 16-bit words, added to `sum` (an odd byte is
 * the high one of its word, so only the last piece may be of odd length); and what goes into a
 * header: its complement, folded, as a number whose high byte goes first. */
uint32_t packet_sum(const uint8_t *bytes, uint32_t len, uint32_t sum);
uint16_t packet_fold(uint32_t sum);
