/* fuzz_token: a libFuzzer target for token_gather and token_parse. The first half of the input says
 * how the second is cut. Pieces lie in memory of exactly their size, so that the sanitizer sees a
 * byte too many. What comes out is what a search of the whole finds. */
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
	size_t len, fed, found; /* found: to here the whole has been searched */
};

/* Where the next token stands in the whole; its end where there is none. */
static size_t search(const struct stream *s)
{
	uint32_t index;
	unsigned int round;

	for (size_t at = s->found; at + TOKEN_BYTES <= s->len; at++)
		if (token_parse(s->sent + at, &index, &round))
			return at;
	return s->len;
}

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
		size_t next = search(s);

		require(next < s->len && memcmp(token, s->sent + next, TOKEN_BYTES) == 0);
		require(at + left == piece + len && s->fed - left == next + TOKEN_BYTES);
		check_parse(token);
		s->found = next + TOKEN_BYTES;
	}
	require(left == 0 && at == piece + len && s->have < TOKEN_BYTES);
	free(token);
	free(piece);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t cuts = size / 2, len = size - cuts;
	struct stream s = {.sent = data + cuts, .len = len};

	for (size_t i = 0; i < cuts; i++)
		feed(&s, data[i] < len - s.fed ? data[i] : len - s.fed);
	feed(&s, len - s.fed);
	require(search(&s) == len);
	return 0;
}
