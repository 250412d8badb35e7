/* odd: options, fragments, other protocols, headers that contradict themselves. */
#include "unit_packet/groups.h"
#include "unit_packet/watch.h"

#include <string.h>

#define SPACE_MOST 40 /* for options, of IPv4 and of TCP */

static const uint8_t after[5] = {'a', 'f', 't', 'e', 'r'}; /* the options */

/* A SYN of five bytes with `ip_len` bytes of IPv4 options and `tcp_len` of TCP's. */
static size_t craft(uint8_t *packet, bool is_ipv6, const uint8_t *ip_options, size_t ip_len,
                    const uint8_t *tcp_options, size_t tcp_len)
{
	struct tuple tuple = {
		.source = ip_of(is_ipv6 ? "2001:2::1" : "198.18.0.1"),
		.target = ip_of(is_ipv6 ? "2001:2::2" : "198.18.0.2"),
		.source_port = 8090,
		.target_port = 1025,
	};
	struct segment segment = {.seq = 7, .window = 9, .flags = SEGMENT_SYN};
	uint8_t plain[PACKET_BYTES_MOST];
	size_t head = packet_build(plain, &tuple, &segment) - 20;
	uint8_t *tcp = packet + head + ip_len;

	memcpy(packet, plain, head);
	if (ip_len > 0)
		memcpy(packet + head, ip_options, ip_len);
	if (!is_ipv6)
		packet[0] = (uint8_t)(0x40 | (head + ip_len) / 4);
	memcpy(tcp, plain + head, 20);
	if (tcp_len > 0)
		memcpy(tcp + 20, tcp_options, tcp_len);
	tcp[12] = (uint8_t)((20 + tcp_len) / 4 << 4);
	memcpy(tcp + 20 + tcp_len, after, sizeof(after));
	make_right(packet, head + ip_len + 20 + tcp_len + 5);
	return head + ip_len + 20 + tcp_len + 5;
}

static size_t craft_plain(uint8_t *packet, bool is_ipv6)
{
	return craft(packet, is_ipv6, NULL, 0, NULL, 0);
}

static void check_kind(const uint8_t *packet, size_t len, enum packet_kind expected)
{
	struct packet out;

	assert_int_equal(parse(packet, len, false, &out), expected);
	assert_int_equal(parse(packet, len, true, &out), expected);
}

/* The data is there, wherever options end. */
static void check_after(const uint8_t *packet, size_t len, uint16_t mss)
{
	struct packet out;

	assert_int_equal(parse(packet, len, false, &out), PACKET_TCP);
	assert_int_equal(out.segment.mss, mss);
	assert_int_equal(out.segment.seq, 7);
	assert_int_equal(out.segment.len, 5);
	assert_memory_equal(out.segment.data, after, 5);
}

static const struct {
	const char *what;
	uint8_t len, bytes[SPACE_MOST];
	bool is_malformed;
	uint16_t mss;
} options[] = {
	{"no operation", 4, {1, 1, 1, 1}, false, 0},
	{"the end", 4, {0, 0, 0, 0}, false, 0},
	{"MSS", 4, {2, 4, 0x05, 0xb4}, false, 1460},
	{"MSS behind no operation", 8, {1, 1, 1, 2, 4, 0x02, 0x18, 1}, false, 536},
	{"MSS behind the end", 8, {1, 0, 2, 4, 0x05, 0xb4, 0, 0}, false, 0},
	{"what is behind the end is nothing", 4, {0, 2, 200, 0}, false, 0},
	{"the greatest MSS", 4, {2, 4, 0xff, 0xff}, false, 65535},
	{"an MSS of 1", 4, {2, 4, 0, 1}, false, 1},
	{"an MSS of 0", 4, {2, 4, 0, 0}, false, 0},
	{"the last MSS", 8, {2, 4, 0x05, 0xb4, 2, 4, 0x02, 0x18}, false, 536},
	{"an MSS of another length", 4, {2, 3, 0x05, 1}, false, 0},
	{"an MSS that is too long", 8, {2, 6, 0x05, 0xb4, 1, 1, 1, 1}, false, 0},
	{"unknown", 8, {253, 3, 2, 2, 4, 0x05, 0xb4, 1}, false, 1460},
	{"unknown, empty", 8, {200, 2, 253, 2, 2, 4, 0x05, 0xb4}, false, 1460},
	{"unknown, to the end", 4, {253, 4, 0, 0}, false, 0},
	{"what Linux sends",
         20,
         {2, 4, 0x05, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7},
         false,
         1460},
	{"all the space", 40, {254, 36, [36] = 2, 4, 0x05, 0xb4}, false, 1460},
	{"length 0", 4, {253, 0, 1, 1}, true, 0},
	{"length 1", 4, {253, 1, 1, 1}, true, 0},
	{"MSS of length 0", 4, {2, 0, 0x05, 0xb4}, true, 0},
	{"MSS of length 1", 4, {2, 1, 0x05, 0xb4}, true, 0},
	{"beyond the end, where the data is", 4, {1, 253, 4, 0}, true, 0},
	{"MSS beyond the end", 4, {1, 2, 4, 0x05}, true, 0},
	{"beyond the packet", 4, {253, 255, 0, 0}, true, 0},
	{"no length", 4, {1, 1, 1, 253}, true, 0},
	{"MSS without a length", 8, {2, 4, 0x05, 0xb4, 1, 1, 1, 2}, true, 0},
	{"right, then wrong", 8, {2, 4, 0x05, 0xb4, 8, 10, 0, 0}, true, 0},
};

