/* unit_iss: SipHash-2-4 against another implementation of it; the clock; and that everything of a
 * tuple, and of the key, is in the hash. */
#include "utcp/iss.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#define TICK_NS     UINT64_C(4000)

/* Bytes 00 .. 0f. */
static const uint64_t key[2] = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};

/* vectors[n]: of n bytes 00, 01, 02 ... By OpenSSL; that of 15 bytes is the example in the paper of
 * SipHash's authors. */
static const uint64_t vectors[] = {
	UINT64_C(0x726fdb47dd0e0e31), UINT64_C(0x74f839c593dc67fd), UINT64_C(0x0d6c8009d9a94f5a),
	UINT64_C(0x85676696d7fb7e2d), UINT64_C(0xcf2794e0277187b7), UINT64_C(0x18765564cd99a68d),
	UINT64_C(0xcbc9466e58fee3ce), UINT64_C(0xab0200f58b01d137), UINT64_C(0x93f5f5799a932462),
	UINT64_C(0x9e0082df0ba9e4b0), UINT64_C(0x7a5dbbc594ddb9f3), UINT64_C(0xf4b32f46226bada7),
	UINT64_C(0x751e8fbc860ee5fb), UINT64_C(0x14ea5627c0843d90), UINT64_C(0xf723ca908e7af2ee),
	UINT64_C(0xa129ca6149be45e5), UINT64_C(0x3f2acc7f57c29bdb), UINT64_C(0x699ae9f52cbe4794),
	UINT64_C(0x4bc1b3f0968dd39c), UINT64_C(0xbb6dc91da77961bd), UINT64_C(0xbed65cf21aa2ee98),
	UINT64_C(0xd0f2cbb02e3b67c7), UINT64_C(0x93536795e3a33e88), UINT64_C(0xa80c038ccd5ccec8),
	UINT64_C(0xb8ad50c6f649af94), UINT64_C(0xbce192de8a85b8ea), UINT64_C(0x17d835b85bbb15f3),
	UINT64_C(0x2f2e6163076bcfad), UINT64_C(0xde4daaaca71dc9a5), UINT64_C(0xa6a2506687956571),
	UINT64_C(0xad87a3535c49ef28), UINT64_C(0x32d892fad841c342), UINT64_C(0x7127512f72f27cce),
	UINT64_C(0xa7f32346f95978e3), UINT64_C(0x12e0b01abb051238), UINT64_C(0x15e034d40fa197ae),
	UINT64_C(0x314dffbe0815a3b4),
};

static void vectors_of_siphash(void **state)
{
	(void)state;
	for (uint32_t len = 0; len < COUNT_OF(vectors); len++) {
		uint8_t *bytes = malloc(len + 1);

		assert_non_null(bytes);
		/* At an odd address, and up to the last byte of its memory. */
		for (uint32_t i = 0; i < len; i++)
			bytes[i + 1] = (uint8_t)i;
		assert_true(iss_siphash(key, bytes + 1, len) == vectors[len]);
		free(bytes);
	}
}

static struct tuple tuple_of(const char *source, const char *target)
{
	struct tuple tuple = {.source_port = 10240, .target_port = 8090};

	assert_int_equal(ip_parse(source, &tuple.source), 0);
	assert_int_equal(ip_parse(target, &tuple.target), 0);
	return tuple;
}

/* One every 4 us; back to where it was after 2^32 of them, some 4 hours and 46 minutes. */
static void clock_of_the_rfc(void **state)
{
	static const uint64_t later_ns[] = {0,    1,          3999,       4000,
	                                    4001, 1000000000, UINT32_MAX, UINT64_C(1) << 40};
	struct tuple tuple = tuple_of("198.18.0.1", "198.19.0.1");
	uint32_t start = iss_of(key, &tuple, 0);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(later_ns); i++)
		assert_int_equal(iss_of(key, &tuple, later_ns[i]) - start,
		                 (uint32_t)(later_ns[i] / TICK_NS));
	assert_int_equal(iss_of(key, &tuple, TICK_NS * UINT32_MAX) - start, UINT32_MAX);
	assert_int_equal(iss_of(key, &tuple, TICK_NS << 32), start);
	assert_int_equal(iss_of(key, &tuple, (TICK_NS << 32) + TICK_NS), start + 1);
	/* What is said of it: a second later it is 250,000 further. */
	assert_int_equal(iss_of(key, &tuple, UINT64_C(1000000000)) - start, 250000);
}

