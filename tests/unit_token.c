/* unit_token: the form of a token, and gathering them from a stream that is cut anywhere. Pieces
 * lie in memory of exactly their size, so that the sanitizer sees a byte too many. */
#include "behave/token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#define KEY         UINT64_C(0x0123456789abcdef)
#define INDEXES     300000U
#define TOKENS      500U

static uint64_t seed = 11;

static uint64_t draw(uint64_t below)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (seed >> 20) % below;
}

/* --- the form ------------------------------------------------------------------------------ */

static void test_form(void **state)
{
	/* splitmix64's first number from the seed 0. */
	static const uint8_t first[] = {'M',  'C',  'N',  '1',  0,    0,    0,    0,
	                                0xe2, 0x20, 0xa8, 0x39, 0x7b, 0x1d, 0xcd, 0xaf};
	uint8_t token[TOKEN_BYTES];

	(void)state;
	token_make(token, 0, 0, 0);
	assert_memory_equal(token, first, TOKEN_BYTES);
	token_make(token, KEY, 0x12345678, 1);
	assert_memory_equal(token, "MCN2\x12\x34\x56\x78", 8);
}

static void check_round_trip(uint64_t key, uint32_t index, unsigned int round)
{
	uint8_t token[TOKEN_BYTES + 2];
	uint32_t got_index = ~index;
	unsigned int got_round = 99;

	memset(token, 0xee, sizeof(token));
	token_make(token + 1, key, index, round);
	assert_int_equal(token[0], 0xee);
	assert_int_equal(token[TOKEN_BYTES + 1], 0xee);
	assert_true(token_parse(token + 1, &got_index, &got_round));
	assert_int_equal(got_index, index);
	assert_int_equal(got_round, round);
}

static void test_round_trip(void **state)
{
	static const uint64_t keys[] = {0, 1, KEY, UINT64_MAX, UINT64_C(1) << 32};

	(void)state;
	for (size_t k = 0; k < COUNT_OF(keys); k++) {
		for (unsigned int round = 0; round <= TOKEN_HELLO; round++) {
			check_round_trip(keys[k], 0, round);
			check_round_trip(keys[k], UINT32_MAX, round);
			for (unsigned int bit = 0; bit < 32; bit++)
				check_round_trip(keys[k], UINT32_C(1) << bit, round);
			for (int i = 0; i < 1000; i++)
				check_round_trip(keys[k], (uint32_t)draw(UINT32_MAX), round);
		}
	}
}