static void options_of_tcp(void **state)
{
	uint8_t packet[PACKET_ROOM];
	struct packet out;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(options); i++) {
		for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
			size_t len = craft(packet, is_ipv6 != 0, NULL, 0, options[i].bytes,
			                   options[i].len);
			enum packet_kind kind = parse(packet, len, false, &out);

			if ((kind == PACKET_MALFORMED) != options[i].is_malformed)
				fail_msg("%s", options[i].what);
			if (kind != PACKET_MALFORMED)
				check_after(packet, len, options[i].mss);
		}
	}
}

/* RFC 9293 section 3.7.1: it is sent in a SYN only. */
static void mss_means_something_in_a_syn(void **state)
{
	static const uint8_t mss[] = {2, 4, 0x05, 0xb4};
	uint8_t packet[PACKET_ROOM];
	struct packet out;
	size_t len = craft(packet, false, NULL, 0, mss, 4);

	(void)state;
	for (uint32_t flags = 0; flags < 256; flags++) {
		packet[33] = (uint8_t)flags;
		make_right(packet, len);
		assert_int_equal(parse(packet, len, false, &out), PACKET_TCP);
		assert_int_equal(out.segment.flags, flags & 0x1f);
		assert_int_equal(out.segment.mss, flags & SEGMENT_SYN ? 1460 : 0);
	}
}

static void offset_of_the_data(void **state)
{
	static const uint8_t unknown[] = {254, 4};
	uint8_t packet[PACKET_ROOM];
	struct packet out;

	(void)state;
	for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
		size_t len = craft_plain(packet, is_ipv6 != 0);
		uint8_t *tcp = packet + head_of(packet);

		/* Of the 25 bytes a header of 24 leaves one: the rest is an unknown option. */
		memcpy(tcp + 20, unknown, sizeof(unknown));
		for (unsigned int offset = 0; offset < 16; offset++) {
			tcp[12] = (uint8_t)(offset << 4);
			make_right(packet, len);
			if (offset != 5 && offset != 6) {
				check_kind(packet, len, PACKET_MALFORMED);
				continue;
			}
			assert_int_equal(parse(packet, len, false, &out), PACKET_TCP);
			assert_int_equal(out.segment.len, offset == 5 ? 5 : 1);
		}
	}
}

static void options_of_ipv4_are_skipped(void **state)
{
	uint8_t packet[PACKET_ROOM], space[SPACE_MOST];
	static const uint8_t mss[] = {2, 4, 0x05, 0xb4};

	(void)state;
	memset(space, 1, sizeof(space));
	for (size_t len = 4; len <= SPACE_MOST; len += 4) {
		space[len - 1] = (uint8_t)(0x80 + len); /* of no kind: nothing looks at it */
		size_t all = craft(packet, false, space, len, mss, 4);
		struct packet out;

		check_after(packet, all, 1460);
		packet[20] ^= 4;
		assert_int_equal(parse(packet, all, true, &out), PACKET_BAD_CHECKSUM);
	}
}

static void lengths_that_contradict(void **state)
{
	uint8_t packet[PACKET_ROOM];
	size_t len = craft_plain(packet, false);

	(void)state;
	for (unsigned int words = 0; words < 5; words++) {
		packet[0] = (uint8_t)(0x40 | words);
		check_kind(packet, len, PACKET_MALFORMED);
	}
	packet[0] = 0x45;
	/* Shorter than the headers, then as long as them, then beyond what there is. */
	for (unsigned int total = 0; total < 40; total++) {
		make_right(packet, len);
		set_16(packet + 2, total);
		set_16(packet + 10, 0);
		set_16(packet + 10, ~sum_of(packet, 20, 0));
		check_kind(packet, len, PACKET_MALFORMED);
	}
	make_right(packet, len);
	check_after(packet, len, 0);
	make_right(packet, len + 1);
	check_kind(packet, len, PACKET_MALFORMED);
	len = craft_plain(packet, true);
	for (unsigned int payload = 0; payload < 20; payload++) {
		set_16(packet + 4, payload);
		check_kind(packet, len, PACKET_MALFORMED);
	}
	set_16(packet + 4, 26);
	check_kind(packet, len, PACKET_MALFORMED);
	set_16(packet + 4, 0xffff);
	check_kind(packet, len, PACKET_MALFORMED);
	set_16(packet + 4, 25);
	check_after(packet, len, 0);
}

