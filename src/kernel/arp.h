/* arp: the packets of the Address Resolution Protocol (RFC 826) over Ethernet and IPv4. Pure. */
#pragma once

#include "plan/ip.h"

#include <stddef.h>
#include <stdint.h>

#define ARP_BYTES 28 /* of a packet, without the frame's header */

/* An ARP probe (RFC 5227 section 2.1.1): a request with the sender's IP address 0, so that nobody's
 * cache learns from it. */
void arp_probe(const uint8_t mac[6], const struct ip *target, uint8_t out[ARP_BYTES]);

#define ARP_REQUEST 1
#define ARP_REPLY   2

struct arp {
	uint16_t operation; /* ARP_REQUEST, ARP_REPLY */
	uint8_t sender_mac[6];
	struct ip sender; /* 0.0.0.0 in a probe */
	struct ip target;
};

/* Any packet of these; a request has 0 as the target's MAC (RFC 826), and so has an announcement, a
 * request for the sender's own address (RFC 5227 section 2.3). `target_mac`: NULL is 0. */
void arp_make(const struct arp *arp, const uint8_t *target_mac, uint8_t out[ARP_BYTES]);

/* Reads a packet; what is behind it is padding. 0; -EBADMSG where it is cut short, or not ARP of
 * Ethernet and IPv4. */
int arp_parse(const uint8_t *packet, size_t len, struct arp *out);

/* The address that the packet says somebody uses, or is about to use (RFC 5227 section 2.1.1): the
 * sender's of any packet, the target's of a probe. NULL where it says neither. Whether that
 * somebody is another host is seen by its MAC. */
const struct ip *arp_claims(const struct arp *arp);
