/* fuzz_token: a libFuzzer target for token_gather and token_parse. The first half of the input says
 * how the second is cut. Pieces lie in memory of exactly their size, so that the sanitizer sees a
 * byte too many. What comes out is what went in: floor(len / 16) tokens, and the rest is kept. */
#include "behave/token.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

/* What parses is what token_make would write, but for the nonce. */
static void check_parse(const uint8_t token[TOKEN_BYTES])
{
	uint8_t again[TOKEN_BYTES];
	uint32_t index;
	unsigned int round;

	if (!token_parse(token, &index, &round))
		return;
	require(round <= TOKEN_HELLO);
	token_make(again, 0, index, round);
	require(memcmp(token, again, 8) == 0);
}

struct stream {
	uint8_t have, part[TOKEN_BYTES];
	const uint8_t *sent;
	size_t fed, tokens;
};

static void feed(struct stream *s, size_t len)
{
	uint8_t *piece = malloc(len), *token = malloc(TOKEN_BYTES);
	const uint8_t *at = piece;
	size_t left = len;

	require(token && (piece || len == 0));
	if (len > 0)
		memcpy(piece, s->sent + s->fed, len);
	s->fed += len;
	while (token_gather(&s->have, s->part, &at, &left, token)) {
		require(memcmp(token, s->sent + s->tokens * TOKEN_BYTES, TOKEN_BYTES) == 0);
		require(at + left == piece + len);
		check_parse(token);
		s->tokens++;
	}
	require(left == 0 && at == piece + len);
	require(s->tokens == s->fed / TOKEN_BYTES && s->have == s->fed % TOKEN_BYTES);
	require(memcmp(s->part, s->sent + s->tokens * TOKEN_BYTES, s->have) == 0);
	free(token);
	free(piece);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t cuts = size / 2, len = size - cuts;
	struct stream s = {.sent = data + cuts};

	for (size_t i = 0; i < cuts; i++)
		feed(&s, data[i] < len - s.fed ? data[i] : len - s.fed);
	feed(&s, len - s.fed);
	require(s.tokens == len / TOKEN_BYTES);
	return 0;
}
