/* unit_filter: which frames of a LAN the filter takes: its program is run over frames here, and
 * given to the kernel, which looks through it before it takes it. */
#include "utcp/filter.h"

#include "kernel/arp.h"
#include "kernel/icmp.h"
#include "utcp/packet.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define FRAME_MOST 256

struct frame {
	uint8_t bytes[FRAME_MOST];
	uint32_t len;
	uint32_t packet_type; /* PACKET_HOST ... */
	uint32_t vlan;
};

static struct tuple_plan plan;
static struct device_config config;
static struct filter filter;
static struct ip hop;

static const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};

static struct ip ip_of(const char *text)
{
	struct ip ip;

	assert_int_equal(ip_parse(text, &ip), 0);
	return ip;
}

/* ---- the machine (Documentation/networking/filter.rst) ----------------------------------------
 */

static uint32_t load(const struct frame *f, uint32_t at, uint32_t size, bool *is_out)
{
	uint32_t value = 0;

	if (at == (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE))
		return f->packet_type;
	if (at == (uint32_t)(SKF_AD_OFF + SKF_AD_VLAN_TAG))
		return f->vlan;
	*is_out = at > f->len || size > f->len - at;
	for (uint32_t i = 0; i < size && !*is_out; i++)
		value = value << 8 | f->bytes[at + i];
	return value;
}

static bool compares(uint16_t code, uint32_t a, uint32_t k)
{
	switch (BPF_OP(code)) {
	case BPF_JEQ:
		return a == k;
	case BPF_JGT:
		return a > k;
	case BPF_JGE:
		return a >= k;
	case BPF_JSET:
		return (a & k) != 0;
	default:
		fail_msg("jump %x", code);
		return false;
	}
}

static uint32_t size_of(uint16_t code)
{
	return BPF_SIZE(code) == BPF_W ? 4 : BPF_SIZE(code) == BPF_H ? 2 : 1;
}

/* A load from behind the frame's end drops it, as in the kernel. */
static bool takes(const struct frame *f)
{
	uint32_t a = 0, x = 0;
	bool is_out = false;

	for (uint32_t at = 0; at < filter.len && !is_out; at++) {
		const struct sock_filter *i = &filter.code[at];

		if (BPF_CLASS(i->code) == BPF_RET)
			return i->k > 0;
		if (BPF_CLASS(i->code) == BPF_LDX && BPF_MODE(i->code) == BPF_IMM)
			x = i->k;
		else if (BPF_CLASS(i->code) == BPF_LDX)
			x = (load(f, i->k, 1, &is_out) & 15) * 4;
		else if (BPF_CLASS(i->code) == BPF_LD)
			a = load(f, i->k + (BPF_MODE(i->code) == BPF_IND ? x : 0), size_of(i->code),
			         &is_out);
		else if (BPF_OP(i->code) == BPF_JA)
			at += i->k;
		else
			at += compares(i->code, a, i->k) ? i->jt : i->jf;
	}
	assert_true(is_out);
	return false;
}

/* ---- frames ---------------------------------------------------------------------------------- */

static struct frame frame_of(uint16_t type, const uint8_t *packet, size_t len)
{
	struct frame f = {.packet_type = PACKET_HOST, .len = (uint32_t)(14 + len)};

	assert_true(f.len <= FRAME_MOST);
	f.bytes[12] = (uint8_t)(type >> 8);
	f.bytes[13] = (uint8_t)type;
	memcpy(f.bytes + 14, packet, len);
	return f;
}

static struct frame tcp(const char *from, uint16_t from_port, const char *to, uint16_t to_port)
{
	const struct segment segment = {.flags = SEGMENT_SYN | SEGMENT_ACK, .mss = 1460};
	const struct tuple tuple = {.source = ip_of(from),
	                            .source_port = from_port,
	                            .target = ip_of(to),
	                            .target_port = to_port};
	uint8_t packet[PACKET_BYTES_MOST];
	uint32_t len = packet_build(packet, &tuple, &segment);

	return frame_of(tuple.source.family == AF_INET ? ETH_P_IP : ETH_P_IPV6, packet, len);
}

static struct frame icmp(const char *from, const char *to, uint8_t type)
{
	struct frame f = tcp(from, 1, to, 1);
	const bool is_ipv4 = ip_of(from).family == AF_INET;

