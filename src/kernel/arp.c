/* arp: 28 bytes: kinds and lengths of addresses, operation, and twice MAC and IP address. */
#include "kernel/arp.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define SENDER_MAC 8
#define SENDER_IP  14
#define TARGET_MAC 18
#define TARGET_IP  24

/* Ethernet, IPv4, 6 and 4 bytes. */
static const uint8_t kinds[6] = {0, 1, 0x08, 0x00, 6, 4};

void arp_probe(const uint8_t mac[6], const struct ip *target, uint8_t out[ARP_BYTES])
{
	memset(out, 0, ARP_BYTES);
	memcpy(out, kinds, sizeof(kinds));
	out[7] = ARP_REQUEST;
	memcpy(out + SENDER_MAC, mac, 6);
	memcpy(out + TARGET_IP, target->bytes, 4);
}

void arp_make(const struct arp *arp, const uint8_t *target_mac, uint8_t out[ARP_BYTES])
{
	memset(out, 0, ARP_BYTES);
	memcpy(out, kinds, sizeof(kinds));
	out[7] = (uint8_t)arp->operation;
	memcpy(out + SENDER_MAC, arp->sender_mac, 6);
	memcpy(out + SENDER_IP, arp->sender.bytes, 4);
	if (target_mac)
		memcpy(out + TARGET_MAC, target_mac, 6);
	memcpy(out + TARGET_IP, arp->target.bytes, 4);
}

int arp_parse(const uint8_t *packet, size_t len, struct arp *out)
{
	if (len < ARP_BYTES || memcmp(packet, kinds, sizeof(kinds)) != 0)
		return -EBADMSG;
	memset(out, 0, sizeof(*out));
	out->operation = (uint16_t)(packet[6] << 8 | packet[7]);
	if (out->operation != ARP_REQUEST && out->operation != ARP_REPLY)
		return -EBADMSG;
	memcpy(out->sender_mac, packet + SENDER_MAC, 6);
	out->sender.family = out->target.family = AF_INET;
	memcpy(out->sender.bytes, packet + SENDER_IP, 4);
	memcpy(out->target.bytes, packet + TARGET_IP, 4);
	return 0;
}

static bool is_zero(const struct ip *ip)
{
	static const uint8_t zero[4];

	return memcmp(ip->bytes, zero, sizeof(zero)) == 0;
}

const struct ip *arp_claims(const struct arp *arp)
{
	if (!is_zero(&arp->sender))
		return &arp->sender;
	return arp->operation == ARP_REQUEST ? &arp->target : NULL;
}
