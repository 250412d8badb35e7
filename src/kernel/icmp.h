/* icmp: echo requests and replies (RFC 792, RFC 4443), and the neighbour messages by which IPv6
 * detects duplicate addresses (RFC 4861, RFC 4862 section 5.4). Pure. */
#pragma once

#include "plan/ip.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ICMP_ECHO_BYTES     8  /* of an echo request: nothing behind the header */
#define ICMP_SOLICIT_BYTES  64 /* IPv6 header and solicitation                  */
#define ICMP_ETHERNET_BYTES 6

/* An echo request of a family, with its checksum for IPv4; that of ICMPv6 is the kernel's to make
 * (RFC 3542 section 3.1). */
void icmp_echo(int family, uint16_t id, uint16_t number, uint8_t out[ICMP_ECHO_BYTES]);

/* Whether an ICMP message is the reply to such a request. */
bool icmp_is_reply(int family, const uint8_t *message, size_t len, uint16_t id);

/* The message behind the IPv4 header that raw sockets deliver with it; NULL where the packet is cut
 * short or not ICMP. */
const uint8_t *icmp_of_ipv4(const uint8_t *packet, size_t len, size_t *message_len);

/* A neighbour solicitation as duplicate detection sends it: an IPv6 packet from :: to the target's
 * solicited-node group, with its checksum; `frame_to` is the group's Ethernet address. */
void icmp_solicit(const struct ip *target, uint8_t out[ICMP_SOLICIT_BYTES],
                  uint8_t frame_to[ICMP_ETHERNET_BYTES]);

#define ICMP_NEIGHBOUR_BYTES 72 /* IPv6 header, neighbour message, the option with a MAC */

/* A neighbour message in an IPv6 packet (RFC 4861 sections 4.3, 4.4). */
struct icmp_neighbour {
	bool is_advertisement; /* else a solicitation                              */
	bool is_solicited;     /* of an advertisement: S, it answers; O, it is to  */
	bool is_override;      /* replace what was known                           */
	struct ip source, destination;
	struct ip target;
	uint8_t mac[ICMP_ETHERNET_BYTES]; /* the link-layer address option: of the source, or of
	                                   * an advertisement's target                        */
	bool has_mac;
};

/* The group in which a target is solicited (RFC 4291 section 2.7.1), and the Ethernet address of
 * such a group (RFC 2464 section 7). */
struct ip icmp_solicited_group(const struct ip *target);
void icmp_group_mac(const struct ip *group, uint8_t mac[ICMP_ETHERNET_BYTES]);

/* Makes one with its checksum; returns its length. */
size_t icmp_make_neighbour(const struct icmp_neighbour *message, uint8_t out[ICMP_NEIGHBOUR_BYTES]);

/* Reads an IPv6 packet that is one. 0; -EBADMSG where it is anything else, or not valid by RFC 4861
 * section 7.1: hop limit 255, code 0, checksum, no target or option that cannot be. */
int icmp_parse_neighbour(const uint8_t *packet, size_t len, struct icmp_neighbour *out);

struct icmp_claim {
	struct ip target;
	uint8_t mac[ICMP_ETHERNET_BYTES]; /* the target link-layer address option */
	bool has_mac;
};

/* Reads an IPv6 packet. 0 where it says that somebody uses the target, a neighbour advertisement,
 * or is about to, a solicitation from :: (RFC 4862 sections 5.4.3, 5.4.4); -EBADMSG where it is
 * anything else, or not valid by RFC 4861 section 7.1: hop limit 255, code 0, checksum. */
int icmp_parse_claim(const uint8_t *packet, size_t len, struct icmp_claim *out);
