/* unit_neighbours: what hosts of our own say on a LAN, to whom, and when. */
#include "utcp/neighbours.h"

#include "base/bits.h"
#include "base/clock.h"
#include "kernel/arp.h"
#include "kernel/icmp.h"

#include <linux/if_ether.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define START (100 * NS_PER_S)

static const uint8_t ours[6] = {2, 0, 0, 0, 0, 1}, theirs[6] = {2, 0, 0, 0, 0, 2};
static const uint8_t another[6] = {2, 0, 0, 0, 0, 3}, to_all[6] = {255, 255, 255, 255, 255, 255};

static struct tuple_plan plan;
static struct bits taken;
static struct neighbours n;
static uint8_t out[NEIGHBOURS_FRAME_BYTES];

static struct ip ip_of(const char *text)
{
	struct ip ip;

	assert_int_equal(ip_parse(text, &ip), 0);
	return ip;
}

static bool is(const struct ip *ip, const char *text)
{
	const struct ip other = ip_of(text);

	return ip_equal(ip, &other);
}

static int set_up(const char *sources, uint32_t first, uint32_t count, const char *hop)
{
	struct err err;

	memset(&plan, 0, sizeof(plan));
	assert_int_equal(pool_parse(sources, &plan.sources, &err), 0);
	if (!taken.words)
		assert_true(bits_make(&taken, 10));
	bits_empty(&taken);
	n = (struct neighbours){.ours = {&plan, first, count, &taken}, .hop = ip_of(hop)};
	memcpy(n.mac, ours, 6);
	return 0;
}

static void set_up_ipv4(void)
{
	set_up("198.18.1.10-19", 2, 4, "198.18.0.9"); /* .12 - .15 */
}

static void set_up_ipv6(void)
{
	set_up("2001:2::1:10-2001:2::1:19", 2, 4, "fe80::9"); /* ::1:12 - ::1:15 */
}

/* ---- frames ---------------------------------------------------------------------------------- */

static uint32_t take_arp(uint16_t operation, const uint8_t *mac, const char *sender,
                         const char *target, uint64_t now_ns)
{
	struct arp arp = {.operation = operation, .sender = ip_of(sender), .target = ip_of(target)};
	uint8_t frame[64] = {[12] = ETH_P_ARP >> 8, [13] = ETH_P_ARP & 0xff};

	memcpy(arp.sender_mac, mac, 6);
	memcpy(frame + 6, mac, 6);
	arp_make(&arp, operation == ARP_REPLY ? ours : NULL, frame + 14);
	assert_true(neighbours_are_meant(frame, sizeof(frame)));
	for (uint32_t len = 0; len < 14 + ARP_BYTES; len++)
		assert_int_equal(neighbours_take(&n, frame, len, now_ns, out), 0);
	return neighbours_take(&n, frame, sizeof(frame), now_ns, out);
}

static uint32_t take_message(const struct icmp_neighbour *message, const uint8_t *from,
                             uint64_t now_ns)
{
	uint8_t frame[14 + ICMP_NEIGHBOUR_BYTES] = {[12] = 0x86, [13] = 0xdd};
	uint32_t len = 14 + (uint32_t)icmp_make_neighbour(message, frame + 14);

	memcpy(frame + 6, from, 6);
	assert_true(neighbours_are_meant(frame, len));
	frame[14 + 40 + 2] ^= 1; /* its checksum */
	assert_int_equal(neighbours_take(&n, frame, len, now_ns, out), 0);
	frame[14 + 40 + 2] ^= 1;
	return neighbours_take(&n, frame, len, now_ns, out);
}

static uint32_t solicit(const char *source, const char *target, bool has_mac)
{
	struct icmp_neighbour message = {.source = ip_of(source),
	                                 .destination = ip_of("ff02::1:ff01:12"),
	                                 .target = ip_of(target),
	                                 .has_mac = has_mac};

	memcpy(message.mac, theirs, 6);
	return take_message(&message, theirs, START);
}

static uint32_t advertise(const char *target, const uint8_t *mac, bool is_override, uint64_t now_ns)
{
	struct icmp_neighbour message = {.is_advertisement = true,
	                                 .is_override = is_override,
	                                 .source = ip_of("fe80::9"),
	                                 .destination = ip_of("2001:2::1:12"),
	                                 .target = ip_of(target),
	                                 .has_mac = true};

	memcpy(message.mac, mac, 6);
	return take_message(&message, mac, now_ns);
}

