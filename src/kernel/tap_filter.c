/* tap_filter: a program is a row of tests. A test that fails goes on with the next family, or to
 * the end, which drops; jumps are written as "fails" and get their distance when the row is whole.
 *
 * What is cheap and sorts out most comes first: direction, protocol, then the flags, which few
 * packets have. */
#include "kernel/tap_filter.h"

#include <assert.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <string.h>

#define FIN_SYN_RST_ACK 0x17U
#define SYN             0x02U
#define RST             0x04U
#define ACK             0x10U

#define V4_BYTES         20
#define V6_BYTES         40
#define V4_PROTOCOL      9
#define V4_FRAGMENT      6
#define V4_SOURCE        12
#define V4_TARGET        16
#define V6_NEXT          6
#define V6_SOURCE        8
#define V6_TARGET        24
#define TCP_FLAGS        13
#define ICMP_BYTES       8
#define ICMP_UNREACHABLE 3
#define V6_UNREACHABLE   1

/* In the place of a distance. */
#define NEXT 0
#define FAIL 0xff

struct program {
	struct sock_filter *out;
	uint32_t count;
	uint32_t first; /* of the tests that fail together */
};

static void put(struct program *p, uint16_t code, uint32_t k, uint8_t yes, uint8_t no)
{
	assert(p->count < TAP_FILTER_MOST);
	p->out[p->count++] = (struct sock_filter){code, yes, no, k};
}

static void load(struct program *p, uint16_t size, uint16_t mode, uint32_t at)
{
	put(p, (uint16_t)(BPF_LD | size | mode), at, NEXT, NEXT);
}

static void must_be(struct program *p, uint32_t value)
{
	put(p, BPF_JMP | BPF_JEQ | BPF_K, value, NEXT, FAIL);
}

static void must_not_be(struct program *p, uint32_t value)
{
	put(p, BPF_JMP | BPF_JEQ | BPF_K, value, FAIL, NEXT);
}

static void mask(struct program *p, uint32_t bits)
{
	put(p, BPF_ALU | BPF_AND | BPF_K, bits, NEXT, NEXT);
}

/* Whoever has failed goes on here. */
static void land(struct program *p)
{
	for (uint32_t i = p->first; i < p->count; i++) {
		struct sock_filter *one = &p->out[i];
		uint32_t distance = p->count - i - 1;

		if (BPF_CLASS(one->code) != BPF_JMP)
			continue;
		assert(distance < FAIL);
		one->jt = one->jt == FAIL ? (uint8_t)distance : one->jt;
		one->jf = one->jf == FAIL ? (uint8_t)distance : one->jf;
	}
	p->first = p->count;
}

static void end(struct program *p, uint32_t verdict)
{
	put(p, BPF_RET | BPF_K, verdict, NEXT, NEXT);
}

/* ---- tests ---------------------------------------------------------------------------------- */

static uint32_t ancillary(uint32_t which)
{
	return (uint32_t)SKF_AD_OFF + which;
}

static void test_direction(struct program *p, const struct tap_spec *spec, enum tap_what what)
{
	load(p, BPF_B, BPF_ABS, ancillary(SKF_AD_PKTTYPE));
	if (!tap_is_out(what) && spec->has_own_macs)
		must_not_be(p, PACKET_OUTGOING);
	else
		must_be(p, tap_is_out(what) ? PACKET_OUTGOING : PACKET_HOST);
	/* What comes in by its protocol is seen where it reaches IP; of all protocols, at each
	 * device on the way there, as what leaves is. */
	if (!tap_is_out(what) && spec->family != AF_UNSPEC)
		return;
	load(p, BPF_B, BPF_ABS, ancillary(SKF_AD_VLAN_TAG_PRESENT));
	must_be(p, 0);
	if (spec->passed_over_count == 0)
		return;
	load(p, BPF_W, BPF_ABS, ancillary(SKF_AD_IFINDEX));
	for (uint32_t i = 0; i < spec->passed_over_count; i++)
		must_not_be(p, spec->passed_over[i]);
}