	f.bytes[is_ipv4 ? 14 + 9 : 14 + 6] = is_ipv4 ? 1 : 58;
	f.bytes[is_ipv4 ? 14 + 20 : 14 + 40] = type;
	return f;
}

static struct frame arp(const char *sender, const char *target)
{
	struct arp message = {
		.operation = ARP_REQUEST, .sender = ip_of(sender), .target = ip_of(target)};
	uint8_t packet[ARP_BYTES];

	memcpy(message.sender_mac, mac, 6);
	arp_make(&message, NULL, packet);
	return frame_of(ETH_P_ARP, packet, sizeof(packet));
}

static struct frame neighbour_from(bool is_advertisement, const char *source, const char *target)
{
	const struct icmp_neighbour message = {.is_advertisement = is_advertisement,
	                                       .source = ip_of(source),
	                                       .destination = ip_of("ff02::1"),
	                                       .target = ip_of(target)};
	uint8_t packet[ICMP_NEIGHBOUR_BYTES];

	return frame_of(ETH_P_IPV6, packet, icmp_make_neighbour(&message, packet));
}

static struct frame neighbour(bool is_advertisement, const char *target)
{
	return neighbour_from(is_advertisement, "2001:2::99", target);
}

static void expect_at(struct frame f, bool is_taken, int line)
{
	if (takes(&f) != is_taken)
		fail_msg("line %d: %s", line, is_taken ? "dropped" : "taken");
}
#define taken(frame)   expect_at(frame, true, __LINE__)
#define dropped(frame) expect_at(frame, false, __LINE__)

/* A worker with `count` of the sources from `first` on. */
static void make(const char *target, const char *sources, uint32_t first, uint32_t count,
                 const char *next_hop)
{
	struct err err;

	memset(&plan, 0, sizeof(plan));
	assert_int_equal(pool_parse(sources, &plan.sources, &err), 0);
	plan.source_count = plan.sources.count;
	plan.target = ip_of(target);
	plan.target_port_low = 8090;
	plan.target_port_count = 3;
	tuple_set_ports(&plan, 1024, 2023, NULL, TUPLE_PORT_BITS);
	config = (struct device_config){&plan, first, count, NULL};
	hop = ip_of(next_hop);
	assert_int_equal(filter_make(&config, &hop, &filter), 0);
	for (uint32_t i = 0; i < filter.len; i++)
		assert_int_not_equal(filter.code[i].code, 0);
}

#define TARGET4  "198.18.0.2"
#define SOURCES4 "198.18.1.10-19,198.18.3.0-4"
#define HOP4     "198.18.0.9"

static void ipv4_segments(void **state)
{
	struct frame f;

	(void)state;
	make(TARGET4, SOURCES4, 5, 7, HOP4); /* .1.15 - .1.19, .3.0, .3.1 */
	taken(tcp(TARGET4, 8090, "198.18.1.15", 1024));
	taken(tcp(TARGET4, 8092, "198.18.1.19", 2023));
	taken(tcp(TARGET4, 8091, "198.18.3.0", 1500));
	taken(tcp(TARGET4, 8091, "198.18.3.1", 1500));
	dropped(tcp(TARGET4, 8091, "198.18.1.14", 1500)); /* another worker's */
	dropped(tcp(TARGET4, 8091, "198.18.3.2", 1500));
	dropped(tcp(TARGET4, 8091, "198.18.1.20", 1500)); /* nobody's */
	dropped(tcp(TARGET4, 8089, "198.18.1.15", 1500));
	dropped(tcp(TARGET4, 8093, "198.18.1.15", 1500));
	dropped(tcp(TARGET4, 8090, "198.18.1.15", 1023));
	dropped(tcp(TARGET4, 8090, "198.18.1.15", 2024));
	dropped(tcp("198.18.0.3", 8090, "198.18.1.15", 1500));
	f = tcp(TARGET4, 8090, "198.18.1.15", 1024);
	f.packet_type = PACKET_OTHERHOST; /* to a MAC of our own */
	taken(f);
	f.packet_type = PACKET_OUTGOING; /* this host's own */
	dropped(f);
	f.packet_type = PACKET_HOST;
	f.vlan = 0x2000; /* a priority */
	taken(f);
	f.vlan = 0x2005; /* another network */
	dropped(f);
	f.vlan = 0;
	f.bytes[14 + 7] = 1; /* a fragment */
	dropped(f);
	f.bytes[14 + 7] = 0;
	f.bytes[14 + 6] = 0x20; /* the first of them */
	dropped(f);
	f.bytes[14 + 6] = 0x40; /* DF */
	taken(f);
	f.bytes[14 + 9] = 17; /* UDP */
	dropped(f);
}