static void expect_arp(uint32_t len, uint16_t operation, const uint8_t *to, const char *sender,
                       const char *target)
{
	struct arp arp;

	assert_int_equal(len, 14 + ARP_BYTES);
	assert_memory_equal(out, to, 6);
	assert_memory_equal(out + 6, ours, 6);
	assert_int_equal(out[12] << 8 | out[13], ETH_P_ARP);
	assert_int_equal(arp_parse(out + 14, len - 14, &arp), 0);
	assert_int_equal(arp.operation, operation);
	assert_memory_equal(arp.sender_mac, ours, 6);
	assert_true(is(&arp.sender, sender));
	assert_true(is(&arp.target, target));
	if (operation == ARP_REPLY)
		assert_memory_equal(out + 14 + 18, to, 6);
}

static struct icmp_neighbour expect_message(uint32_t len, const uint8_t *to, const char *source,
                                            const char *destination, const char *target)
{
	struct icmp_neighbour message;

	assert_int_equal(len, 14 + ICMP_NEIGHBOUR_BYTES);
	assert_memory_equal(out, to, 6);
	assert_memory_equal(out + 6, ours, 6);
	assert_int_equal(out[12] << 8 | out[13], ETH_P_IPV6);
	assert_int_equal(icmp_parse_neighbour(out + 14, len - 14, &message), 0);
	assert_true(is(&message.source, source));
	assert_true(is(&message.destination, destination));
	assert_true(is(&message.target, target));
	assert_true(message.has_mac);
	assert_memory_equal(message.mac, ours, 6);
	return message;
}

/* ---- answers --------------------------------------------------------------------------------- */

static void arp_is_answered(void **state)
{
	uint32_t len;

	(void)state;
	set_up_ipv4();
	len = take_arp(ARP_REQUEST, theirs, "198.18.0.2", "198.18.1.12", START);
	expect_arp(len, ARP_REPLY, theirs, "198.18.1.12", "198.18.0.2");
	len = take_arp(ARP_REQUEST, another, "0.0.0.0", "198.18.1.15", START); /* a probe */
	expect_arp(len, ARP_REPLY, another, "198.18.1.15", "0.0.0.0");
	assert_int_equal(take_arp(ARP_REQUEST, theirs, "198.18.0.2", "198.18.1.11", START), 0);
	assert_int_equal(take_arp(ARP_REQUEST, theirs, "198.18.0.2", "198.18.1.16", START), 0);
	assert_int_equal(take_arp(ARP_REPLY, theirs, "198.18.0.2", "198.18.1.12", START), 0);
	assert_int_equal(take_arp(ARP_REQUEST, ours, "198.18.0.2", "198.18.1.12", START), 0);
	assert_int_equal(take_arp(ARP_REQUEST, to_all, "198.18.0.2", "198.18.1.12", START), 0);
	assert_int_equal(n.conflicts, 0);
	assert_false(n.is_known);
}

static void solicitations_are_answered(void **state)
{
	static const uint8_t nodes[6] = {0x33, 0x33, 0, 0, 0, 1};
	struct icmp_neighbour answer;

	(void)state;
	set_up_ipv6();
	answer = expect_message(solicit("2001:2::2", "2001:2::1:12", true), theirs, "2001:2::1:12",
	                        "2001:2::2", "2001:2::1:12");
	assert_true(answer.is_advertisement && answer.is_solicited && answer.is_override);
	expect_message(solicit("2001:2::2", "2001:2::1:12", false), theirs, "2001:2::1:12",
	               "2001:2::2", "2001:2::1:12");
	answer = expect_message(solicit("::", "2001:2::1:15", false), nodes, "2001:2::1:15",
	                        "ff02::1", "2001:2::1:15");
	assert_true(answer.is_advertisement && !answer.is_solicited && answer.is_override);
	assert_int_equal(solicit("2001:2::2", "2001:2::1:11", true), 0);
	assert_int_equal(solicit("2001:2::2", "2001:2::1:16", true), 0);
	assert_false(n.is_known);
}

static void sources_are_announced(void **state)
{
	static const uint8_t nodes[6] = {0x33, 0x33, 0, 0, 0, 1};

	(void)state;
	set_up_ipv4();
	expect_arp(neighbours_announce(&n, 3, out), ARP_REQUEST, to_all, "198.18.1.15",
	           "198.18.1.15");
	set_up_ipv6();
	const struct icmp_neighbour said = expect_message(
		neighbours_announce(&n, 0, out), nodes, "2001:2::1:12", "ff02::1", "2001:2::1:12");

	assert_true(said.is_advertisement && said.is_override && !said.is_solicited);
}

