/* neighbours: frames in, frames out.
 *
 * The next hop. A kernel asks for a neighbour again when TCP makes no progress with it (RFC 4861
 * section 7.3). We have no such hint at hand for each connection, and ask while packets are sent,
 * each two seconds: one frame, to the hop alone, as RFC 1122 section 2.3.2.1 (2) has it. A hop that
 * has another address from now on does not get this question; the next one, half a second later,
 * goes to all. Meanwhile packets go where they went: TCP sends them again. What the hop says of its
 * own accord, as when it takes over from another router, is believed as in RFC 826. From where the
 * target's packets come is not: a router may send from an address that it does not receive at.
 *
 * Defence. A host that says it has one of our sources is answered by an announcement, once in ten
 * seconds (RFC 5227 section 2.4 (c)), and the address is not given up: the sources were asked for
 * before the run. */
#include "utcp/neighbours.h"

#include "base/bits.h"
#include "base/clock.h"
#include "kernel/arp.h"
#include "kernel/icmp.h"

#include <linux/if_ether.h>
#include <netinet/in.h>
#include <string.h>

#define CONFIRM_NS   (2 * NS_PER_S)
#define RETRY_NS     (500 * NS_PER_MS)
#define RETRIES_MOST 10 /* of its own accord; after these, as long as something is to be sent */
#define DEFEND_NS    (10 * NS_PER_S)

#define AT_IPV6_NEXT   (ETH_HLEN + 6)
#define AT_ICMPV6_TYPE (ETH_HLEN + 40)
#define SOLICIT        135
#define ADVERTISE      136

static const uint8_t to_all[ETH_ALEN] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
static const struct ip all_nodes = {.family = AF_INET6, .bytes = {0xff, 0x02, [15] = 1}};

/* FNV-1a (64 bits), of which the lower six bytes are taken. */
void neighbours_make_mac(const uint8_t *link_mac, const struct ip *first, uint8_t *mac)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (uint32_t i = 0; i < NEIGHBOURS_MAC_BYTES + sizeof(first->bytes); i++) {
		hash ^= i < NEIGHBOURS_MAC_BYTES ? link_mac[i]
		                                 : first->bytes[i - NEIGHBOURS_MAC_BYTES];
		hash *= UINT64_C(0x100000001b3);
	}
	for (uint32_t i = 0; i < NEIGHBOURS_MAC_BYTES; i++)
		mac[i] = (uint8_t)(hash >> (8 * i));
	mac[0] = (uint8_t)((mac[0] & 0xfc) | 2);
}

/* ---- frames --------------------------------------------------------------------------------- */

static uint32_t type_of(const uint8_t *frame)
{
	return (uint32_t)frame[12] << 8 | frame[13];
}

bool neighbours_are_meant(const uint8_t *frame, uint32_t len)
{
	if (len < ETH_HLEN)
		return false;
	if (type_of(frame) == ETH_P_ARP)
		return true;
	return type_of(frame) == ETH_P_IPV6 && len > AT_ICMPV6_TYPE &&
	       frame[AT_IPV6_NEXT] == IPPROTO_ICMPV6 &&
	       (frame[AT_ICMPV6_TYPE] == SOLICIT || frame[AT_ICMPV6_TYPE] == ADVERTISE);
}

static void put_header(const struct neighbours *n, const uint8_t *to, uint16_t type, uint8_t *out)
{
	memcpy(out, to, ETH_ALEN);
	memcpy(out + ETH_ALEN, n->mac, ETH_ALEN);
	out[12] = (uint8_t)(type >> 8);
	out[13] = (uint8_t)type;
}

/* `target_mac`: NULL for a request to all. */
static uint32_t put_arp(const struct neighbours *n, uint16_t operation, const struct ip *sender,
                        const struct ip *target, const uint8_t *target_mac, uint8_t *out)
{
	struct arp arp = {.operation = operation, .sender = *sender, .target = *target};

	memcpy(arp.sender_mac, n->mac, sizeof(arp.sender_mac));
	put_header(n, target_mac ? target_mac : to_all, ETH_P_ARP, out);
	arp_make(&arp, operation == ARP_REPLY ? target_mac : NULL, out + ETH_HLEN);
	return ETH_HLEN + ARP_BYTES;
}

/* `to`: NULL for the Ethernet address of the group that it goes to. */
static uint32_t put_message(const struct neighbours *n, struct icmp_neighbour *message,
                            const uint8_t *to, uint8_t *out)
{
	uint8_t group[ETH_ALEN];

	message->has_mac = true;
	memcpy(message->mac, n->mac, sizeof(message->mac));
	icmp_group_mac(&message->destination, group);
	put_header(n, to ? to : group, ETH_P_IPV6, out);
	return ETH_HLEN + (uint32_t)icmp_make_neighbour(message, out + ETH_HLEN);
}

static struct ip source_at(const struct neighbours *n, uint32_t number)
{
	return pool_at(&n->ours.tuples->sources, n->ours.first_source + number);
}

static bool is_ours(const struct neighbours *n, const struct ip *ip)
{
	int64_t number = pool_index(&n->ours.tuples->sources, ip) - n->ours.first_source;

	return number >= 0 && number < n->ours.source_count;
}

/* ---- what is said --------------------------------------------------------------------------- */

static uint32_t announce(const struct neighbours *n, const struct ip *ip, uint8_t *out)
{
	struct icmp_neighbour message = {.is_advertisement = true,
	                                 .is_override = true,
	                                 .source = *ip,
	                                 .destination = all_nodes,
	                                 .target = *ip};

	return ip->family == AF_INET ? put_arp(n, ARP_REQUEST, ip, ip, NULL, out)
	                             : put_message(n, &message, NULL, out);
}

