/* made: sums, and packets of ours. */
#include "unit_packet/groups.h"
#include "unit_packet/watch.h"

#include <string.h>

static uint64_t seed = 1;

static uint32_t draw(void)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(seed >> 32);
}

/* ---- sums ----------------------------------------------------------------------------------- */

static void sum_of_the_rfc(void **state)
{
	/* RFC 1071 section 3: 2ddf0, ddf2 when the carry has come around. */
	static const uint8_t example[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
	static const uint8_t odd[] = {0x12, 0x34, 0x56};

	(void)state;
	assert_int_equal(packet_fold(packet_sum(example, 8, 0)), 0xffff - 0xddf2);
	assert_int_equal(packet_fold(0x2ddf0), 0xffff - 0xddf2);
	assert_int_equal(packet_fold(packet_sum(odd, 3, 0)), 0xffff - 0x6834);
	assert_int_equal(packet_fold(packet_sum(odd, 0, 0x1234)), 0xffff - 0x1234);
	assert_int_equal(packet_fold(0), 0xffff);
	assert_int_equal(packet_fold(UINT32_MAX), 0);
	assert_int_equal(packet_fold(packet_sum(odd, 2, UINT32_MAX)), 0xffff - 0x1234);
}

static void sums_of_all_lengths_and_places(void **state)
{
	static uint8_t room[65536 + 8];

	(void)state;
	for (size_t i = 0; i < sizeof(room); i++)
		room[i] = (uint8_t)(draw() % 4 == 0 ? 0xff : draw());
	for (uint32_t at = 0; at < 8; at++) {
		for (uint32_t len = 0; len < 300; len++) {
			uint32_t start = draw() & 0xffff;
			uint32_t expected = 0xffff - sum_of(room + at, len, 0);
			uint32_t parts = len / 2 & ~1U;

			assert_int_equal(packet_fold(packet_sum(room + at, len, 0)), expected);
			/* In two pieces, the first of an even length. */
			uint32_t sum = packet_sum(room + at, parts, start);

			sum = packet_sum(room + at + parts, len - parts, sum);
			assert_int_equal(packet_fold(sum), 0xffff - sum_of(room + at, len, start));
		}
	}
	memset(room, 0xff, sizeof(room));
	for (uint32_t len = 65520; len <= 65535; len++)
		assert_int_equal(packet_fold(packet_sum(room, len, 0)),
		                 0xffff - sum_of(room, len, 0));
}

/* ---- packets -------------------------------------------------------------------------------- */

static struct tuple tuple_drawn(bool is_ipv6)
{
	struct tuple tuple = {
		.source = ip_of(is_ipv6 ? "2001:2::" : "198.18.0.0"),
		.target = ip_of(is_ipv6 ? "2001:2:0:1::" : "198.19.0.0"),
		.source_port = (uint16_t)draw(),
		.target_port = (uint16_t)draw(),
	};

	tuple.source = ip_add(&tuple.source, draw() % 65536);
	tuple.target = ip_add(&tuple.target, is_ipv6 ? UINT64_MAX - draw() : draw() % 65536);
	return tuple;
}

static struct segment segment_drawn(const uint8_t *data, uint16_t len)
{
	static const uint16_t sizes[] = {0, 1, 536, 1460, 65535};

	return (struct segment){
		.seq = draw() % 4 == 0 ? UINT32_MAX : draw(),
		.ack = draw(),
		.window = (uint16_t)draw(),
		.mss = sizes[draw() % COUNT_OF(sizes)],
		.len = len,
		.flags = draw() & 0x1f,
		.data = data,
	};
}

/* RFC 791: version and length of the header, DF, id 0, 64 hops, TCP, a right sum. */
static void check_ipv4(const uint8_t *packet, uint32_t len)
{
	assert_int_equal(packet[0], 0x45);
	assert_int_equal(packet[1], 0);
	assert_int_equal(packet[2] << 8 | packet[3], len);
	assert_int_equal(packet[4] << 8 | packet[5], 0);
	assert_int_equal(packet[6] << 8 | packet[7], 0x4000);
	assert_int_equal(packet[8], 64);
	assert_int_equal(packet[9], 6);
	assert_int_equal(sum_of(packet, 20, 0), 0xffff);
}

static void check_ipv6(const uint8_t *packet, uint32_t len)
{
	static const uint8_t first[4] = {0x60, 0, 0, 0};

	assert_memory_equal(packet, first, 4);
	assert_int_equal(packet[4] << 8 | packet[5], len - 40);
	assert_int_equal(packet[6], 6);
	assert_int_equal(packet[7], 64);
}

static void check_made(bool is_ipv6, uint16_t data_len, uint32_t at)
{
	uint8_t room[PACKET_BYTES_MOST + 16], data[PACKET_DATA_MOST + 8];
	struct tuple tuple = tuple_drawn(is_ipv6);
	struct segment segment = segment_drawn(data + draw() % 8, data_len);
	uint32_t head = (is_ipv6 ? 40 : 20) + 20U + (segment.mss != 0 ? 4 : 0);
	struct packet back;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)draw();
	memset(room, 0xaa, sizeof(room));
	uint32_t len = packet_build(room + at, &tuple, &segment);

	assert_int_equal(len, head + data_len);
	for (uint32_t i = 0; i < sizeof(room); i++)
		assert_true((i >= at && i < at + len) || room[i] == 0xaa);
	if (is_ipv6)
		check_ipv6(room + at, len);
	else
		check_ipv4(room + at, len);
	assert_int_equal(tcp_sum(room + at, len), 0xffff);
	assert_int_equal(parse(room + at, len, false, &back), PACKET_TCP);
	struct tuple turned = {tuple.target, tuple.source, tuple.target_port, tuple.source_port};

	if ((segment.flags & SEGMENT_SYN) == 0)
		segment.mss = 0; /* it is on the wire, and means nothing there */
	assert_true(same_tuple(&back.tuple, &turned));
	assert_true(same_segment(&back.segment, &segment));
}

