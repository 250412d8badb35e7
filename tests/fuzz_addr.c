/* fuzz_addr: any bytes as packets of the link, and as lines of an address journal. What is taken as
 * lines is written again and read as the same. */
#include "kernel/address_list.h"
#include "kernel/arp.h"
#include "kernel/icmp.h"

#include <stdlib.h>
#include <string.h>

#define ROOM       16
#define MARKS_MOST 4096
#define TEXT_BYTES 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool is_right)
{
	if (!is_right)
		abort();
}

static void as_packets(const uint8_t *data, size_t size)
{
	struct icmp_claim claim;
	struct arp arp;
	size_t len = 0;

	if (arp_parse(data, size, &arp) == 0) {
		const struct ip *ip = arp_claims(&arp);

		check(!ip || ip == &arp.sender || ip == &arp.target);
	}
	if (icmp_parse_claim(data, size, &claim) == 0)
		check(claim.target.family == AF_INET6 && size >= ICMP_SOLICIT_BYTES);
	const uint8_t *message = icmp_of_ipv4(data, size, &len);

	if (message) {
		check(message >= data + 20 && message + len == data + size);
		(void)icmp_is_reply(AF_INET, message, len, 1);
	}
	(void)icmp_is_reply(AF_INET6, data, size, 1);
}

/* A checksum is not guessed: the fuzzer's bytes behind a right header, with the sum made right. */
static void as_advertisement(const uint8_t *data, size_t size)
{
	uint8_t packet[40 + 256] = {0x60, [6] = 58, [7] = 255, [8] = 0xfe, [39] = 1};
	struct icmp_claim claim;
	uint32_t sum = 58;

	size = (size < 256 ? size : 256) & ~(size_t)1;
	if (size < 4)
		return;
	packet[4] = (uint8_t)(size >> 8);
	packet[5] = (uint8_t)size;
	memcpy(packet + 40, data, size);
	packet[42] = packet[43] = 0;
	for (size_t i = 8; i < 40 + size; i += 2)
		sum += (uint32_t)(packet[i] << 8 | packet[i + 1]);
	sum += (uint32_t)size;
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	packet[42] = (uint8_t)(~sum >> 8);
	packet[43] = (uint8_t)~sum;
	if (icmp_parse_claim(packet, 40 + size, &claim) == 0)
		check(memcmp(claim.target.bytes, packet + 48, 16) == 0);
}

static void as_lines(const char *lines, size_t len)
{
	static uint8_t marks[MARKS_MOST];
	struct range room[ROOM];
	struct address_list list, again;
	char buffer[TEXT_BYTES];
	struct text text;
	struct err err = {""};

	if (address_list_parse(lines, len, room, ROOM, &list, &err) != 0) {
		check(err.text[0] != '\0');
		return;
	}
	check(list.ranges.count >= 1 && list.ranges.count <= ROOM && list.link > 0);
	for (uint32_t i = 0; i < list.ranges.count; i++) {
		struct ip last = ranges_at(&list.ranges, room[i].before + room[i].count - 1);

		check(ip_distance(&room[i].first, &last) == room[i].count - 1);
	}
	if (list.ranges.addresses > MARKS_MOST)
		return;
	text_init(&text, buffer, sizeof(buffer));
	address_list_format(&list, marks, 0, &text);
	check(!text.cut && address_list_lines(&list, marks, 0) == list.ranges.count + 1);
	struct range second[ROOM];

	/* Not byte by byte: an IPv6 address may be written in several ways. */
	check(address_list_parse(buffer, text.len, second, ROOM, &again, &err) == 0);
	check(again.ranges.addresses == list.ranges.addresses && again.link == list.link &&
	      again.prefix_len == list.prefix_len && again.is_anyip == list.is_anyip &&
	      strcmp(again.link_name, list.link_name) == 0);
	for (uint32_t i = 0; i < list.ranges.count; i++)
		check(ip_equal(&room[i].first, &second[i].first) &&
		      room[i].count == second[i].count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	as_packets(data, size);
	as_advertisement(data, size);
	as_lines((const char *)data, size);
	return 0;
}