/* The hash is that of source, target and both ports, one behind the other. */
static void hash_of_a_tuple(void **state)
{
	uint8_t bytes[12] = {198, 18, 0, 1, 198, 19, 0, 1};
	struct tuple tuple = tuple_of("198.18.0.1", "198.19.0.1");

	(void)state;
	memcpy(bytes + 8, &tuple.source_port, 2);
	memcpy(bytes + 10, &tuple.target_port, 2);
	assert_int_equal(iss_of(key, &tuple, 0), (uint32_t)iss_siphash(key, bytes, 12));
}

static void differs(const uint64_t other_key[2], const struct tuple *a, const struct tuple *b)
{
	assert_int_not_equal(iss_of(key, a, 0), iss_of(other_key, b, 0));
}

static void each_bit_is_in_it(const struct tuple *tuple, size_t address_bytes)
{
	struct tuple other;

	for (size_t bit = 0; bit < address_bytes * 8; bit++) {
		other = *tuple;
		other.source.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		differs(key, tuple, &other);
		other = *tuple;
		other.target.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		differs(key, tuple, &other);
	}
	for (size_t bit = 0; bit < 16; bit++) {
		other = *tuple;
		other.source_port ^= (uint16_t)(1 << bit);
		differs(key, tuple, &other);
		other = *tuple;
		other.target_port ^= (uint16_t)(1 << bit);
		differs(key, tuple, &other);
	}
	for (size_t bit = 0; bit < 128; bit++) {
		uint64_t other_key[2] = {key[0], key[1]};

		other_key[bit / 64] ^= UINT64_C(1) << bit % 64;
		differs(other_key, tuple, tuple);
	}
	other = (struct tuple){tuple->target, tuple->source, tuple->target_port,
	                       tuple->source_port};
	differs(key, tuple, &other);
	/* The interface of a link-local address is no part of the 4-tuple. */
	other = *tuple;
	other.source.scope = 7;
	assert_int_equal(iss_of(key, tuple, 0), iss_of(key, &other, 0));
}

static void tuples_differ(void **state)
{
	struct tuple ipv4 = tuple_of("198.18.0.1", "198.19.0.1");
	struct tuple ipv6 = tuple_of("2001:2::1", "2001:2:0:1::1");

	(void)state;
	each_bit_is_in_it(&ipv4, 4);
	each_bit_is_in_it(&ipv6, 16);
}

static int compare(const void *a, const void *b)
{
	uint32_t x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return (x > y) - (x < y);
}

/* A plan's tuples count up; their numbers are as if drawn: of 65,536 in 2^32 about half a pair are
 * the same, and each 64th of the range has about 1,024. */
static void neighbours_are_far_apart(void **state)
{
	static uint32_t numbers[65536];
	struct tuple tuple = tuple_of("198.18.0.1", "198.19.0.1");
	uint32_t same = 0, parts[64] = {0};

	(void)state;
	for (uint32_t i = 0; i < COUNT_OF(numbers); i++) {
		tuple.source_port = (uint16_t)i;
		numbers[i] = iss_of(key, &tuple, 0);
		parts[numbers[i] >> 26]++;
	}
	qsort(numbers, COUNT_OF(numbers), sizeof(numbers[0]), compare);
	for (uint32_t i = 1; i < COUNT_OF(numbers); i++)
		same += numbers[i] == numbers[i - 1];
	assert_true(same < 8);
	for (size_t i = 0; i < COUNT_OF(parts); i++)
		assert_in_range(parts[i], 1024 - 160, 1024 + 160);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_of_siphash),       cmocka_unit_test(clock_of_the_rfc),
		cmocka_unit_test(hash_of_a_tuple),          cmocka_unit_test(tuples_differ),
		cmocka_unit_test(neighbours_are_far_apart),
	};

	return cmocka_run_group_tests_name("unit_iss", tests, NULL, NULL);
}
