/* unit_unreachable: ICMP errors as a kernel sends them, about packets as we send them, and all that
 * is none. */
#include "utcp/unreachable.h"

#include "utcp/packet.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define BYTES_MOST 256
#define SEQ        UINT32_C(0xdeadbeef)

struct message {
	uint8_t bytes[BYTES_MOST];
	uint32_t len;
};

static struct tuple tuple_of(int family)
{
	struct tuple t = {.source_port = 20000, .target_port = 8090};

	assert_int_equal(ip_parse(family == AF_INET ? "198.18.3.4" : "2001:2::1:1", &t.source), 0);
	assert_int_equal(ip_parse(family == AF_INET ? "198.19.0.1" : "2001:2::1", &t.target), 0);
	return t;
}

static void put_16(uint8_t *at, uint32_t number)
{
	at[0] = (uint8_t)(number >> 8);
	at[1] = (uint8_t)number;
}

/* From the target's host to us, about our SYN, of which `quoted` bytes come back. */
static struct message error_about(int family, uint8_t type, uint8_t code, uint32_t quoted)
{
	const struct tuple t = tuple_of(family);
	const struct segment syn = {.seq = SEQ, .flags = SEGMENT_SYN, .mss = 1460};
	const uint32_t header = family == AF_INET ? 20 : 40, all = 8 + quoted;
	struct message m = {.len = header + all};
	uint8_t ours[PACKET_BYTES_MOST], *icmp = m.bytes + header;
	uint32_t sum = 0;

	assert_true(quoted <= packet_build(ours, &t, &syn));
	icmp[0] = type;
	icmp[1] = code;
	memcpy(icmp + 8, ours, quoted);
	if (family == AF_INET) {
		m.bytes[0] = 0x45;
		put_16(m.bytes + 2, m.len);
		m.bytes[8] = 64;
		m.bytes[9] = 1;
		memcpy(m.bytes + 12, t.target.bytes, 4);
		memcpy(m.bytes + 16, t.source.bytes, 4);
		put_16(m.bytes + 10, packet_fold(packet_sum(m.bytes, 20, 0)));
	} else {
		m.bytes[0] = 0x60;
		put_16(m.bytes + 4, all);
		m.bytes[6] = 58;
		m.bytes[7] = 64;
		memcpy(m.bytes + 8, t.target.bytes, 16);
		memcpy(m.bytes + 24, t.source.bytes, 16);
		sum = packet_sum(m.bytes + 8, 32, all + 58);
	}
	put_16(icmp + 2, packet_fold(packet_sum(icmp, all, sum)));
	return m;
}

static uint32_t whole(int family)
{
	return family == AF_INET ? 44 : 64;
}

static void expect(const struct message *m, int family, int error)
{
	const struct tuple t = tuple_of(family);
	struct unreachable u;

	assert_true(unreachable_parse(m->bytes, m->len, &u));
	assert_true(ip_equal(&u.tuple.source, &t.source));
	assert_true(ip_equal(&u.tuple.target, &t.target));
	assert_int_equal(u.tuple.source_port, t.source_port);
	assert_int_equal(u.tuple.target_port, t.target_port);
	assert_int_equal(u.seq, SEQ);
	assert_int_equal(u.error, error);
}

static void expect_none(const struct message *m)
{
	struct unreachable u;

	assert_false(unreachable_parse(m->bytes, m->len, &u));
}

static void test_codes(void **state)
{
	static const struct {
		int family;
		uint8_t code;
		int error;
	} cases[] = {
		{AF_INET, 0, -ENETUNREACH},   {AF_INET, 1, -EHOSTUNREACH},
		{AF_INET, 3, -ECONNREFUSED},  {AF_INET, 9, -ENETUNREACH},
		{AF_INET, 10, -EHOSTUNREACH}, {AF_INET, 13, -EHOSTUNREACH},
		{AF_INET6, 0, -ENETUNREACH},  {AF_INET6, 1, -EACCES},
		{AF_INET6, 3, -EHOSTUNREACH}, {AF_INET6, 4, -ECONNREFUSED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int family = cases[i].family;
		const struct message m = error_about(family, family == AF_INET ? 3 : 1,
		                                     cases[i].code, whole(family));

		expect(&m, family, cases[i].error);
	}
}

/* RFC 792: the IP header and eight bytes are all that need come back. */
static void test_what_is_quoted(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		int family = i == 0 ? AF_INET : AF_INET6;
		uint32_t header = family == AF_INET ? 20 : 40;
		uint8_t type = family == AF_INET ? 3 : 1;

		for (uint32_t quoted = 0; quoted <= whole(family); quoted++) {
			const struct message m = error_about(family, type, 0, quoted);

			if (quoted >= header + 8)
				expect(&m, family, -ENETUNREACH);
			else
				expect_none(&m);
		}
	}
}

static void test_what_is_none(void **state)
{
	struct message m = error_about(AF_INET, 3, 4, 44); /* fragmentation needed */

	(void)state;
	expect_none(&m);
	m = error_about(AF_INET, 11, 0, 44); /* time exceeded */
	expect_none(&m);
	m = error_about(AF_INET, 3, 200, 44);
	expect_none(&m);
	m = error_about(AF_INET6, 2, 0, 64); /* packet too big */
	expect_none(&m);
	m = error_about(AF_INET6, 128, 0, 64); /* an echo request */
	expect_none(&m);
}

/* Cut off, or with any bit turned: never believed where a checksum covers it, never a crash. */
static void test_damage(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		int family = i == 0 ? AF_INET : AF_INET6;
		const struct message good = error_about(family, family == AF_INET ? 3 : 1, 0,
		                                        whole(family));
		/* Of IPv6's own header only the addresses and the length are summed. */
		uint32_t first = family == AF_INET ? 0 : 64;
		struct unreachable u;
		struct message m = good;

		for (m.len = 0; m.len < good.len; m.len++)
			expect_none(&m);
		for (uint32_t bit = first; bit < 8 * good.len; bit++) {
			m = good;
			m.bytes[bit / 8] ^= (uint8_t)(1U << (bit % 8));
			expect_none(&m);
		}
		for (uint32_t bit = 0; bit < first; bit++) {
			m = good;
			m.bytes[bit / 8] ^= (uint8_t)(1U << (bit % 8));
			(void)unreachable_parse(m.bytes, m.len, &u);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_codes),
		cmocka_unit_test(test_what_is_quoted),
		cmocka_unit_test(test_what_is_none),
		cmocka_unit_test(test_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
