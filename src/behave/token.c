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

bool token_gather(uint8_t *have, uint8_t part[TOKEN_BYTES], const uint8_t **data, size_t *len,
                  uint8_t token[TOKEN_BYTES])
{
	size_t missing = (size_t)(TOKEN_BYTES - *have);
	size_t taken = *len < missing ? *len : missing;

	if (taken == TOKEN_BYTES) { /* the usual case leaves the stream's memory untouched */
		memcpy(token, *data, TOKEN_BYTES);
	} else {
		memcpy(part + *have, *data, taken);
		if (taken < missing) {
			*have = (uint8_t)(*have + taken);
			*data += taken;
			*len -= taken;
			return false;
		}
		memcpy(token, part, TOKEN_BYTES);
	}
	*have = 0;
	*data += taken;
	*len -= taken;
	return true;
}
