/* fuzz_packet: any bytes as a packet, as they are and with IPv4's checksum made right, which is not
 * guessed. What is one is made again, and parses to the same. The bytes are the fuzzer's own, with
 * nothing behind them. */
#include "utcp/packet.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool is_right)
{
	if (!is_right)
		abort();
}

static bool same(const struct packet *a, const struct packet *b)
{
	const struct segment *s = &a->segment, *t = &b->segment;

	return ip_equal(&a->tuple.source, &b->tuple.source) &&
	       ip_equal(&a->tuple.target, &b->tuple.target) &&
	       a->tuple.source_port == b->tuple.source_port &&
	       a->tuple.target_port == b->tuple.target_port && s->seq == t->seq &&
	       s->ack == t->ack && s->window == t->window && s->mss == t->mss &&
	       s->flags == t->flags && s->len == t->len &&
	       (s->len == 0 || memcmp(s->data, t->data, s->len) == 0);
}

/* With as much of its data as ours can have. */
static void make_again(const struct packet *packet)
{
	struct tuple turned = {
		.source = packet->tuple.target,
		.target = packet->tuple.source,
		.source_port = packet->tuple.target_port,
		.target_port = packet->tuple.source_port,
	};
	struct packet expected = *packet, again;
	uint8_t made[PACKET_BYTES_MOST];

	if (expected.segment.len > PACKET_DATA_MOST)
		expected.segment.len = PACKET_DATA_MOST;
	uint32_t len = packet_build(made, &turned, &expected.segment);

	check(len <= sizeof(made));
	check(packet_parse(made, len, false, &again) == PACKET_TCP && same(&again, &expected));
	for (uint32_t cut = 0; cut < len; cut++)
		check(packet_parse(made, cut, true, &again) == PACKET_MALFORMED);
}

static void parse(const uint8_t *bytes, uint32_t len)
{
	struct packet packet, looked_at;
	enum packet_kind kind = packet_parse(bytes, len, false, &looked_at);

	if (packet_parse(bytes, len, true, &packet) != PACKET_TCP) {
		check(kind != PACKET_TCP);
		return;
	}
	check(kind == PACKET_BAD_CHECKSUM || (kind == PACKET_TCP && same(&packet, &looked_at)));
	check(packet.segment.data >= bytes + 40 &&
	      packet.segment.data + packet.segment.len <= bytes + len);
	check((packet.segment.flags & ~0x1f) == 0);
	check(packet.segment.mss == 0 || (packet.segment.flags & SEGMENT_SYN) != 0);
	make_again(&packet);
}

/* Word by word: what packet_sum does eight bytes at a time. */
static void sum(const uint8_t *bytes, uint32_t len)
{
	uint32_t expected = 0;

	for (uint32_t i = 0; i < len; i++) {
		expected += i % 2 == 0 ? (uint32_t)bytes[i] << 8 : bytes[i];
		expected = (expected & 0xffff) + (expected >> 16);
	}
	check(packet_fold(packet_sum(bytes, len, 0)) == 0xffff - expected);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t len = (uint32_t)size, head = len > 0 ? (data[0] & 15) * 4U : 0;
	uint8_t *right;

	parse(data, len);
	sum(data, len);
	if (head < 20 || head > len || data[0] >> 4 != 4)
		return 0;
	right = malloc(len);
	if (!right)
		return 0;
	memcpy(right, data, len);
	right[10] = right[11] = 0;
	uint16_t checksum = packet_fold(packet_sum(right, head, 0));

	right[10] = (uint8_t)(checksum >> 8);
	right[11] = (uint8_t)checksum;
	parse(right, len);
	free(right);
	return 0;
}
