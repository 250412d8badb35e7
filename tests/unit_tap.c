/* unit_tap: the filters of kernel/tap_filter on packets made here: by an interpreter of our own,
 * and those of what comes in by the kernel's, on a pair of Unix sockets, whose bytes are to it of
 * the direction PACKET_HOST. */
#include "kernel/tap_filter.h"

#include <linux/if_packet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#define SYN         0x02
#define RST         0x04
#define ACK         0x10
#define ECE_CWR     0xc0

struct packet {
	uint8_t bytes[256];
	size_t len;
	uint32_t type, ifindex;
	bool has_tag;
};

/* --- an interpreter ------------------------------------------------------------------------- */

static bool load(const struct packet *p, uint16_t code, uint32_t at, uint32_t *a)
{
	size_t size = BPF_SIZE(code) == BPF_W ? 4 : BPF_SIZE(code) == BPF_H ? 2 : 1;

	if (at == (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE)) {
		*a = p->type;
	} else if (at == (uint32_t)(SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT)) {
		*a = p->has_tag;
	} else if (at == (uint32_t)(SKF_AD_OFF + SKF_AD_IFINDEX)) {
		*a = p->ifindex;
	} else {
		if (at + size > p->len)
			return false;
		*a = 0;
		for (size_t i = 0; i < size; i++)
			*a = *a << 8 | p->bytes[at + i];
	}
	return true;
}

static bool does_jump(const struct sock_filter *f, uint32_t a)
{
	switch (BPF_OP(f->code)) {
	case BPF_JEQ:
		return a == f->k;
	case BPF_JGT:
		return a > f->k;
	case BPF_JGE:
		return a >= f->k;
	default:
		assert_int_equal(BPF_OP(f->code), BPF_JSET);
		return (a & f->k) != 0;
	}
}

static uint32_t compute(const struct sock_filter *f, uint32_t a, uint32_t x)
{
	switch (BPF_OP(f->code)) {
	case BPF_AND:
		return a & f->k;
	case BPF_LSH:
		return a << f->k;
	default:
		assert_int_equal(f->code, BPF_ALU | BPF_ADD | BPF_X);
		return a + x;
	}
}

static uint32_t interpret(const struct sock_filter *code, uint32_t count, const struct packet *p)
{
	uint32_t a = 0, x = 0;

	for (uint32_t pc = 0; pc < count; pc++) {
		const struct sock_filter *f = &code[pc];
		uint32_t at = f->k + (BPF_MODE(f->code) == BPF_IND ? x : 0);

		switch (BPF_CLASS(f->code)) {
		case BPF_RET:
			return f->k;
		case BPF_LD:
			if (!load(p, f->code, at, &a))
				return 0;
			break;
		case BPF_LDX:
			assert_int_equal(f->code, BPF_LDX | BPF_B | BPF_MSH);
			x = 4U * (p->bytes[f->k] & 0xfU);
			break;
		case BPF_MISC:
			assert_int_equal(f->code, BPF_MISC | BPF_TAX);
			x = a;
			break;
		case BPF_ALU:
			a = compute(f, a, x);
			break;
		default:
			pc += BPF_OP(f->code) == BPF_JA ? f->k : does_jump(f, a) ? f->jt : f->jf;
		}
	}
	fail_msg("the program has no end");
	return 0;
}

/* --- the kernel ----------------------------------------------------------------------------- */

static bool kernel_takes(struct sock_filter *code, uint32_t count, const struct packet *p)
{
	const struct sock_fprog program = {(unsigned short)count, code};
	char byte;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(
		setsockopt(fds[1], SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)), 0);
	bool is_sent = send(fds[0], p->bytes, p->len, MSG_DONTWAIT) == (ssize_t)p->len;

	assert_true(is_sent);
	bool is_taken = recv(fds[1], &byte, 1, MSG_DONTWAIT) == 1;

	close(fds[0]);
	close(fds[1]);
	return is_taken;
}

static bool counts(const struct tap_spec *spec, enum tap_what what, const struct packet *p)
{
	struct sock_filter code[TAP_FILTER_MOST];
	uint32_t count = tap_filter_make(spec, what, code);
	bool is_counted = interpret(code, count, p) != 0;

	assert_true(count < TAP_FILTER_MOST);
	if (p->type == PACKET_HOST && !tap_is_out(what))
		assert_int_equal(kernel_takes(code, count, p), is_counted);
	return is_counted;
}