static void packets_there_and_back(void **state)
{
	(void)state;
	for (int round = 0; round < 50; round++) {
		for (uint16_t len = 0; len <= PACKET_DATA_MOST; len++) {
			check_made(false, len, draw() % 8);
			check_made(true, len, draw() % 8);
		}
	}
}

static void the_longest_packet(void **state)
{
	uint8_t packet[PACKET_BYTES_MOST], data[PACKET_DATA_MOST] = {0};
	struct tuple tuple = tuple_drawn(true);
	struct segment segment = {.mss = 1220, .len = PACKET_DATA_MOST, .data = data};

	(void)state;
	assert_int_equal(packet_build(packet, &tuple, &segment), PACKET_BYTES_MOST);
}

/* A sum of which nothing is left is 0 on the wire, not 0xffff, as the kernel has it. */
static void sum_of_which_nothing_is_left(void **state)
{
	uint8_t packet[PACKET_BYTES_MOST];
	struct tuple tuple = tuple_drawn(false);
	struct segment segment = {.flags = SEGMENT_ACK};
	struct packet back;

	(void)state;
	packet_build(packet, &tuple, &segment);
	segment.window = (uint16_t)(packet[36] << 8 | packet[37]);
	uint32_t len = packet_build(packet, &tuple, &segment);

	assert_int_equal(packet[36] << 8 | packet[37], 0);
	assert_int_equal(parse(packet, len, false, &back), PACKET_TCP);
}

int run_made_tests(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sum_of_the_rfc),
		cmocka_unit_test(sums_of_all_lengths_and_places),
		cmocka_unit_test(packets_there_and_back),
		cmocka_unit_test(the_longest_packet),
		cmocka_unit_test(sum_of_which_nothing_is_left),
	};

	return cmocka_run_group_tests_name("unit_packet: made", tests, NULL, NULL);
}
