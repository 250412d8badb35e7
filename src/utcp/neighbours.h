/* neighbours: what a host does on a LAN for its addresses, by ARP (RFC 826, RFC 5227) and neighbour
 * discovery (RFC 4861): answers who asks for them, defends them, and knows the Ethernet address of
 * one neighbour, the next hop on the way to the target. Pure. */
#pragma once

#include "utcp/device.h"

#define NEIGHBOURS_MAC_BYTES   6
#define NEIGHBOURS_FRAME_BYTES (14 + 72) /* of the longest: Ethernet header, ICMPv6 in IPv6 */

struct neighbours {
	struct device_config ours;         /* whose sources are answered for             */
	uint8_t mac[NEIGHBOURS_MAC_BYTES]; /* by this address                    */
	struct ip hop;
	uint8_t hop_mac[NEIGHBOURS_MAC_BYTES]; /* where packets go, once it is known */
	bool is_known;
	uint64_t confirmed_ns; /* when the next hop last said that it is there   */
	uint64_t asked_ns;     /* when it was last asked                         */
	uint32_t asked;        /* how often, since it has last said so           */
	uint64_t defended_ns;  /* 0: never                                       */
	uint64_t conflicts;    /* frames of another host that has one of ours    */
};

/* An Ethernet address for who answers for sources from `first` on, on the link that has `link_mac`:
 * individual, locally administered, always the same for these, so that switches see few. */
void neighbours_make_mac(const uint8_t *link_mac, const struct ip *first, uint8_t *mac);

/* Whether a frame, with its Ethernet header, is ARP or a neighbour message: for neighbours_take. */
bool neighbours_are_meant(const uint8_t *frame, uint32_t len);

/* Takes one that has come. Returns the length of the frame that is to be sent, in `out`
 * (NEIGHBOURS_FRAME_BYTES): an answer for one of our sources, or its defence, of which there is one
 * in ten seconds; or 0. Damaged ones, and what does not concern us, are passed over. */
uint32_t neighbours_take(struct neighbours *n, const uint8_t *frame, uint32_t len, uint64_t now_ns,
                         uint8_t *out);

/* For who is about to send packets: a question for the next hop, where one is due: it is not known,
 * or has not said for two seconds that it is there. The first goes to where it was, the others to
 * all. Length of the frame in `out`, or 0. */
uint32_t neighbours_ask(struct neighbours *n, uint64_t now_ns, uint8_t *out);

/* When to ask again although nothing is sent; UINT64_MAX: there is nothing to wait for. */
uint64_t neighbours_next_ns(const struct neighbours *n);

/* Says to all that source `number` (< ours.source_count) is here. Length of the frame. */
uint32_t neighbours_announce(const struct neighbours *n, uint32_t number, uint8_t *out);