/* --- packets -------------------------------------------------------------------------------- */

static const uint8_t client_address[16] = {198, 18, 0, 2}, server_address[16] = {198, 19, 0, 1};

static void add_u16(struct packet *p, size_t at, uint16_t value)
{
	p->bytes[at] = (uint8_t)(value >> 8);
	p->bytes[at + 1] = (uint8_t)value;
}

/* An IP header of `family`, with `options` words of options (IPv4). Returns its length. */
static size_t put_ip(struct packet *p, size_t at, int family, uint8_t protocol, bool to_server,
                     uint8_t options)
{
	const uint8_t *from = to_server ? client_address : server_address;
	const uint8_t *to = to_server ? server_address : client_address;
	uint8_t *b = p->bytes + at;

	if (family == AF_INET) {
		b[0] = (uint8_t)(0x45 + options);
		b[6] = 0x40; /* DF: not a fragment */
		b[9] = protocol;
		memcpy(b + 12, from, 4);
		memcpy(b + 16, to, 4);
		return 20U + 4U * options;
	}
	b[0] = 0x60;
	b[6] = protocol;
	memcpy(b + 8, from, 16);
	memcpy(b + 24, to, 16);
	return 40;
}

static size_t put_tcp(struct packet *p, size_t at, bool to_server, uint16_t port, uint8_t flags)
{
	add_u16(p, at, to_server ? 40000 : port);
	add_u16(p, at + 2, to_server ? port : 40000);
	p->bytes[at + 13] = flags;
	return 20;
}

static struct packet tcp(int family, bool is_out, bool to_server, uint16_t port, uint8_t flags,
                         uint8_t options)
{
	struct packet p = {.type = is_out ? PACKET_OUTGOING : PACKET_HOST, .ifindex = 2};

	p.len = put_ip(&p, 0, family, IPPROTO_TCP, to_server, options);
	p.len += put_tcp(&p, p.len, to_server, port, flags);
	return p;
}

/* About a SYN of the client's, with options in the header of the message and in that of the SYN. */
static struct packet icmp(int family, uint8_t type, uint8_t code, uint16_t port, uint8_t options)
{
	struct packet p = {.type = PACKET_HOST, .ifindex = 2};
	uint8_t protocol = family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;

	p.len = put_ip(&p, 0, family, protocol, false, options);
	p.bytes[p.len] = type;
	p.bytes[p.len + 1] = code;
	p.len += 8;
	p.len += put_ip(&p, p.len, family, IPPROTO_TCP, true, options);
	(void)put_tcp(&p, p.len, true, port, SYN);
	p.len += 8; /* no more of it than RFC 792 asks for */
	return p;
}

static struct tap_spec spec_of(bool is_server, uint8_t family, bool has_address)
{
	struct tap_spec spec = {
		.is_server = is_server,
		.family = family,
		.ports_count = 1,
		.ports = {{8090, 8099}},
		.has_address = has_address,
		.address = {.family = family},
	};

	memcpy(spec.address.bytes, server_address, family == AF_INET ? 4 : 16);
	return spec;
}

/* --- tests ---------------------------------------------------------------------------------- */

static const struct row {
	bool is_server, is_out;
	uint8_t flags;
	enum tap_what what;
} rows[] = {
	{false, true, SYN, TAP_SYN_OUT},
	{false, true, SYN | ECE_CWR, TAP_SYN_OUT},
	{false, false, SYN | ACK, TAP_SYN_ACK_IN},
	{false, true, RST, TAP_RESET_OUT},
	{false, true, RST | ACK, TAP_RESET_OUT},
	{false, false, RST | ACK, TAP_RESET_IN},
	{true, false, SYN, TAP_SYN_IN},
	{true, true, SYN | ACK, TAP_SYN_ACK_OUT},
	{true, true, RST, TAP_RESET_OUT},
	{true, false, RST, TAP_RESET_IN},
};

static void assert_row(const struct row *row, uint8_t family, uint8_t wanted, uint8_t options)
{
	struct tap_spec spec = spec_of(row->is_server, wanted, wanted != AF_UNSPEC);
	bool to_server = row->is_server != row->is_out;
	struct packet p = tcp(family, row->is_out, to_server, 8090, row->flags, options);
	bool is_wanted = wanted == AF_UNSPEC || wanted == family;

	if (row->is_server)
		spec.has_address = false;
	for (int what = 0; what < TAP_COUNT; what++)
		assert_int_equal(counts(&spec, (enum tap_what)what, &p),
		                 is_wanted && what == (int)row->what);
}