static void fragments_are_foreign(void **state)
{
	static const struct {
		uint16_t field;
		bool is_part;
	} fields[] = {{0, false},     {0x4000, false}, {0x8000, false}, {0x2000, true},
	              {0x0001, true}, {0x1fff, true},  {0x3000, true},  {0x6001, true}};
	uint8_t packet[PACKET_ROOM];
	size_t len = craft_plain(packet, false);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(fields); i++) {
		set_16(packet + 6, fields[i].field);
		make_right(packet, len);
		check_kind(packet, len, fields[i].is_part ? PACKET_FOREIGN : PACKET_TCP);
	}
}

/* Also IPv6's extension headers: 0, 43, 44, 60 ... */
static void other_protocols_are_foreign(void **state)
{
	uint8_t packet[PACKET_ROOM];

	(void)state;
	for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
		size_t len = craft_plain(packet, is_ipv6 != 0);

		for (unsigned int protocol = 0; protocol < 256; protocol++) {
			packet[is_ipv6 ? 6 : 9] = (uint8_t)protocol;
			make_right(packet, len);
			check_kind(packet, len, protocol == 6 ? PACKET_TCP : PACKET_FOREIGN);
		}
	}
}

static void other_versions_are_foreign(void **state)
{
	uint8_t packet[PACKET_ROOM];
	size_t len = craft_plain(packet, false);

	(void)state;
	for (unsigned int version = 0; version < 16; version++) {
		packet[0] = (uint8_t)(version << 4 | 5);
		if (version != 4 && version != 6)
			check_kind(packet, len, PACKET_FOREIGN);
	}
}

/* What waits for a device to fill it in (CHECKSUM_PARTIAL) has the sum of the pseudo header there.
 */
static void checksums_that_are_not_looked_at(void **state)
{
	uint8_t packet[PACKET_ROOM];
	struct packet out;

	(void)state;
	for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
		size_t len = craft_plain(packet, is_ipv6 != 0);
		uint8_t *tcp = packet + head_of(packet);

		set_16(tcp + 16, sum_of(packet + (is_ipv6 ? 8 : 12), is_ipv6 ? 32 : 8, 6 + 25));
		assert_int_equal(parse(packet, len, false, &out), PACKET_BAD_CHECKSUM);
		assert_int_equal(parse(packet, len, true, &out), PACKET_TCP);
		assert_int_equal(out.segment.len, 5);
		assert_memory_equal(out.segment.data, after, 5);
	}
	/* That of IPv4's header always is. */
	size_t len = craft_plain(packet, false);

	packet[10] ^= 1;
	check_kind(packet, len, PACKET_BAD_CHECKSUM);
}

/* Segments that the kernel has not cut up yet (GSO) are as long as an IP packet can be. */
static void the_longest_there_is(void **state)
{
	static uint8_t packet[40 + 65535];
	struct packet out;

	(void)state;
	for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
		size_t len = is_ipv6 ? sizeof(packet) : 65535;

		memset(packet, 0xff, sizeof(packet));
		craft_plain(packet, is_ipv6 != 0);
		make_right(packet, len);
		assert_int_equal(parse(packet, len, false, &out), PACKET_TCP);
		assert_int_equal(out.segment.len, is_ipv6 ? 65515 : 65495);
		packet[len - 1] ^= 0x80;
		assert_int_equal(parse(packet, len, false, &out), PACKET_BAD_CHECKSUM);
	}
}

int run_odd_tests(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_of_tcp),
		cmocka_unit_test(mss_means_something_in_a_syn),
		cmocka_unit_test(offset_of_the_data),
		cmocka_unit_test(options_of_ipv4_are_skipped),
		cmocka_unit_test(lengths_that_contradict),
		cmocka_unit_test(fragments_are_foreign),
		cmocka_unit_test(other_protocols_are_foreign),
		cmocka_unit_test(other_versions_are_foreign),
		cmocka_unit_test(checksums_that_are_not_looked_at),
		cmocka_unit_test(the_longest_there_is),
	};

	return cmocka_run_group_tests_name("unit_packet: odd", tests, NULL, NULL);
}
