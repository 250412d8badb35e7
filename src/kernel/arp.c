/* arp: 28 bytes: kinds and lengths of addresses, operation, and twice MAC and IP address. */
#include "kernel/arp.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define SENDER_MAC 8
#define SENDER_IP  14
#define TARGET_IP  24

#define REQUEST 1
#define REPLY   2

/* Ethernet, IPv4, 6 and 4 bytes. */
static const uint8_t kinds[6] = {0, 1, 0x08, 0x00, 6, 4};

void arp_probe(const uint8_t mac[6], const struct ip *target, uint8_t out[ARP_BYTES])
{
	memset(out, 0, ARP_BYTES);
	memcpy(out, kinds, sizeof(kinds));
	out[7] = REQUEST;
	memcpy(out + SENDER_MAC, mac, 6);
	memcpy(out + TARGET_IP, target->bytes, 4);
}

int arp_parse(const uint8_t *packet, size_t len, struct arp *out)
{
	if (len < ARP_BYTES || memcmp(packet, kinds, sizeof(kinds)) != 0)
		return -EBADMSG;
	memset(out, 0, sizeof(*out));
	out->operation = (uint16_t)(packet[6] << 8 | packet[7]);
	if (out->operation != REQUEST && out->operation != REPLY)
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
	return arp->operation == REQUEST ? &arp->target : NULL;
}