/* Their ports are behind the options. */
static void ipv4_options(void **state)
{
	struct frame f = tcp(TARGET4, 8090, "198.18.1.15", 1024);

	(void)state;
	make(TARGET4, SOURCES4, 5, 7, HOP4);
	memmove(f.bytes + 14 + 24, f.bytes + 14 + 20, f.len - 14 - 20);
	memset(f.bytes + 14 + 20, 1, 4);
	f.len += 4;
	dropped(f);
	f.bytes[14] = 0x46;
	taken(f);
	for (uint32_t len = 0; len < 14 + 24 + 4; len++) {
		f.len = len;
		dropped(f);
	}
}

static void ipv4_errors(void **state)
{
	(void)state;
	make(TARGET4, SOURCES4, 5, 7, HOP4);
	taken(icmp("10.1.1.1", "198.18.1.15", 3));
	taken(icmp(TARGET4, "198.18.1.15", 11));
	taken(icmp(TARGET4, "198.18.1.15", 12));
	dropped(icmp(TARGET4, "198.18.1.15", 8)); /* a ping */
	dropped(icmp(TARGET4, "198.18.1.15", 0));
	dropped(icmp(TARGET4, "198.18.1.15", 5));
	dropped(icmp("10.1.1.1", "198.18.1.14", 3));
}

static void ipv4_neighbours(void **state)
{
	(void)state;
	make(TARGET4, SOURCES4, 5, 7, HOP4);
	taken(arp("198.18.0.77", "198.18.1.15"));
	taken(arp("0.0.0.0", "198.18.3.1"));
	taken(arp("198.18.1.15", "198.18.1.15")); /* somebody else claims it */
	taken(arp("198.18.3.1", "198.18.0.77"));
	taken(arp(HOP4, "198.18.0.77"));
	dropped(arp(TARGET4, "198.18.0.77")); /* which is not the next hop here */
	dropped(arp("198.18.0.77", "198.18.1.14"));
	dropped(arp("198.18.0.77", HOP4));
	dropped(neighbour(false, "2001:2::1:10"));
}

#define TARGET6  "2001:2::2"
#define SOURCES6 "2001:2::1:10-2001:2::1:19,2001:2::ffff:fffc-2001:2::1:0:3"
#define HOP6     "fe80::9"

static void ipv6_segments(void **state)
{
	struct frame f;

	(void)state;
	make(TARGET6, SOURCES6, 8, 8, HOP6); /* ::1:18, ::1:19, ::ffff:fffc - ::1:0:1 */
	taken(tcp(TARGET6, 8090, "2001:2::1:18", 1024));
	taken(tcp(TARGET6, 8092, "2001:2::1:19", 2023));
	taken(tcp(TARGET6, 8092, "2001:2::ffff:fffc", 1100));
	taken(tcp(TARGET6, 8092, "2001:2::ffff:ffff", 1100));
	taken(tcp(TARGET6, 8092, "2001:2::1:0:0", 1100));
	taken(tcp(TARGET6, 8092, "2001:2::1:0:1", 1100));
	dropped(tcp(TARGET6, 8092, "2001:2::1:0:2", 1100));
	dropped(tcp(TARGET6, 8092, "2001:2::ffff:fffb", 1100));
	dropped(tcp(TARGET6, 8092, "2001:2::1:17", 1100));
	dropped(tcp(TARGET6, 8092, "2001:2::1:1a", 1100));
	dropped(tcp(TARGET6, 8092, "2001:3::1:18", 1100));
	dropped(tcp("2001:2::3", 8090, "2001:2::1:18", 1100));
	dropped(tcp("2002:2::2", 8090, "2001:2::1:18", 1100));
	dropped(tcp(TARGET6, 8089, "2001:2::1:18", 1100));
	dropped(tcp(TARGET6, 8090, "2001:2::1:18", 1000));
	dropped(tcp(TARGET4, 8090, "198.18.1.15", 1024));
	f = tcp(TARGET6, 8090, "2001:2::1:18", 1024);
	f.packet_type = PACKET_OUTGOING;
	dropped(f);
	f.packet_type = PACKET_HOST;
	f.bytes[14 + 6] = 0; /* hop-by-hop options */
	dropped(f);
}

