/* unit_packets: ARP probes and claims, echo requests and replies, solicitations and advertisements,
 * against bytes written out by hand from the RFCs. */
#include "kernel/arp.h"
#include "kernel/icmp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

static const uint8_t mac[6] = {0x02, 0xaa, 0xbb, 0xcc, 0xdd, 0xee};

static struct ip ip_of(const char *text)
{
	struct ip ip;

	assert_int_equal(ip_parse(text, &ip), 0);
	return ip;
}

/* ---- ARP ------------------------------------------------------------------------------------ */

/* RFC 826: who-has 192.168.1.77, tell 0.0.0.0. */
static const uint8_t probe[ARP_BYTES] = {0, 1, 8, 0, 6, 4, 0, 1, 0x02, 0xaa, 0xbb, 0xcc, 0xdd, 0xee,
                                         0, 0, 0, 0, 0, 0, 0, 0, 0,    0,    192,  168,  1,    77};

static void arp_probe_is_as_the_rfc_has_it(void **state)
{
	struct ip target = ip_of("192.168.1.77");
	uint8_t packet[ARP_BYTES];

	(void)state;
	arp_probe(mac, &target, packet);
	assert_memory_equal(packet, probe, ARP_BYTES);
}

static void assert_claim(const uint8_t *packet, const char *expected)
{
	struct ip ip;
	struct arp arp;

	assert_int_equal(arp_parse(packet, ARP_BYTES, &arp), 0);
	assert_memory_equal(arp.sender_mac, mac, 6);
	const struct ip *claimed = arp_claims(&arp);

	if (!expected) {
		assert_null(claimed);
		return;
	}
	ip = ip_of(expected);
	assert_non_null(claimed);
	assert_true(ip_equal(claimed, &ip));
}

static void arp_claims_by_all_kinds_of_packets(void **state)
{
	uint8_t packet[ARP_BYTES];

	(void)state;
	memcpy(packet, probe, ARP_BYTES);
	assert_claim(packet, "192.168.1.77"); /* a probe: its target */
	packet[14] = 10;                      /* a request from 10.0.0.0 */
	assert_claim(packet, "10.0.0.0");
	packet[7] = 2; /* a reply */
	assert_claim(packet, "10.0.0.0");
	packet[14] = 0; /* a reply from nobody */
	assert_claim(packet, NULL);
}

static void arp_that_is_not_ours_to_read(void **state)
{
	struct arp arp;
	uint8_t packet[ARP_BYTES];

	(void)state;
	for (size_t len = 0; len < ARP_BYTES; len++)
		assert_int_equal(arp_parse(probe, len, &arp), -EBADMSG);
	/* Hardware, protocol and their lengths; an operation beyond request and reply. */
	for (size_t at = 0; at < 8; at++) {
		memcpy(packet, probe, ARP_BYTES);
		packet[at] ^= 0x40;
		assert_int_equal(arp_parse(packet, ARP_BYTES, &arp), -EBADMSG);
	}
	/* Frames are padded to 46 bytes. */
	uint8_t padded[46] = {0};

	memcpy(padded, probe, ARP_BYTES);
	assert_int_equal(arp_parse(padded, sizeof(padded), &arp), 0);
}

/* ---- echo ----------------------------------------------------------------------------------- */

static void echo_requests(void **state)
{
	/* 0x0800 + 0x1234 + 0x0001 = 0x1a35, of which the complement is 0xe5ca. */
	static const uint8_t request4[8] = {8, 0, 0xe5, 0xca, 0x12, 0x34, 0, 1};
	static const uint8_t request6[8] = {128, 0, 0, 0, 0x12, 0x34, 0, 1};
	uint8_t packet[ICMP_ECHO_BYTES];

	(void)state;
	icmp_echo(AF_INET, 0x1234, 1, packet);
	assert_memory_equal(packet, request4, 8);
	icmp_echo(AF_INET6, 0x1234, 1, packet);
	assert_memory_equal(packet, request6, 8);
}