static void sources_are_defended(void **state)
{
	uint32_t len;

	(void)state;
	set_up_ipv4();
	len = take_arp(ARP_REQUEST, another, "198.18.1.13", "198.18.1.13", START);
	expect_arp(len, ARP_REQUEST, to_all, "198.18.1.13", "198.18.1.13");
	assert_int_equal(
		take_arp(ARP_REPLY, another, "198.18.1.13", "198.18.0.2", START + 9 * NS_PER_S), 0);
	len = take_arp(ARP_REPLY, another, "198.18.1.13", "198.18.0.2", START + 10 * NS_PER_S);
	expect_arp(len, ARP_REQUEST, to_all, "198.18.1.13", "198.18.1.13");
	assert_int_equal(n.conflicts, 3);
	assert_int_equal(taken.count, 1);
	assert_true(bits_has(&taken, 3));
	set_up_ipv6();
	assert_true(advertise("2001:2::1:13", another, true, START) > 0);
	assert_int_equal(advertise("2001:2::1:13", another, true, START + NS_PER_S), 0);
	assert_int_equal(advertise("2001:2::1:13", ours, true, START + 20 * NS_PER_S), 0);
	assert_int_equal(n.conflicts, 2);
	assert_true(bits_has(&taken, 3));
	bits_empty(&taken);
	assert_int_equal(solicit("2001:2::1:14", "2001:2::2", true), 0); /* defended a moment ago */
	assert_int_equal(n.conflicts, 3);
	assert_true(bits_has(&taken, 4));
	assert_int_equal(solicit("2001:2::1:17", "2001:2::2", true), 0);
	assert_int_equal(n.conflicts, 3);
	n.ours.taken = NULL; /* nobody asks */
	assert_true(advertise("2001:2::1:13", another, true, START + 20 * NS_PER_S) > 0);
}

/* ---- the next hop ---------------------------------------------------------------------------- */

static void next_hop_is_found(void **state)
{
	uint64_t now_ns = START;

	(void)state;
	set_up_ipv4();
	assert_int_equal(neighbours_next_ns(&n), UINT64_MAX);
	for (int i = 0; i < 10; i++) {
		expect_arp(neighbours_ask(&n, now_ns, out), ARP_REQUEST, to_all, "198.18.1.12",
		           "198.18.0.9");
		assert_int_equal(neighbours_ask(&n, now_ns + 499 * NS_PER_MS, out), 0);
		assert_int_equal(neighbours_next_ns(&n), now_ns + 500 * NS_PER_MS);
		now_ns += 500 * NS_PER_MS;
	}
	assert_true(neighbours_ask(&n, now_ns, out) > 0);
	assert_int_equal(neighbours_next_ns(&n), UINT64_MAX); /* while something is sent */
	assert_true(neighbours_ask(&n, now_ns + NS_PER_S, out) > 0);
	assert_int_equal(take_arp(ARP_REPLY, theirs, "198.18.0.9", "198.18.1.12", now_ns), 0);
	assert_true(n.is_known);
	assert_memory_equal(n.hop_mac, theirs, 6);
	assert_int_equal(neighbours_next_ns(&n), UINT64_MAX);
	assert_int_equal(neighbours_ask(&n, now_ns + 1999 * NS_PER_MS, out), 0);
}

/* Asked where it was; then everybody is. */
static void next_hop_moves(void **state)
{
	uint64_t now_ns = START + 2 * NS_PER_S;

	(void)state;
	set_up_ipv4();
	take_arp(ARP_REPLY, theirs, "198.18.0.9", "198.18.1.12", START);
	expect_arp(neighbours_ask(&n, now_ns, out), ARP_REQUEST, theirs, "198.18.1.12",
	           "198.18.0.9");
	expect_arp(neighbours_ask(&n, now_ns + NS_PER_S, out), ARP_REQUEST, to_all, "198.18.1.12",
	           "198.18.0.9");
	assert_memory_equal(n.hop_mac, theirs, 6);
	take_arp(ARP_REPLY, another, "198.18.0.9", "198.18.1.12", now_ns + NS_PER_S);
	assert_memory_equal(n.hop_mac, another, 6);
	/* Of its own accord; and by a question of its own. */
	take_arp(ARP_REQUEST, theirs, "198.18.0.9", "198.18.0.9", now_ns + NS_PER_S);
	assert_memory_equal(n.hop_mac, theirs, 6);
	take_arp(ARP_REQUEST, another, "198.18.0.9", "198.18.0.77", now_ns + NS_PER_S);
	assert_memory_equal(n.hop_mac, another, 6);
	/* Neither from all nor from ourselves. */
	take_arp(ARP_REPLY, to_all, "198.18.0.9", "198.18.1.12", now_ns + NS_PER_S);
	take_arp(ARP_REPLY, ours, "198.18.0.9", "198.18.1.12", now_ns + NS_PER_S);
	take_arp(ARP_REPLY, theirs, "198.18.0.8", "198.18.1.12", now_ns + NS_PER_S);
	assert_memory_equal(n.hop_mac, another, 6);
}