/* Each packet is counted by one tap, and by that of its family alone. */
static void each_by_one(void **state)
{
	static const uint8_t families[] = {AF_INET, AF_INET6};
	static const uint8_t wanted[] = {AF_INET, AF_INET6, AF_UNSPEC};

	(void)state;
	for (size_t r = 0; r < COUNT_OF(rows); r++) {
		for (size_t f = 0; f < 2; f++) {
			for (size_t w = 0; w < 3; w++) {
				assert_row(&rows[r], families[f], wanted[w], 0);
				assert_row(&rows[r], families[f], wanted[w], f == 0 ? 3 : 0);
			}
		}
	}
}

static void ports_at_their_borders(void **state)
{
	static const struct {
		uint16_t port;
		bool is_ours;
	} ports[] = {{8089, false}, {8090, true}, {8099, true}, {8100, false}, {40000, false}};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(ports); i++) {
		for (int f = 0; f < 2; f++) {
			uint8_t family = f == 0 ? AF_INET : AF_INET6;
			struct tap_spec client = spec_of(false, family, true);
			struct tap_spec server = spec_of(true, family, false);
			struct packet syn = tcp(family, true, true, ports[i].port, SYN, 0);
			struct packet answer = tcp(family, false, false, ports[i].port, SYN | ACK,
			                           0);

			assert_int_equal(counts(&client, TAP_SYN_OUT, &syn), ports[i].is_ours);
			assert_int_equal(counts(&client, TAP_SYN_ACK_IN, &answer),
			                 ports[i].is_ours);
			syn.type = PACKET_HOST;
			answer.type = PACKET_OUTGOING;
			assert_int_equal(counts(&server, TAP_SYN_IN, &syn), ports[i].is_ours);
			assert_int_equal(counts(&server, TAP_SYN_ACK_OUT, &answer),
			                 ports[i].is_ours);
		}
	}
}

/* Ranges in any order, one in another, and the most that there can be. */
static void several_ranges(void **state)
{
	static const uint8_t families[] = {AF_INET, AF_INET6, AF_UNSPEC};
	struct tap_spec spec = spec_of(true, AF_INET, false);

	(void)state;
	spec.ports_count = TAP_PORTS;
	for (uint16_t i = 0; i < TAP_PORTS; i++) {
		spec.ports[i].low = (uint16_t)(9000 - 100 * i);
		spec.ports[i].high = (uint16_t)(spec.ports[i].low + i);
	}
	spec.ports[1].low = 9000;
	spec.ports[1].high = 9000;
	for (size_t w = 0; w < COUNT_OF(families); w++) {
		spec.family = families[w];
		for (uint16_t port = 7400; port < 9100; port++) {
			uint8_t family = families[w] == AF_INET ? AF_INET : AF_INET6;
			struct packet syn = tcp(family, false, true, port, SYN, 0);
			bool is_ours = false;

			for (uint32_t i = 0; i < TAP_PORTS; i++)
				is_ours |= spec.ports[i].low <= port && port <= spec.ports[i].high;
			assert_int_equal(counts(&spec, TAP_SYN_IN, &syn), is_ours);
		}
	}
}

/* There is room for all that a spec can ask for. */
static void the_longest(void **state)
{
	struct tap_spec spec = spec_of(true, AF_UNSPEC, false);
	struct sock_filter code[TAP_FILTER_MOST];

	(void)state;
	spec.ports_count = TAP_PORTS;
	spec.passed_over_count = TAP_PASSED_OVER;
	for (int what = 0; what < TAP_COUNT; what++)
		assert_in_range(tap_filter_make(&spec, (enum tap_what)what, code), 1,
		                TAP_FILTER_MOST);
}