static void echo_replies(void **state)
{
	uint8_t reply[8] = {0, 0, 0, 0, 0x12, 0x34, 0, 1};

	(void)state;
	assert_true(icmp_is_reply(AF_INET, reply, 8, 0x1234));
	assert_false(icmp_is_reply(AF_INET, reply, 8, 0x1235));
	assert_false(icmp_is_reply(AF_INET, reply, 7, 0x1234));
	assert_false(icmp_is_reply(AF_INET6, reply, 8, 0x1234));
	reply[1] = 1;
	assert_false(icmp_is_reply(AF_INET, reply, 8, 0x1234));
	reply[1] = 0;
	reply[0] = 129;
	assert_true(icmp_is_reply(AF_INET6, reply, 8, 0x1234));
	reply[0] = 8; /* somebody's request */
	assert_false(icmp_is_reply(AF_INET, reply, 8, 0x1234));
}

static void ipv4_header_is_passed_over(void **state)
{
	uint8_t packet[40] = {0x45, [9] = 1};
	size_t len = 0;

	(void)state;
	assert_ptr_equal(icmp_of_ipv4(packet, 28, &len), packet + 20);
	assert_int_equal(len, 8);
	packet[0] = 0x47; /* with options */
	assert_ptr_equal(icmp_of_ipv4(packet, 40, &len), packet + 28);
	assert_int_equal(len, 12);
	assert_null(icmp_of_ipv4(packet, 27, &len));
	assert_null(icmp_of_ipv4(packet, 19, &len));
	packet[0] = 0x44; /* shorter than a header can be */
	assert_null(icmp_of_ipv4(packet, 40, &len));
	packet[0] = 0x65;
	assert_null(icmp_of_ipv4(packet, 40, &len));
	packet[0] = 0x45;
	packet[9] = 6;
	assert_null(icmp_of_ipv4(packet, 40, &len));
}

/* ---- neighbours ----------------------------------------------------------------------------- */

/* For 2001:2::abcd:ef01, from :: to ff02::1:ffcd:ef01. The checksum is the complement of what the
 * words but itself add up to: the group ff02 + 1 + ffcd + ef01, 24 + 58 of the pseudo-header, 8700
 * of the type, the target 2001 + 2 + abcd + ef01: 52ff4, with its carries 2ff9. */
static const uint8_t solicitation[ICMP_SOLICIT_BYTES] = {
	[0] = 0x60,  [5] = 24,    [6] = 58,    [7] = 255,   [24] = 0xff, [25] = 0x02, [35] = 1,
	[36] = 0xff, [37] = 0xcd, [38] = 0xef, [39] = 0x01, [40] = 135,  [42] = 0xd0, [43] = 0x06,
	[48] = 0x20, [49] = 0x01, [51] = 2,    [60] = 0xab, [61] = 0xcd, [62] = 0xef, [63] = 0x01};

static void solicitation_is_as_the_rfcs_have_it(void **state)
{
	static const uint8_t group[6] = {0x33, 0x33, 0xff, 0xcd, 0xef, 0x01};
	struct ip target = ip_of("2001:2::abcd:ef01");
	uint8_t packet[ICMP_SOLICIT_BYTES], frame_to[6];
	struct icmp_claim claim;

	(void)state;
	icmp_solicit(&target, packet, frame_to);
	assert_memory_equal(packet, solicitation, ICMP_SOLICIT_BYTES);
	assert_memory_equal(frame_to, group, 6);
	/* From another it says that he is about to take the address. */
	assert_int_equal(icmp_parse_claim(packet, sizeof(packet), &claim), 0);
	assert_true(ip_equal(&claim.target, &target));
	assert_false(claim.has_mac);
}