static void next_hop_of_ipv6(void **state)
{
	static const uint8_t group[6] = {0x33, 0x33, 0xff, 0, 0, 9};
	struct icmp_neighbour asked;

	(void)state;
	set_up_ipv6();
	asked = expect_message(neighbours_ask(&n, START, out), group, "2001:2::1:12",
	                       "ff02::1:ff00:9", "fe80::9");
	assert_false(asked.is_advertisement);
	assert_int_equal(advertise("fe80::8", theirs, true, START), 0);
	assert_false(n.is_known);
	assert_int_equal(advertise("fe80::9", theirs, false, START), 0);
	assert_memory_equal(n.hop_mac, theirs, 6);
	/* Without "override" what is known stays (RFC 4861 section 7.2.5). */
	advertise("fe80::9", another, false, START);
	assert_memory_equal(n.hop_mac, theirs, 6);
	advertise("fe80::9", another, true, START);
	assert_memory_equal(n.hop_mac, another, 6);
	asked = expect_message(neighbours_ask(&n, START + 2 * NS_PER_S, out), another,
	                       "2001:2::1:12", "fe80::9", "fe80::9");
	assert_false(asked.is_advertisement);
	/* Its own question for one of ours. */
	assert_true(solicit("fe80::9", "2001:2::1:12", true) > 0);
	assert_memory_equal(n.hop_mac, theirs, 6);
}

/* ---- others' frames -------------------------------------------------------------------------- */

static void what_is_meant(void **state)
{
	uint8_t frame[14 + 72] = {[12] = 0x08, [13] = 0x00};

	(void)state;
	set_up_ipv4();
	assert_false(neighbours_are_meant(frame, sizeof(frame)));
	assert_int_equal(neighbours_take(&n, frame, sizeof(frame), START, out), 0);
	frame[12] = 0x86;
	frame[13] = 0xdd;
	assert_false(neighbours_are_meant(frame, sizeof(frame)));
	frame[14 + 6] = 58;
	frame[14 + 40] = 128;
	assert_false(neighbours_are_meant(frame, sizeof(frame)));
	frame[14 + 40] = 135;
	assert_true(neighbours_are_meant(frame, sizeof(frame)));
	assert_false(neighbours_are_meant(frame, 14 + 40));
	/* One family's messages are not the other's. */
	assert_int_equal(solicit("2001:2::2", "2001:2::1:12", true), 0);
	set_up_ipv6();
	assert_int_equal(take_arp(ARP_REQUEST, theirs, "198.18.0.2", "198.18.1.12", START), 0);
}

static void own_addresses(void **state)
{
	const struct ip one = ip_of("198.18.1.10"), two = ip_of("198.18.1.11");
	uint8_t first[6], second[6], again[6];

	(void)state;
	neighbours_make_mac(theirs, &one, first);
	neighbours_make_mac(theirs, &one, again);
	neighbours_make_mac(theirs, &two, second);
	assert_memory_equal(first, again, 6);
	assert_memory_not_equal(first, second, 6);
	neighbours_make_mac(another, &one, second);
	assert_memory_not_equal(first, second, 6);
	assert_int_equal(first[0] & 3, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arp_is_answered),
		cmocka_unit_test(solicitations_are_answered),
		cmocka_unit_test(sources_are_announced),
		cmocka_unit_test(sources_are_defended),
		cmocka_unit_test(next_hop_is_found),
		cmocka_unit_test(next_hop_moves),
		cmocka_unit_test(next_hop_of_ipv6),
		cmocka_unit_test(what_is_meant),
		cmocka_unit_test(own_addresses),
	};

	return cmocka_run_group_tests_name("unit_neighbours", tests, NULL, NULL);
}