/* Other flags, other protocols, fragments, another address, and packets that are cut anywhere. */
static void nothing_else(void **state)
{
	static const uint8_t flags[] = {ACK, ACK | 0x08, ACK | 0x01, 0, SYN | 0x01, SYN | RST};
	struct tap_spec spec = spec_of(false, AF_INET, true);
	struct packet p;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(flags); i++) {
		p = tcp(AF_INET, true, true, 8090, flags[i], 0);
		assert_false(counts(&spec, TAP_SYN_OUT, &p));
		p = tcp(AF_INET, false, false, 8090, flags[i], 0);
		assert_false(counts(&spec, TAP_SYN_ACK_IN, &p));
	}
	p = tcp(AF_INET, true, true, 8090, SYN, 0);
	p.bytes[9] = IPPROTO_UDP;
	assert_false(counts(&spec, TAP_SYN_OUT, &p));
	p = tcp(AF_INET, true, true, 8090, SYN, 0);
	p.bytes[7] = 1; /* not the first fragment */
	assert_false(counts(&spec, TAP_SYN_OUT, &p));
	p = tcp(AF_INET, true, true, 8090, SYN, 0);
	p.bytes[19]++;
	assert_false(counts(&spec, TAP_SYN_OUT, &p));
	p = tcp(AF_INET, false, false, 8090, SYN | ACK, 0);
	for (p.len = 1; p.len < 34; p.len++)
		assert_false(counts(&spec, TAP_SYN_ACK_IN, &p));
	assert_true(counts(&spec, TAP_SYN_ACK_IN, &p));
}

/* A packet that leaves by a bridge leaves by its port as well, and by a VLAN's device by that below
 * it, with a tag. */
static void each_once(void **state)
{
	struct tap_spec spec = spec_of(false, AF_INET, true);
	struct packet p = tcp(AF_INET, true, true, 8090, SYN, 0);

	(void)state;
	spec.passed_over[0] = 7;
	spec.passed_over[1] = 9;
	spec.passed_over_count = 2;
	p.ifindex = 8;
	assert_true(counts(&spec, TAP_SYN_OUT, &p));
	p.ifindex = 7;
	assert_false(counts(&spec, TAP_SYN_OUT, &p));
	p.ifindex = 9;
	assert_false(counts(&spec, TAP_SYN_OUT, &p));
	p.ifindex = 8;
	p.has_tag = true;
	assert_false(counts(&spec, TAP_SYN_OUT, &p));
	p.has_tag = false;
	p.type = PACKET_HOST; /* on its way in, as over the loopback */
	assert_false(counts(&spec, TAP_SYN_OUT, &p));
	spec.passed_over_count = TAP_PASSED_OVER;
	spec.family = AF_UNSPEC;
	spec.has_address = false;
	p.type = PACKET_OUTGOING;
	assert_true(counts(&spec, TAP_SYN_OUT, &p));
}

static void unreachable(void **state)
{
	static const struct {
		int family;
		uint8_t type, code;
		bool is_unreachable, is_refused;
	} messages[] = {
		{AF_INET, 3, 0, true, false},   {AF_INET, 3, 1, true, false},
		{AF_INET, 3, 3, true, false},   {AF_INET, 3, 9, true, true},
		{AF_INET, 3, 10, true, true},   {AF_INET, 3, 12, true, false},
		{AF_INET, 3, 13, true, true},   {AF_INET, 11, 0, false, false},
		{AF_INET, 8, 9, false, false},  {AF_INET6, 1, 0, true, false},
		{AF_INET6, 1, 1, true, true},   {AF_INET6, 1, 4, true, false},
		{AF_INET6, 1, 5, true, true},   {AF_INET6, 1, 6, true, true},
		{AF_INET6, 2, 1, false, false}, {AF_INET6, 3, 1, false, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(messages); i++) {
		int family = messages[i].family;
		struct tap_spec spec = spec_of(false, (uint8_t)family, true);
		uint8_t options_end = family == AF_INET ? 4 : 1;

		for (uint8_t options = 0; options < options_end; options++) {
			struct packet p = icmp(family, messages[i].type, messages[i].code, 8095,
			                       options);

			assert_int_equal(counts(&spec, TAP_ICMP_IN, &p),
			                 messages[i].is_unreachable);
			assert_int_equal(counts(&spec, TAP_ICMP_REFUSED_IN, &p),
			                 messages[i].is_refused);
			p = icmp(family, messages[i].type, messages[i].code, 8100, options);
			assert_false(counts(&spec, TAP_ICMP_IN, &p));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_by_one),    cmocka_unit_test(ports_at_their_borders),
		cmocka_unit_test(several_ranges), cmocka_unit_test(the_longest),
		cmocka_unit_test(nothing_else),   cmocka_unit_test(each_once),
		cmocka_unit_test(unreachable),
	};

	return cmocka_run_group_tests_name("unit_tap", tests, NULL, NULL);
}