/* Changes a byte and the checksum with it (RFC 1624, by adding up anew). */
static void set_byte(uint8_t *packet, size_t at, uint8_t value)
{
	uint32_t sum = 0;
	size_t len = (size_t)(packet[4] << 8 | packet[5]);

	packet[at] = value;
	packet[42] = packet[43] = 0;
	for (size_t i = 8; i < 40 + len; i += 2)
		sum += (uint32_t)(packet[i] << 8 | packet[i + 1]);
	sum += (uint32_t)len + 58;
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	packet[42] = (uint8_t)(~sum >> 8);
	packet[43] = (uint8_t)~sum;
}

/* From fe80::1 to all nodes, with its MAC. */
static void make_advertisement(uint8_t packet[72])
{
	memset(packet, 0, 72);
	memcpy(packet, solicitation, sizeof(solicitation));
	packet[5] = 32;
	packet[8] = 0xfe;
	packet[9] = 0x80;
	packet[23] = 1;
	packet[64] = 2; /* target link-layer address */
	packet[65] = 1;
	memcpy(packet + 66, mac, 6);
	set_byte(packet, 40, 136);
}

static void advertisement_claims(void **state)
{
	struct ip target = ip_of("2001:2::abcd:ef01");
	struct icmp_claim claim;
	uint8_t packet[80] = {0};

	(void)state;
	make_advertisement(packet);
	assert_int_equal(icmp_parse_claim(packet, 72, &claim), 0);
	assert_true(ip_equal(&claim.target, &target));
	assert_true(claim.has_mac);
	assert_memory_equal(claim.mac, mac, 6);
	/* Bytes behind the packet are the frame's padding. */
	assert_int_equal(icmp_parse_claim(packet, 80, &claim), 0);
	/* Another option: no MAC, but a claim. */
	set_byte(packet, 64, 14);
	assert_int_equal(icmp_parse_claim(packet, 72, &claim), 0);
	assert_false(claim.has_mac);
}

static void neighbour_messages_that_are_not_valid(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
	} changes[] = {
		{0, 0x45},  /* IPv4                                             */
		{6, 17},    /* UDP                                              */
		{7, 254},   /* hop limit: it has come by a router               */
		{5, 33},    /* longer than the packet                           */
		{5, 16},    /* shorter than an advertisement                    */
		{40, 135},  /* a solicitation that is not from ::               */
		{40, 134},  /* a router's advertisement                         */
		{41, 1},    /* code                                             */
		{48, 0xff}, /* the target is a group                           */
		{65, 0},    /* an option of length 0                            */
		{65, 2},    /* an option longer than the message                */
	};
	struct icmp_claim claim;
	uint8_t packet[80] = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		make_advertisement(packet);
		set_byte(packet, changes[i].at, changes[i].value);
		if (icmp_parse_claim(packet, 72, &claim) != -EBADMSG)
			fail_msg("byte %zu as %u was taken", changes[i].at, changes[i].value);
	}
	make_advertisement(packet);
	for (size_t len = 0; len < 72; len++)
		assert_int_equal(icmp_parse_claim(packet, len, &claim), -EBADMSG);
	packet[42] ^= 1;
	assert_int_equal(icmp_parse_claim(packet, 72, &claim), -EBADMSG);
	/* An advertisement from :: */
	make_advertisement(packet);
	packet[8] = packet[9] = 0;
	set_byte(packet, 23, 0);
	assert_int_equal(icmp_parse_claim(packet, 72, &claim), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arp_probe_is_as_the_rfc_has_it),
		cmocka_unit_test(arp_claims_by_all_kinds_of_packets),
		cmocka_unit_test(arp_that_is_not_ours_to_read),
		cmocka_unit_test(echo_requests),
		cmocka_unit_test(echo_replies),
		cmocka_unit_test(ipv4_header_is_passed_over),
		cmocka_unit_test(solicitation_is_as_the_rfcs_have_it),
		cmocka_unit_test(advertisement_claims),
		cmocka_unit_test(neighbour_messages_that_are_not_valid),
	};

	return cmocka_run_group_tests_name("unit_packets", tests, NULL, NULL);
}
