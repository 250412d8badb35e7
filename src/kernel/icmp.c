/* icmp: messages as bytes. A neighbour message is 24 bytes: type, code, checksum, 4 that are flags
 * or reserved, the target; then options of type, length in units of 8 bytes, value. */
#include "kernel/icmp.h"

#include <errno.h>
#include <string.h>

#define ECHO_REQUEST   8
#define ECHO_REPLY     0
#define ECHO_REQUEST_6 128
#define ECHO_REPLY_6   129
#define SOLICITATION   135
#define ADVERTISEMENT  136

#define PROTOCOL_ICMP   1
#define PROTOCOL_ICMPV6 58

#define IPV6_BYTES      40
#define NEIGHBOUR_BYTES 24
#define SOURCE_OPTION   1
#define TARGET_OPTION   2
#define OPTION_BYTES    8 /* of one that has an Ethernet address */
#define SOLICITED       0x40
#define OVERRIDE        0x20
#define HOP_LIMIT       255

/* ---- checksums (RFC 1071) ------------------------------------------------------------------- */

static uint32_t add_words(uint32_t sum, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)(bytes[i] << 8 | bytes[i + 1]);
	return len % 2 ? sum + (uint32_t)(bytes[len - 1] << 8) : sum;
}

static uint16_t fold(uint32_t sum)
{
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* With the pseudo-header (RFC 8200 section 8.1); 0 where the checksum in it is right. */
static uint16_t checksum_6(const uint8_t *packet, size_t message_len)
{
	uint32_t sum = add_words(0, packet + 8, 32); /* both addresses */

	sum += (uint32_t)message_len + PROTOCOL_ICMPV6;
	return fold(add_words(sum, packet + IPV6_BYTES, message_len));
}

static void store_16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* ---- echo ----------------------------------------------------------------------------------- */

void icmp_echo(int family, uint16_t id, uint16_t number, uint8_t out[ICMP_ECHO_BYTES])
{
	memset(out, 0, ICMP_ECHO_BYTES);
	out[0] = family == AF_INET ? ECHO_REQUEST : ECHO_REQUEST_6;
	store_16(out + 4, id);
	store_16(out + 6, number);
	if (family == AF_INET)
		store_16(out + 2, fold(add_words(0, out, ICMP_ECHO_BYTES)));
}

bool icmp_is_reply(int family, const uint8_t *message, size_t len, uint16_t id)
{
	return len >= ICMP_ECHO_BYTES &&
	       message[0] == (family == AF_INET ? ECHO_REPLY : ECHO_REPLY_6) && message[1] == 0 &&
	       (message[4] << 8 | message[5]) == id;
}

const uint8_t *icmp_of_ipv4(const uint8_t *packet, size_t len, size_t *message_len)
{
	if (len < 20 || packet[0] >> 4 != 4 || packet[9] != PROTOCOL_ICMP)
		return NULL;
	size_t header = (size_t)(packet[0] & 15) * 4;

	if (header < 20 || header > len)
		return NULL;
	*message_len = len - header;
	return packet + header;
}

/* ---- neighbours ----------------------------------------------------------------------------- */

struct ip icmp_solicited_group(const struct ip *target)
{
	/* ff02::1:ffXX:XXXX, the last 24 bits of the target. */
	struct ip group = {.family = AF_INET6,
	                   .bytes = {0xff, 0x02, [11] = 1, [12] = 0xff},
	                   .scope = target->scope};

	memcpy(group.bytes + 13, target->bytes + 13, 3);
	return group;
}

void icmp_group_mac(const struct ip *group, uint8_t mac[ICMP_ETHERNET_BYTES])
{
	mac[0] = mac[1] = 0x33;
	memcpy(mac + 2, group->bytes + 12, 4);
}

size_t icmp_make_neighbour(const struct icmp_neighbour *message, uint8_t out[ICMP_NEIGHBOUR_BYTES])
{
	size_t len = message->has_mac ? NEIGHBOUR_BYTES + OPTION_BYTES : NEIGHBOUR_BYTES;
	uint8_t *at = out + IPV6_BYTES;

	memset(out, 0, ICMP_NEIGHBOUR_BYTES);
	out[0] = 6 << 4;
	store_16(out + 4, (uint16_t)len);
	out[6] = PROTOCOL_ICMPV6;
	out[7] = HOP_LIMIT;
	memcpy(out + 8, message->source.bytes, 16);
	memcpy(out + 24, message->destination.bytes, 16);
	at[0] = message->is_advertisement ? ADVERTISEMENT : SOLICITATION;
	at[4] = (uint8_t)((message->is_solicited ? SOLICITED : 0) |
	                  (message->is_override ? OVERRIDE : 0));
	memcpy(at + 8, message->target.bytes, 16);
	if (message->has_mac) {
		at[NEIGHBOUR_BYTES] = message->is_advertisement ? TARGET_OPTION : SOURCE_OPTION;
		at[NEIGHBOUR_BYTES + 1] = 1;
		memcpy(at + NEIGHBOUR_BYTES + 2, message->mac, ICMP_ETHERNET_BYTES);
	}
	store_16(at + 2, checksum_6(out, len));
	return IPV6_BYTES + len;
}

void icmp_solicit(const struct ip *target, uint8_t out[ICMP_SOLICIT_BYTES],
                  uint8_t frame_to[ICMP_ETHERNET_BYTES])
{
	const struct icmp_neighbour message = {.destination = icmp_solicited_group(target),
	                                       .target = *target};
	uint8_t packet[ICMP_NEIGHBOUR_BYTES];

	memcpy(out, packet, icmp_make_neighbour(&message, packet));
	icmp_group_mac(&message.destination, frame_to);
}

/* Options come in order; one of length 0 makes the packet invalid. */
static int take_options(const uint8_t *at, size_t len, struct icmp_neighbour *out)
{
	const uint8_t kind = out->is_advertisement ? TARGET_OPTION : SOURCE_OPTION;

	while (len > 0) {
		size_t option = len >= 2 ? at[1] * 8u : 0;

		if (option == 0 || option > len)
			return -EBADMSG;
		if (at[0] == kind && option == OPTION_BYTES && !out->has_mac) {
			memcpy(out->mac, at + 2, ICMP_ETHERNET_BYTES);
			out->has_mac = true;
		}
		at += option;
		len -= option;
	}
	return 0;
}

static struct ip ip_at(const uint8_t *at)
{
	struct ip ip = {.family = AF_INET6};

	memcpy(ip.bytes, at, 16);
	return ip;
}

int icmp_parse_neighbour(const uint8_t *packet, size_t len, struct icmp_neighbour *out)
{
	const uint8_t *message = packet + IPV6_BYTES;

	if (len < IPV6_BYTES + NEIGHBOUR_BYTES || packet[0] >> 4 != 6 ||
	    packet[6] != PROTOCOL_ICMPV6 || packet[7] != HOP_LIMIT)
		return -EBADMSG;
	size_t message_len = (size_t)(packet[4] << 8 | packet[5]);

	if (message_len < NEIGHBOUR_BYTES || message_len > len - IPV6_BYTES || message[1] != 0 ||
	    checksum_6(packet, message_len) != 0)
		return -EBADMSG;
	if ((message[0] != SOLICITATION && message[0] != ADVERTISEMENT) || message[8] == 0xff)
		return -EBADMSG;
	*out = (struct icmp_neighbour){
		.is_advertisement = message[0] == ADVERTISEMENT,
		.is_solicited = message[0] == ADVERTISEMENT && (message[4] & SOLICITED) != 0,
		.is_override = message[0] == ADVERTISEMENT && (message[4] & OVERRIDE) != 0,
		.source = ip_at(packet + 8),
		.destination = ip_at(packet + 24),
		.target = ip_at(message + 8),
	};
	return take_options(message + NEIGHBOUR_BYTES, message_len - NEIGHBOUR_BYTES, out);
}

int icmp_parse_claim(const uint8_t *packet, size_t len, struct icmp_claim *out)
{
	static const uint8_t unspecified[16];
	struct icmp_neighbour message;

	if (icmp_parse_neighbour(packet, len, &message) != 0)
		return -EBADMSG;
	bool is_from_nobody = memcmp(message.source.bytes, unspecified, sizeof(unspecified)) == 0;

	if (message.is_advertisement == is_from_nobody)
		return -EBADMSG;
	*out = (struct icmp_claim){.target = message.target};
	if (!message.is_advertisement)
		return 0;
	memcpy(out->mac, message.mac, sizeof(out->mac));
	out->has_mac = message.has_mac;
	return 0;
}