/* The head decides, the nonce does not. */
static void test_parse(void **state)
{
	uint8_t token[TOKEN_BYTES];
	uint32_t index;
	unsigned int round;

	(void)state;
	for (size_t at = 0; at < TOKEN_BYTES; at++) {
		for (unsigned int value = 0; value < 256; value++) {
			token_make(token, KEY, 0xa1b2c3d4, 0);
			bool is_same = token[at] == value;

			token[at] = (uint8_t)value;
			bool is_token = at > 3 || is_same ||
			                (at == 3 && (value == '2' || value == '3'));

			assert_true(token_parse(token, &index, &round) == is_token);
			if (!is_token)
				continue;
			assert_int_equal(round, token[3] - '1');
			assert_true((index == 0xa1b2c3d4) == (at < 4 || at > 7 || is_same));
		}
	}
	memset(token, 0, sizeof(token));
	assert_false(token_parse(token, &index, &round));
	memset(token, 0xff, sizeof(token));
	assert_false(token_parse(token, &index, &round));
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static uint64_t nonce(uint64_t key, uint32_t index, unsigned int round)
{
	uint8_t token[TOKEN_BYTES];
	uint64_t value = 0;

	token_make(token, key, index, round);
	for (size_t i = 8; i < TOKEN_BYTES; i++)
		value = value << 8 | token[i];
	return value;
}

/* Over both rounds of a run, and of another run under another key. */
static void test_nonces(void **state)
{
	static uint64_t nonces[INDEXES * TOKEN_ROUNDS];
	size_t count = 0;

	(void)state;
	for (uint32_t index = 0; index < INDEXES; index++) {
		for (unsigned int round = 0; round < TOKEN_ROUNDS; round++) {
			/* Up and down from the middle: all bytes of an index take part. */
			nonces[count] = nonce(KEY, index * 14321U, round);
			assert_int_not_equal(nonces[count], nonce(KEY + 1, index * 14321U, round));
			count++;
		}
	}
	qsort(nonces, count, sizeof(nonces[0]), compare);
	for (size_t i = 1; i < count; i++)
		assert_int_not_equal(nonces[i - 1], nonces[i]);
}

/* --- gathering ----------------------------------------------------------------------------- */

struct stream {
	uint8_t have, part[TOKEN_BYTES];
	const uint8_t *sent; /* what went in, from its start */
	size_t other;        /* bytes before the first token */
	size_t fed, tokens;
};

/* Feeds the next `len` bytes: the tokens that come out are those that went in, in their order, and
 * what is left over is kept. */
static void feed(struct stream *s, size_t len)
{
	uint8_t *piece = malloc(len > 0 ? len : 1), token[TOKEN_BYTES];
	const uint8_t *data = piece;
	size_t left = len;

	assert_non_null(piece);
	memcpy(piece, s->sent + s->fed, len);
	memset(token, 0xee, sizeof(token));
	while (token_gather(&s->have, s->part, &data, &left, token)) {
		assert_memory_equal(token, s->sent + s->other + s->tokens * TOKEN_BYTES,
		                    TOKEN_BYTES);
		memset(token, 0xee, sizeof(token));
		s->tokens++;
		assert_int_equal(data - piece, (long)(s->other + s->tokens * TOKEN_BYTES - s->fed));
		assert_int_equal((size_t)(data - piece) + left, len);
	}
	s->fed += len;
	assert_int_equal(left, 0);
	assert_ptr_equal(data, piece + len);
	size_t of_tokens = s->fed > s->other ? s->fed - s->other : 0;

	assert_int_equal(s->tokens, of_tokens / TOKEN_BYTES);
	assert_int_equal(s->have, of_tokens % TOKEN_BYTES);
	assert_memory_equal(s->part, s->sent + s->other + s->tokens * TOKEN_BYTES, s->have);
	free(piece);
}

static const uint8_t *stream_bytes(void)
{
	static uint8_t bytes[TOKENS * TOKEN_BYTES];

	for (uint32_t i = 0; i < TOKENS; i++)
		token_make(bytes + (size_t)i * TOKEN_BYTES, KEY, i * 2654435761U, i % TOKEN_ROUNDS);
	return bytes;
}

/* Five tokens in one, two, three and four pieces, some of them empty. */
static void test_every_cut(void **state)
{
	const uint8_t *bytes = stream_bytes();
	const size_t len = (size_t)5 * TOKEN_BYTES;

	(void)state;
	for (size_t a = 0; a <= len; a++) {
		for (size_t b = a; b <= len; b++) {
			for (size_t c = b; c <= len; c += 3) {
				struct stream s = {.sent = bytes};

				feed(&s, a);
				feed(&s, b - a);
				feed(&s, c - b);
				feed(&s, len - c);
				assert_int_equal(s.tokens, 5);
			}
		}
	}
}

/* Pieces of one size, for each size. */
static void test_even_pieces(void **state)
{
	const uint8_t *bytes = stream_bytes();

	(void)state;
	for (size_t size = 1; size <= 100; size++) {
		struct stream s = {.sent = bytes};

		while (s.fed + size <= (size_t)TOKENS * TOKEN_BYTES)
			feed(&s, size);
		feed(&s, (size_t)TOKENS * TOKEN_BYTES - s.fed);
		assert_int_equal(s.tokens, TOKENS);
		assert_int_equal(s.have, 0);
	}
}

/* Two streams in turn: each has its own half token. */
static void test_random_pieces(void **state)
{
	const uint8_t *bytes = stream_bytes();
	const size_t len = (size_t)TOKENS * TOKEN_BYTES;

	(void)state;
	for (int tries = 0; tries < 200; tries++) {
		struct stream s[2] = {{.sent = bytes},
		                      {.sent = bytes + 7, .other = TOKEN_BYTES - 7}};
		size_t most = 1 + draw(tries % 2 ? 20 : 400);

		while (s[0].fed < len) {
			size_t size = draw(most + 1);

			feed(&s[0], size < len - s[0].fed ? size : len - s[0].fed);
			size = draw(most + 1);
			feed(&s[1], size < len - 7 - s[1].fed ? size : len - 7 - s[1].fed);
		}
		assert_int_equal(s[0].tokens, TOKENS);
	}
}

/* What stands in `part` beyond `have` does not matter, and nothing stands there afterwards. */
static void test_partial(void **state)
{
	uint8_t whole[TOKEN_BYTES], part[TOKEN_BYTES], token[TOKEN_BYTES];

	(void)state;
	token_make(whole, KEY, 77, 1);
	for (size_t first = 1; first < TOKEN_BYTES; first++) {
		const uint8_t *data = whole;
		size_t len = first;
		uint8_t have = 0;

		memset(part, 0x5a, sizeof(part));
		memset(token, 0xee, sizeof(token));
		assert_false(token_gather(&have, part, &data, &len, token));
		assert_int_equal(have, first);
		assert_memory_equal(part, whole, first);
		for (size_t i = first; i < TOKEN_BYTES; i++)
			assert_int_equal(part[i], 0x5a);
		assert_int_equal(token[0], 0xee);
		len = TOKEN_BYTES - first;
		assert_true(token_gather(&have, part, &data, &len, token));
		assert_int_equal(have, 0);
		assert_memory_equal(token, whole, TOKEN_BYTES);
		assert_false(token_gather(&have, part, &data, &len, token));
		assert_int_equal(have, 0);
	}
}

/* Between tokens stand other bytes, also such as look like the beginning of one. */
static void test_others(void **state)
{
	static const char *const others[] = {"",
	                                     "M",
	                                     "MC",
	                                     "MCN",
	                                     "MMCN",
	                                     "MCMCN",
	                                     "MCN0",
	                                     "MCN4",
	                                     "\xff\x80\xcd\xc3\xce",
	                                     "MCMCMCNMCNM",
	                                     "hello"};
	uint8_t bytes[COUNT_OF(others) * (TOKEN_BYTES + 12)], token[TOKEN_BYTES], part[TOKEN_BYTES];
	size_t len = 0;

	(void)state;
	for (uint32_t i = 0; i < COUNT_OF(others); i++) {
		memcpy(bytes + len, others[i], strlen(others[i]));
		len += strlen(others[i]);
		token_make(bytes + len, KEY, i, 1);
		len += TOKEN_BYTES;
	}
	for (size_t size = 1; size <= len; size++) {
		uint32_t found = 0, index;
		unsigned int round;
		uint8_t have = 0;

		for (size_t at = 0; at < len; at += size) {
			const uint8_t *data = bytes + at;
			size_t left = size < len - at ? size : len - at;

			while (token_gather(&have, part, &data, &left, token)) {
				assert_true(token_parse(token, &index, &round));
				assert_int_equal(index, found++);
			}
			assert_int_equal(left, 0);
		}
		assert_int_equal(found, COUNT_OF(others));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_form),          cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_parse),         cmocka_unit_test(test_nonces),
		cmocka_unit_test(test_every_cut),     cmocka_unit_test(test_even_pieces),
		cmocka_unit_test(test_random_pieces), cmocka_unit_test(test_partial),
		cmocka_unit_test(test_others),
	};

	return cmocka_run_group_tests_name("unit_token", tests, NULL, NULL);
}
