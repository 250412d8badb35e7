/* unreachable: ICMP and ICMPv6 errors about segments of ours: a firewall that rejects, a route that
 * is missing. Pure. RFC 792, RFC 4443 section 3.1; what they mean is as Linux has it
 * (icmp_err_convert in net/ipv4/icmp.c, tab_unreach in net/ipv6/icmp.c). */
#pragma once

#include "plan/tuple.h"

#include <stdbool.h>
#include <stdint.h>

struct unreachable {
	struct tuple tuple; /* of the segment that it is about: from us to the target */
	uint32_t seq;       /* of that segment                                       */
	int error;          /* negative errno                                        */
};

/* Reads a packet that begins with an IP header. False where it is no such error, about no TCP
 * segment, cut off before its sequence number, or damaged. "Fragmentation needed" and "packet too
 * big" are none: nothing of ours is that long. */
bool unreachable_parse(const uint8_t *bytes, uint32_t len, struct unreachable *out);
