/* watch: what the tests of packets share. */
#include "unit_packet/watch.h"

#include <stdlib.h>
#include <string.h>

struct ip ip_of(const char *text)
{
	struct ip ip;

	assert_int_equal(ip_parse(text, &ip), 0);
	return ip;
}

uint32_t sum_of(const uint8_t *bytes, size_t len, uint32_t sum)
{
	for (size_t i = 0; i < len; i++) {
		sum += i % 2 == 0 ? (uint32_t)bytes[i] << 8 : bytes[i];
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

void set_16(uint8_t *at, uint32_t number)
{
	at[0] = (uint8_t)(number >> 8);
	at[1] = (uint8_t)number;
}

bool is_ipv4(const uint8_t *packet)
{
	return packet[0] >> 4 == 4;
}

size_t head_of(const uint8_t *packet)
{
	return is_ipv4(packet) ? (packet[0] & 15) * 4U : 40;
}

uint32_t tcp_sum(const uint8_t *packet, size_t len)
{
	size_t head = head_of(packet);
	uint32_t sum = 6 + (uint32_t)(len - head);

	sum = sum_of(packet + (is_ipv4(packet) ? 12 : 8), is_ipv4(packet) ? 8 : 32, sum);
	return sum_of(packet + head, len - head, sum);
}

void make_right(uint8_t *packet, size_t len)
{
	uint8_t *tcp = packet + head_of(packet);

	if (is_ipv4(packet)) {
		set_16(packet + 2, (uint32_t)len);
		set_16(packet + 10, 0);
		set_16(packet + 10, ~sum_of(packet, head_of(packet), 0));
	} else {
		set_16(packet + 4, (uint32_t)(len - 40));
	}
	set_16(tcp + 16, 0);
	set_16(tcp + 16, ~tcp_sum(packet, len));
}

bool same_tuple(const struct tuple *a, const struct tuple *b)
{
	return ip_equal(&a->source, &b->source) && ip_equal(&a->target, &b->target) &&
	       a->source_port == b->source_port && a->target_port == b->target_port;
}

bool same_segment(const struct segment *a, const struct segment *b)
{
	return a->seq == b->seq && a->ack == b->ack && a->window == b->window && a->mss == b->mss &&
	       a->flags == b->flags && a->len == b->len &&
	       (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

enum packet_kind parse(const uint8_t *bytes, size_t len, bool is_checked, struct packet *out)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	struct packet before;

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	memset(out, 0xaa, sizeof(*out));
	before = *out;
	enum packet_kind kind = packet_parse(copy, (uint32_t)len, is_checked, out);

	assert_memory_equal(copy, bytes, len);
	if (kind == PACKET_TCP) {
		assert_true(out->segment.data >= copy + 40 &&
		            out->segment.data + out->segment.len <= copy + len);
		out->segment.data = bytes + (out->segment.data - copy);
	} else {
		assert_memory_equal(out, &before, sizeof(*out));
	}
	free(copy);
	return kind;
}