/* The header of one family at X + `at`. (X is 0 in the beginning.) */
static void test_protocol(struct program *p, int family, uint16_t mode, uint32_t at, uint32_t tcp)
{
	load(p, BPF_B, mode, at);
	mask(p, 0xf0);
	must_be(p, family == AF_INET ? 0x40 : 0x60);
	load(p, BPF_B, mode, at + (family == AF_INET ? V4_PROTOCOL : V6_NEXT));
	must_be(p, tcp);
	if (family != AF_INET)
		return;
	load(p, BPF_H, mode, at + V4_FRAGMENT);
	put(p, BPF_JMP | BPF_JSET | BPF_K, 0x1fff, FAIL, NEXT);
}

static void test_address(struct program *p, const struct tap_spec *spec, uint16_t mode, uint32_t at)
{
	uint32_t words = spec->address.family == AF_INET ? 1 : 4;

	if (!spec->has_address)
		return;
	for (uint32_t i = 0; i < words; i++) {
		const uint8_t *b = spec->address.bytes + (size_t)4 * i;

		load(p, BPF_W, mode, at + 4 * i);
		must_be(p,
		        (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3]);
	}
}

/* Two instructions a range: what is not in it goes on with the next, what is passes them all by. */
static void test_ports(struct program *p, const struct tap_spec *spec, uint16_t mode, uint32_t at)
{
	load(p, BPF_H, mode, at);
	for (uint32_t left = spec->ports_count; left-- > 0;) {
		const struct tap_ports *range = &spec->ports[left];

		put(p, BPF_JMP | BPF_JGE | BPF_K, range->low, NEXT, left > 0 ? 1 : FAIL);
		put(p, BPF_JMP | BPF_JGT | BPF_K, range->high, left > 0 ? NEXT : FAIL,
		    (uint8_t)(2 * left));
	}
}

static void test_flags(struct program *p, enum tap_what what, uint16_t mode, uint32_t at)
{
	bool is_reset = what == TAP_RESET_OUT || what == TAP_RESET_IN;
	bool is_answer = what == TAP_SYN_ACK_OUT || what == TAP_SYN_ACK_IN;

	load(p, BPF_B, mode, at + TCP_FLAGS);
	mask(p, is_reset ? RST : FIN_SYN_RST_ACK);
	must_be(p, is_reset ? RST : is_answer ? SYN | ACK : SYN);
}

/* X becomes the length of the first header. */
static void skip_header(struct program *p)
{
	put(p, BPF_LDX | BPF_B | BPF_MSH, 0, NEXT, NEXT);
}

/* The IPv4 header at X + at is skipped as well: its length is added to X. */
static void skip_inner_header(struct program *p, uint32_t at)
{
	load(p, BPF_B, BPF_IND, at);
	mask(p, 0x0f);
	put(p, BPF_ALU | BPF_LSH | BPF_K, 2, NEXT, NEXT);
	put(p, BPF_ALU | BPF_ADD | BPF_X, 0, NEXT, NEXT);
	put(p, BPF_MISC | BPF_TAX, 0, NEXT, NEXT);
}

/* ---- TCP ------------------------------------------------------------------------------------ */

/* What leaves for the other's ports, and what comes to our own, has them as target. */
static bool are_ports_target(const struct tap_spec *spec, bool is_out)
{
	return is_out != spec->is_server;
}

static void tcp_v4(struct program *p, const struct tap_spec *spec, enum tap_what what)
{
	bool is_out = tap_is_out(what);

	test_protocol(p, AF_INET, BPF_ABS, 0, IPPROTO_TCP);
	skip_header(p);
	test_flags(p, what, BPF_IND, 0);
	test_address(p, spec, BPF_ABS, is_out ? V4_TARGET : V4_SOURCE);
	test_ports(p, spec, BPF_IND, are_ports_target(spec, is_out) ? 2 : 0);
}

