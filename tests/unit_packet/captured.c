/* captured: packets that a kernel sent. */
#include "unit_packet/groups.h"
#include "unit_packet/watch.h"

#include <stdlib.h>
#include <string.h>

#define ACK SEGMENT_ACK
#define SYN SEGMENT_SYN
#define PSH SEGMENT_PSH
#define RST SEGMENT_RST
#define FIN SEGMENT_FIN

/* Linux through a TUN device: 198.18.0.2 or 2001:2::2 connects to port 8090 of .1 or ::1. The first
 * eight with time stamps, SACK and window scaling, the others without. */
static const struct {
	const char *what, *hex;
	bool is_servers;
	uint16_t client_port;
	struct segment segment;
} captured[] = {
	{"SYN",
         "4500003c15f14000400698a3c6120002c6120001"
         "849c1f9a9e8411a300000000a002faf0ad440000020405b40402080a306a8ed7000000000103030a",
         false,
         33948,
         {0x9e8411a3, 0x00000000, 0xfaf0, 1460, 0, SYN, NULL}},
	{"SYN-ACK",
         "4500003c000040004006ae94c6120001c6120002"
         "1f9a849c39e1abc59e8411a4a012fe88597d0000020405b40402080ac61fa457306a8ed70103030a",
         true,
         33948,
         {0x39e1abc5, 0x9e8411a4, 0xfe88, 1460, 0, SYN | ACK, NULL}},
	{"five bytes",
         "4500003915f34000400698a4c6120002c6120001"
         "849c1f9a9e8411a439e1abc68018003f418900000101080a306a9005c61fa457"
         "68656c6c6f",
         false,
         33948,
         {0x9e8411a4, 0x39e1abc6, 0x003f, 0, 5, PSH | ACK, (const uint8_t *)"hello"}},
	{"sixteen",
         "450000444765400040066727c6120001c6120002"
         "1f9a849c39e1abc69e8411a980180040fe0c00000101080ac61fa6b2306a9005"
         "6563686f206f66203136206279746573",
         true,
         33948,
         {0x39e1abc6, 0x9e8411a9, 0x0040, 0, 16, PSH | ACK, (const uint8_t *)"echo of 16 bytes"}},
	{"RST with ACK",
         "4500003415f64000400698a6c6120002c6120001"
         "849c1f9a9e8411a939e1abd78014003f7e1600000101080a306a93b5c61fa7df",
         false,
         33948,
         {0x9e8411a9, 0x39e1abd7, 0x003f, 0, 0, RST | ACK, NULL}},
	{"SYN",
         "6004385b002806402001000200000000000000000000000220010002000000000000000000000001"
         "b7be1f9a22b7d4e400000000a002fd2002c80000020405a00402080ae64052ea000000000103030a",
         false,
         47038,
         {0x22b7d4e4, 0x00000000, 0xfd20, 1440, 0, SYN, NULL}},
	{"SYN-ACK",
         "6003b0c7002806402001000200000000000000000000000120010002000000000000000000000002"
         "1f9ab7be2f740dc322b7d4e5a012fb0424a90000020405a00402080a7c592699e64052ea0103030a",
         true,
         47038,
         {0x2f740dc3, 0x22b7d4e5, 0xfb04, 1440, 0, SYN | ACK, NULL}},
	{"five bytes",
         "6004385b002506402001000200000000000000000000000220010002000000000000000000000001"
         "b7be1f9a22b7d4e52f740dc480180040091c00000101080ae64054187c592699"
         "68656c6c6f",
         false,
         47038,
         {0x22b7d4e5, 0x2f740dc4, 0x0040, 0, 5, PSH | ACK, (const uint8_t *)"hello"}},
	{"SYN-ACK, the MSS alone",
         "4500002c000040004006aea4c6120001c6120002"
         "1f9a9c41212f24ab5c1202756012faf0b0c00000020405b4",
         true,
         40001,
         {0x212f24ab, 0x5c120275, 0xfaf0, 1460, 0, SYN | ACK, NULL}},
	{"ACK, 40 bytes",
         "450000283a4e40004006745ac6120002c6120001"
         "9c411f9a5c120275212f24ac5010faf0c87d0000",
         false,
         40001,
         {0x5c120275, 0x212f24ac, 0xfaf0, 0, 0, ACK, NULL}},
	{"one byte",
         "45000029b7bd40004006f6e9c6120001c6120002"
         "1f9a9c41212f24ac5c12027a5018faeb50740000"
         "78",
         true,
         40001,
         {0x212f24ac, 0x5c12027a, 0xfaeb, 0, 1, PSH | ACK, (const uint8_t *)"x"}},
	{"FIN with ACK",
         "45000028b7be40004006f6e9c6120001c6120002"
         "1f9a9c41212f24ad5c12027a5011faebc87b0000",
         true,
         40001,
         {0x212f24ad, 0x5c12027a, 0xfaeb, 0, 0, FIN | ACK, NULL}},
	{"SYN-ACK, the MSS alone",
         "600dd3cc001806402001000200000000000000000000000120010002000000000000000000000002"
         "1f9a9c415e0d581b40cbfae26012fd20ad4e0000020405a0",
         true,
         40001,
         {0x5e0d581b, 0x40cbfae2, 0xfd20, 1440, 0, SYN | ACK, NULL}},
	{"FIN with ACK",
         "600dd3cc001406402001000200000000000000000000000120010002000000000000000000000002"
         "1f9a9c415e0d581d40cbfae75011fd1bc4f50000",
         true,
         40001,
         {0x5e0d581d, 0x40cbfae7, 0xfd1b, 0, 0, FIN | ACK, NULL}},
};

