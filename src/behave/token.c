/* token: see the header for its form. The nonce is splitmix64, whose steps are a bijection, so two
 * indexes of a run never have the same one. */
#include "behave/token.h"

#include "base/mix.h"

#include <string.h>

static const uint8_t magic[3] = {'M', 'C', 'N'};

static void put_be(uint8_t *at, uint64_t value, int bytes)
{
	for (int i = 0; i < bytes; i++)
		at[i] = (uint8_t)(value >> (8 * (bytes - 1 - i)));
}

void token_make(uint8_t out[TOKEN_BYTES], uint64_t key, uint32_t index, unsigned int round)
{
	memcpy(out, magic, sizeof(magic));
	out[3] = (uint8_t)('1' + round);
	put_be(out + 4, index, 4);
	put_be(out + 8, mix64(key ^ ((uint64_t)round << 32 | index)), 8);
}

bool token_parse(const uint8_t in[TOKEN_BYTES], uint32_t *index, unsigned int *round)
{
	if (memcmp(in, magic, sizeof(magic)) != 0 || in[3] < '1' || in[3] > '1' + TOKEN_HELLO)
		return false;
	*round = (unsigned int)(in[3] - '1');
	*index = (uint32_t)in[4] << 24 | (uint32_t)in[5] << 16 | (uint32_t)in[6] << 8 | in[7];
	return true;
}

/* Whether a token's byte `at` may be this one: all are known but index and nonce. */
static bool fits(uint8_t at, uint8_t byte)
{
	if (at < sizeof(magic))
		return byte == magic[at];
	return at > sizeof(magic) || (byte >= '1' && byte <= '1' + TOKEN_HELLO);
}

/* To where a token may begin; to the end where there is no such place. */
static void skip_others(const uint8_t **data, size_t *len)
{
	const uint8_t *found = memchr(*data, magic[0], *len);
	size_t skipped = found ? (size_t)(found - *data) : *len;

	*data += skipped;
	*len -= skipped;
}

/* The usual case leaves the stream's memory untouched. */
static bool take_whole(const uint8_t **data, size_t *len, uint8_t token[TOKEN_BYTES])
{
	uint32_t index;
	unsigned int round;

	if (*len < TOKEN_BYTES || !token_parse(*data, &index, &round))
		return false;
	memcpy(token, *data, TOKEN_BYTES);
	*data += TOKEN_BYTES;
	*len -= TOKEN_BYTES;
	return true;
}

/* The letters of the magic differ: where a head goes wrong, only that byte may begin another. */
bool token_gather(uint8_t *have, uint8_t part[TOKEN_BYTES], const uint8_t **data, size_t *len,
                  uint8_t token[TOKEN_BYTES])
{
	while (*len > 0) {
		if (*have == 0)
			skip_others(data, len);
		if (*have == 0 && take_whole(data, len, token))
			return true;
		if (*len > 0 && !fits(*have, **data)) {
			*have = 0;
			continue;
		}
		for (; *len > 0 && *have < TOKEN_BYTES && fits(*have, **data); (*len)--)
			part[(*have)++] = *(*data)++;
		if (*have < TOKEN_BYTES)
			continue;
		memcpy(token, part, TOKEN_BYTES);
		*have = 0;
		return true;
	}
	return false;
}
