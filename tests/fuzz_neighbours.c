/* fuzz_neighbours: any frames, one after the other, to a host of IPv4 and one of IPv6; ICMPv6 also
 * with its checksum made right, which is not guessed. A byte before each says how long it is. What
 * is answered is a whole frame from us about one of our sources, and what is believed of the next
 * hop is one host's address. Only sources of ours are another's, too. The bytes are the fuzzer's
 * own, with nothing behind them. */
#include "utcp/neighbours.h"

#include "base/bits.h"
#include "kernel/arp.h"
#include "kernel/icmp.h"
#include "utcp/packet.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t ours[6] = {2, 0, 0, 0, 0, 1};

static void check(bool is_right)
{
	if (!is_right)
		abort();
}

static struct bits taken;

static void set_up(struct neighbours *n, struct tuple_plan *plan, const char *first,
                   const char *hop)
{
	struct ip ip;

	check(ip_parse(first, &ip) == 0);
	pool_set(&plan->sources, &ip, 16);
	check(taken.words || bits_make(&taken, 16));
	bits_empty(&taken);
	*n = (struct neighbours){.ours = {plan, 4, 8, &taken}};
	memcpy(n->mac, ours, sizeof(ours));
	check(ip_parse(hop, &n->hop) == 0);
}

static bool is_ours(const struct neighbours *n, const struct ip *ip)
{
	int64_t number = pool_index(&n->ours.tuples->sources, ip);

	return number >= 4 && number < 12;
}

static void check_said(const struct neighbours *n, const uint8_t *out, uint32_t len)
{
	struct icmp_neighbour message;
	struct arp arp;

	check(len <= NEIGHBOURS_FRAME_BYTES && memcmp(out + 6, ours, 6) == 0);
	if (n->hop.family == AF_INET) {
		check(arp_parse(out + 14, len - 14, &arp) == 0 && is_ours(n, &arp.sender));
		return;
	}
	check(icmp_parse_neighbour(out + 14, len - 14, &message) == 0 && message.has_mac);
	check(is_ours(n, message.is_advertisement ? &message.target : &message.source));
}

static void give(struct neighbours *n, const uint8_t *frame, uint32_t len, uint64_t now_ns)
{
	uint8_t out[NEIGHBOURS_FRAME_BYTES];
	uint32_t said = neighbours_take(n, frame, len, now_ns, out);

	check(said == 0 || neighbours_are_meant(frame, len));
	if (said > 0)
		check_said(n, out, said);
	check(taken.count == 0 || (bits_next(&taken, 0) >= 4 && bits_next(&taken, 12) == 16));
	check(!n->is_known || (n->hop_mac[0] & 1) == 0);
	said = neighbours_ask(n, now_ns, out);
	if (said > 0)
		check_said(n, out, said);
	check(neighbours_next_ns(n) > now_ns);
}

/* Where it could be one of ICMPv6. */
static void make_right(uint8_t *frame, uint32_t len)
{
	uint32_t message = len >= 14 + 40 + 24 ? (uint32_t)frame[18] << 8 | frame[19] : 0, sum;

	if (message < 24 || message > len - 14 - 40)
		return;
	frame[14 + 42] = frame[14 + 43] = 0;
	sum = packet_sum(frame + 14 + 8, 32, message + 58);
	sum = packet_fold(packet_sum(frame + 14 + 40, message, sum));
	frame[14 + 42] = (uint8_t)(sum >> 8);
	frame[14 + 43] = (uint8_t)sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct tuple_plan plans[2];
	struct neighbours four, six;
	uint64_t now_ns = UINT64_C(1000000000);
	size_t len;

	set_up(&four, &plans[0], "198.18.1.10", "198.18.0.9");
	set_up(&six, &plans[1], "2001:2::1:10", "fe80::9");
	for (size_t at = 0; at < size; at += len) {
		len = data[at++];
		len = len < size - at ? len : size - at;
		uint8_t *frame = malloc(len > 0 ? len : 1);

		if (!frame)
			return 0;
		memcpy(frame, data + at, len);
		give(&four, frame, (uint32_t)len, now_ns);
		give(&six, frame, (uint32_t)len, now_ns);
		make_right(frame, (uint32_t)len);
		give(&six, frame, (uint32_t)len, now_ns);
		free(frame);
		now_ns += UINT64_C(700000000);
	}
	return 0;
}
