/* neighbour: which of many addresses somebody has already: asked by ARP or neighbour solicitation
 * on the link, by ICMP echo beyond it. */
#pragma once

#include "base/err.h"
#include "kernel/link.h"
#include "kernel/ranges.h"

#include <stdint.h>

enum neighbour_state {
	NEIGHBOUR_FREE,   /* asked for, and nobody answered                              */
	NEIGHBOUR_OURS,   /* this host's own                                             */
	NEIGHBOUR_TAKEN,  /* somebody on the link has it, or is about to: `mac`          */
	NEIGHBOUR_ECHOES, /* somebody beyond the link answers echo requests              */
	NEIGHBOUR_UNASKED /* not this host's; the link has no neighbours that could tell */
};

struct neighbour {
	uint8_t state; /* enum neighbour_state */
	uint8_t mac[LINK_MAC_BYTES];
};

/* Asks about each address of `ranges` as one that is to be put on `link`; out[number] says what
 * came of it. An address to which a route leads by a router or another link gets an ICMP echo
 * request; each of the others is asked for on the link, also where there is no route to it yet, in
 * the way of RFC 5227 section 2.1.1 and RFC 4862 section 5.4: from no address, so that nobody's
 * cache changes. Each is asked for three times, at most 5,000 a second: twenty take 1.1 s, ten
 * thousand 7 s.
 *
 * Silence is no proof: a host may be down, or drop echo requests.
 *
 * 0, or with one line: -EPERM where the sockets for it are not allowed (CAP_NET_RAW; echo requests
 * also where net.ipv4.ping_group_range has the group), -ENETDOWN where the link is down, and others
 * of the sockets. */
int neighbour_ask(const struct link *link, const struct ranges *ranges, struct neighbour *out,
                  struct err *err);