static void ipv6_messages(void **state)
{
	(void)state;
	make(TARGET6, SOURCES6, 8, 8, HOP6);
	taken(icmp("2001:9::1", "2001:2::1:18", 1));
	taken(icmp("2001:9::1", "2001:2::1:18", 3));
	dropped(icmp("2001:9::1", "2001:2::1:17", 1));
	dropped(icmp("2001:9::1", "2001:2::1:18", 128)); /* a ping */
	dropped(icmp("2001:9::1", "2001:2::1:18", 134)); /* a router's advertisement */
	taken(neighbour(false, "2001:2::1:18"));
	taken(neighbour(false, "2001:2::1:0:1"));
	dropped(neighbour(false, "2001:2::1:17"));
	dropped(neighbour(false, HOP6));
	taken(neighbour(true, HOP6));
	taken(neighbour(true, "2001:2::1:18"));
	dropped(neighbour(true, TARGET6));
	taken(neighbour_from(false, "2001:2::1:18", TARGET6)); /* another has ours */
	taken(neighbour_from(false, "2001:2::1:0:1", TARGET6));
	dropped(neighbour_from(false, "2001:2::1:17", TARGET6));
	dropped(neighbour_from(true, "2001:2::1:18", TARGET6));
	dropped(arp("198.18.0.77", "198.18.1.15"));
}

/* ---- the program ------------------------------------------------------------------------------
 */

static void assert_kernel_takes_it(void)
{
	const struct sock_fprog program = {.len = (unsigned short)filter.len,
	                                   .filter = filter.code};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) != 0)
		fail_msg("%u instructions: %s", filter.len, strerror(errno));
	close(fd);
}

/* Each second address from 10 on: as many ranges as a pool has. */
static void make_many(const char *target, bool is_ipv4, const char *next_hop)
{
	char sources[POOL_RANGES_MAX * 32] = "";
	size_t at = 0;

	for (unsigned int i = 0; i < POOL_RANGES_MAX; i++) {
		unsigned int last = i * 2 + 10;
		const char *comma = i > 0 ? "," : "";
		int len = is_ipv4 ? snprintf(sources + at, sizeof(sources) - at, "%s198.18.1.%u",
		                             comma, last)
		                  : snprintf(sources + at, sizeof(sources) - at, "%s2001:2::1:%x",
		                             comma, last);

		at += (size_t)len;
	}
	make(target, sources, 0, POOL_RANGES_MAX, next_hop);
	assert_kernel_takes_it();
}

static void as_many_ranges_as_there_are(void **state)
{
	(void)state;
	make(TARGET4, SOURCES4, 5, 7, HOP4);
	assert_kernel_takes_it();
	make_many(TARGET4, true, HOP4);
	for (int i = 10; i < 10 + 2 * POOL_RANGES_MAX; i++) {
		char text[32];

		snprintf(text, sizeof(text), "198.18.1.%d", i);
		expect_at(tcp(TARGET4, 8090, text, 1100), i % 2 == 0, i);
		expect_at(arp("198.18.0.1", text), i % 2 == 0, i);
	}
	make_many(TARGET6, false, HOP6);
	for (int i = 10; i < 10 + 2 * POOL_RANGES_MAX; i++) {
		char text[32];

		snprintf(text, sizeof(text), "2001:2::1:%x", (unsigned int)i);
		expect_at(tcp(TARGET6, 8090, text, 1100), i % 2 == 0, i);
		expect_at(neighbour(false, text), i % 2 == 0, i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ipv4_segments),
		cmocka_unit_test(ipv4_options),
		cmocka_unit_test(ipv4_errors),
		cmocka_unit_test(ipv4_neighbours),
		cmocka_unit_test(ipv6_segments),
		cmocka_unit_test(ipv6_messages),
		cmocka_unit_test(as_many_ranges_as_there_are),
	};

	return cmocka_run_group_tests_name("unit_filter", tests, NULL, NULL);
}