uint32_t neighbours_announce(const struct neighbours *n, uint32_t number, uint8_t *out)
{
	const struct ip ip = source_at(n, number);

	return announce(n, &ip, out);
}

static uint32_t defend(struct neighbours *n, const struct ip *ip, uint64_t now_ns, uint8_t *out)
{
	n->conflicts++;
	if (n->ours.taken)
		bits_set(n->ours.taken, (uint32_t)pool_index(&n->ours.tuples->sources, ip));
	if (n->defended_ns > 0 && now_ns - n->defended_ns < DEFEND_NS)
		return 0;
	n->defended_ns = now_ns;
	return announce(n, ip, out);
}

/* ---- the next hop --------------------------------------------------------------------------- */

static bool is_due(const struct neighbours *n, uint64_t now_ns)
{
	if (n->asked > 0)
		return now_ns - n->asked_ns >= RETRY_NS;
	return !n->is_known || now_ns - n->confirmed_ns >= CONFIRM_NS;
}

uint32_t neighbours_ask(struct neighbours *n, uint64_t now_ns, uint8_t *out)
{
	const uint8_t *to = n->is_known && n->asked == 0 ? n->hop_mac : NULL;

	if (!is_due(n, now_ns))
		return 0;
	const struct ip source = source_at(n, 0);

	n->asked_ns = now_ns;
	n->asked++;
	if (source.family == AF_INET)
		return put_arp(n, ARP_REQUEST, &source, &n->hop, to, out);
	struct icmp_neighbour message = {
		.source = source,
		.destination = to ? n->hop : icmp_solicited_group(&n->hop),
		.target = n->hop,
	};

	return put_message(n, &message, to, out);
}

uint64_t neighbours_next_ns(const struct neighbours *n)
{
	return n->asked > 0 && n->asked <= RETRIES_MOST ? n->asked_ns + RETRY_NS : UINT64_MAX;
}

/* One host's address: not a group's, nor none at all. */
static bool is_of_one(const uint8_t *mac)
{
	static const uint8_t none[ETH_ALEN];

	return (mac[0] & 1) == 0 && memcmp(mac, none, sizeof(none)) != 0;
}

static void learn(struct neighbours *n, const uint8_t *mac, uint64_t now_ns)
{
	if (!is_of_one(mac))
		return;
	memcpy(n->hop_mac, mac, ETH_ALEN);
	n->is_known = true;
	n->confirmed_ns = now_ns;
	n->asked = 0;
}

/* ---- what is heard -------------------------------------------------------------------------- */

static uint32_t take_arp(struct neighbours *n, const uint8_t *frame, uint32_t len, uint64_t now_ns,
                         uint8_t *out)
{
	struct arp arp;

	if (arp_parse(frame + ETH_HLEN, len - ETH_HLEN, &arp) != 0 ||
	    memcmp(arp.sender_mac, n->mac, ETH_ALEN) == 0)
		return 0;
	if (ip_equal(&arp.sender, &n->hop))
		learn(n, arp.sender_mac, now_ns);
	if (is_ours(n, &arp.sender))
		return defend(n, &arp.sender, now_ns, out);
	if (arp.operation != ARP_REQUEST || !is_ours(n, &arp.target) || !is_of_one(arp.sender_mac))
		return 0;
	return put_arp(n, ARP_REPLY, &arp.target, &arp.sender, arp.sender_mac, out);
}

/* From :: (duplicate detection) it is answered to all (RFC 4861 section 7.2.4). */
static uint32_t answer(const struct neighbours *n, const struct icmp_neighbour *asked,
                       const uint8_t *from, uint8_t *out)
{
	static const struct ip nobody = {.family = AF_INET6};
	const bool is_known = !ip_equal(&asked->source, &nobody);
	struct icmp_neighbour message = {.is_advertisement = true,
	                                 .is_solicited = is_known,
	                                 .is_override = true,
	                                 .source = asked->target,
	                                 .destination = is_known ? asked->source : all_nodes,
	                                 .target = asked->target};

	if (is_known && !is_of_one(from))
		return 0;
	return put_message(n, &message, is_known ? from : NULL, out);
}

static uint32_t take_message(struct neighbours *n, const uint8_t *frame, uint32_t len,
                             uint64_t now_ns, uint8_t *out)
{
	struct icmp_neighbour message;

	if (icmp_parse_neighbour(frame + ETH_HLEN, len - ETH_HLEN, &message) != 0)
		return 0;
	const uint8_t *mac = message.has_mac ? message.mac : frame + ETH_ALEN;
	const bool is_same = n->is_known && memcmp(mac, n->hop_mac, ETH_ALEN) == 0;

	if (memcmp(mac, n->mac, ETH_ALEN) == 0)
		return 0;
	if (message.is_advertisement && ip_equal(&message.target, &n->hop) &&
	    (message.is_override || is_same || !n->is_known))
		learn(n, mac, now_ns);
	if (!message.is_advertisement && message.has_mac && ip_equal(&message.source, &n->hop))
		learn(n, mac, now_ns);
	if (!message.is_advertisement && is_ours(n, &message.source))
		return defend(n, &message.source, now_ns, out);
	if (!is_ours(n, &message.target))
		return 0;
	return message.is_advertisement ? defend(n, &message.target, now_ns, out)
	                                : answer(n, &message, mac, out);
}

uint32_t neighbours_take(struct neighbours *n, const uint8_t *frame, uint32_t len, uint64_t now_ns,
                         uint8_t *out)
{
	if (!neighbours_are_meant(frame, len))
		return 0;
	if (type_of(frame) == ETH_P_ARP)
		return n->hop.family == AF_INET ? take_arp(n, frame, len, now_ns, out) : 0;
	return n->hop.family == AF_INET6 ? take_message(n, frame, len, now_ns, out) : 0;
}