static void tcp_v6(struct program *p, const struct tap_spec *spec, enum tap_what what)
{
	bool is_out = tap_is_out(what);

	test_protocol(p, AF_INET6, BPF_ABS, 0, IPPROTO_TCP);
	test_flags(p, what, BPF_ABS, V6_BYTES);
	test_address(p, spec, BPF_ABS, is_out ? V6_TARGET : V6_SOURCE);
	test_ports(p, spec, BPF_ABS, V6_BYTES + (are_ports_target(spec, is_out) ? 2 : 0));
}

/* ---- ICMP ----------------------------------------------------------------------------------- */

/* One of three codes. */
static void test_codes(struct program *p, uint32_t a, uint32_t b, uint32_t c)
{
	put(p, BPF_JMP | BPF_JEQ | BPF_K, a, 2, NEXT);
	put(p, BPF_JMP | BPF_JEQ | BPF_K, b, 1, NEXT);
	must_be(p, c);
}

/* It has the header of the packet that it is about, and 8 bytes of what that had in it at least
 * (RFC 792). That one was ours, so it had left. */
static void icmp_v4(struct program *p, const struct tap_spec *spec, enum tap_what what)
{
	test_protocol(p, AF_INET, BPF_ABS, 0, IPPROTO_ICMP);
	skip_header(p);
	load(p, BPF_B, BPF_IND, 0);
	must_be(p, ICMP_UNREACHABLE);
	if (what == TAP_ICMP_REFUSED_IN) {
		load(p, BPF_B, BPF_IND, 1);
		test_codes(p, 9, 10, 13); /* RFC 1812 section 5.2.7.1 */
	}
	test_protocol(p, AF_INET, BPF_IND, ICMP_BYTES, IPPROTO_TCP);
	test_address(p, spec, BPF_IND, ICMP_BYTES + V4_TARGET);
	skip_inner_header(p, ICMP_BYTES);
	test_ports(p, spec, BPF_IND, ICMP_BYTES + (spec->is_server ? 0 : 2));
}

/* RFC 4443 section 3.1. */
static void icmp_v6(struct program *p, const struct tap_spec *spec, enum tap_what what)
{
	uint32_t inner = V6_BYTES + ICMP_BYTES;

	test_protocol(p, AF_INET6, BPF_ABS, 0, IPPROTO_ICMPV6);
	load(p, BPF_B, BPF_ABS, V6_BYTES);
	must_be(p, V6_UNREACHABLE);
	if (what == TAP_ICMP_REFUSED_IN) {
		load(p, BPF_B, BPF_ABS, V6_BYTES + 1);
		test_codes(p, 1, 5, 6);
	}
	test_protocol(p, AF_INET6, BPF_ABS, inner, IPPROTO_TCP);
	test_address(p, spec, BPF_ABS, inner + V6_TARGET);
	test_ports(p, spec, BPF_ABS, inner + V6_BYTES + (spec->is_server ? 0 : 2));
}

/* ---- the program ---------------------------------------------------------------------------- */

static void one_family(struct program *p, const struct tap_spec *spec, enum tap_what what,
                       int family)
{
	bool is_icmp = what == TAP_ICMP_IN || what == TAP_ICMP_REFUSED_IN;

	if (family == AF_INET)
		(is_icmp ? icmp_v4 : tcp_v4)(p, spec, what);
	else
		(is_icmp ? icmp_v6 : tcp_v6)(p, spec, what);
	end(p, 1);
	land(p);
}

bool tap_is_out(enum tap_what what)
{
	return what == TAP_SYN_OUT || what == TAP_SYN_ACK_OUT || what == TAP_RESET_OUT;
}

uint32_t tap_filter_make(const struct tap_spec *spec, enum tap_what what,
                         struct sock_filter out[TAP_FILTER_MOST])
{
	struct program p = {.out = out};

	test_direction(&p, spec, what);
	put(&p, BPF_JMP | BPF_JA, 1, NEXT, NEXT); /* the right ones pass the end by */
	land(&p);
	end(&p, 0);
	p.first = p.count;
	if (spec->family != AF_INET6)
		one_family(&p, spec, what, AF_INET);
	if (spec->family != AF_INET)
		one_family(&p, spec, what, AF_INET6);
	end(&p, 0);
	return p.count;
}