/* Bytes of captured[i]; returns how many. */
static size_t load(size_t i, uint8_t bytes[PACKET_ROOM])
{
	const char *hex = captured[i].hex;
	size_t len = strlen(hex) / 2;

	for (size_t at = 0; at < len; at++) {
		char two[3] = {hex[2 * at], hex[2 * at + 1], '\0'};

		bytes[at] = (uint8_t)strtoul(two, NULL, 16);
	}
	return len;
}

/* The tuple of captured[i], as its sender has it or as its receiver. */
static struct tuple tuple_of(size_t i, bool is_ipv6, bool is_senders)
{
	struct ip server = ip_of(is_ipv6 ? "2001:2::1" : "198.18.0.1");
	struct ip client = ip_of(is_ipv6 ? "2001:2::2" : "198.18.0.2");

	if (captured[i].is_servers == is_senders)
		return (struct tuple){server, client, 8090, captured[i].client_port};
	return (struct tuple){client, server, captured[i].client_port, 8090};
}

static void captured_packets_are_read(void **state)
{
	uint8_t bytes[PACKET_ROOM];
	struct packet packet;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(captured); i++) {
		size_t len = load(i, bytes);
		struct tuple tuple = tuple_of(i, !is_ipv4(bytes), false);

		if (parse(bytes, len, false, &packet) != PACKET_TCP ||
		    !same_tuple(&packet.tuple, &tuple) ||
		    !same_segment(&packet.segment, &captured[i].segment))
			fail_msg("%zu: %s", i, captured[i].what);
	}
}

/* Without other options ours are the same packets, but for IPv4's id and IPv6's flow label. */
static void captured_packets_are_made(void **state)
{
	uint8_t bytes[PACKET_ROOM], made[PACKET_BYTES_MOST];
	size_t count = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(captured); i++) {
		size_t len = load(i, bytes);
		struct tuple tuple = tuple_of(i, !is_ipv4(bytes), true);
		uint32_t options = captured[i].segment.mss != 0 ? 4 : 0;

		if (len != head_of(bytes) + 20 + options + captured[i].segment.len)
			continue;
		if (is_ipv4(bytes))
			set_16(bytes + 4, 0);
		else
			memset(bytes + 1, 0, 3);
		make_right(bytes, len);
		assert_int_equal(packet_build(made, &tuple, &captured[i].segment), len);
		assert_memory_equal(made, bytes, len);
		count++;
	}
	assert_int_equal(count, 6);
}

static void packets_that_are_cut_off(void **state)
{
	uint8_t bytes[PACKET_ROOM];
	struct packet packet;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(captured); i++) {
		size_t len = load(i, bytes);

		for (size_t cut = 0; cut < len; cut++) {
			assert_int_equal(parse(bytes, cut, false, &packet), PACKET_MALFORMED);
			assert_int_equal(parse(bytes, cut, true, &packet), PACKET_MALFORMED);
		}
	}
}

static void padding_is_ignored(void **state)
{
	uint8_t bytes[PACKET_ROOM];
	struct packet packet;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(captured); i++) {
		size_t len = load(i, bytes);

		for (size_t more = 1; more <= 20; more++) {
			bytes[len + more - 1] = (uint8_t)(more % 2 != 0 ? 0xff : 0x5a);
			assert_int_equal(parse(bytes, len + more, false, &packet), PACKET_TCP);
			assert_true(same_segment(&packet.segment, &captured[i].segment));
		}
	}
}

/* What no sum covers: traffic class and flow label, and the hop limit. */
static bool is_unseen(const uint8_t *packet, size_t bit)
{
	return !is_ipv4(packet) && ((bit >= 4 && bit < 32) || bit / 8 == 7);
}

static void one_bit_is_wrong(void **state)
{
	uint8_t bytes[PACKET_ROOM];
	struct packet packet;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(captured); i++) {
		size_t len = load(i, bytes), head = head_of(bytes);
		struct tuple tuple = tuple_of(i, !is_ipv4(bytes), false);

		for (size_t bit = 0; bit < len * 8; bit++) {
			uint8_t mask = (uint8_t)(0x80 >> bit % 8);
			bool unseen = is_unseen(bytes, bit);

			bytes[bit / 8] ^= mask;
			enum packet_kind kind = parse(bytes, len, false, &packet);

			assert_int_equal(kind == PACKET_TCP, unseen);
			if (unseen) {
				assert_true(same_tuple(&packet.tuple, &tuple));
				assert_true(same_segment(&packet.segment, &captured[i].segment));
			}
			if (bit / 8 >= head)
				assert_int_equal(kind, PACKET_BAD_CHECKSUM);
			(void)parse(bytes, len, true, &packet); /* not beyond the end */
			bytes[bit / 8] ^= mask;
		}
	}
}

int run_captured_tests(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(captured_packets_are_read),
		cmocka_unit_test(captured_packets_are_made),
		cmocka_unit_test(packets_that_are_cut_off),
		cmocka_unit_test(padding_is_ignored),
		cmocka_unit_test(one_bit_is_wrong),
	};

	return cmocka_run_group_tests_name("unit_packet: captured", tests, NULL, NULL);
}
