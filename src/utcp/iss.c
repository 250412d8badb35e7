/* iss: initial sequence numbers by RFC 6528: a clock that ticks every 4 us, plus a keyed hash of
 * the 4-tuple (SipHash-2-4). */
#include "utcp/iss.h"

#include <endian.h>
#include <string.h>

#define TICK_NS    4000
#define TUPLE_MOST (16 + 16 + 2 + 2)

static inline uint64_t rotate(uint64_t word, int bits)
{
	return word << bits | word >> (64 - bits);
}

static inline void rounds(uint64_t v[4], int count)
{
	for (int i = 0; i < count; i++) {
		v[0] += v[1];
		v[1] = rotate(v[1], 13) ^ v[0];
		v[0] = rotate(v[0], 32);
		v[2] += v[3];
		v[3] = rotate(v[3], 16) ^ v[2];
		v[0] += v[3];
		v[3] = rotate(v[3], 21) ^ v[0];
		v[2] += v[1];
		v[1] = rotate(v[1], 17) ^ v[2];
		v[2] = rotate(v[2], 32);
	}
}

static inline void take(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	rounds(v, 2);
	v[0] ^= word;
}

uint64_t iss_siphash(const uint64_t key[2], const uint8_t *bytes, uint32_t len)
{
	uint64_t v[4] = {
		key[0] ^ UINT64_C(0x736f6d6570736575),
		key[1] ^ UINT64_C(0x646f72616e646f6d),
		key[0] ^ UINT64_C(0x6c7967656e657261),
		key[1] ^ UINT64_C(0x7465646279746573),
	};
	uint64_t word, last = (uint64_t)len << 56;

	for (; len >= 8; bytes += 8, len -= 8) {
		memcpy(&word, bytes, sizeof(word));
		take(v, le64toh(word));
	}
	for (uint32_t i = 0; i < len; i++)
		last |= (uint64_t)bytes[i] << (8 * i);
	take(v, last);
	v[2] ^= 0xff;
	rounds(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint32_t iss_of(const uint64_t key[2], const struct tuple *tuple, uint64_t now_ns)
{
	uint32_t address = tuple->source.family == AF_INET ? 4 : 16, len = 2 * address;
	uint8_t bytes[TUPLE_MOST];

	memcpy(bytes, tuple->source.bytes, address);
	memcpy(bytes + address, tuple->target.bytes, address);
	memcpy(bytes + len, &tuple->source_port, 2);
	memcpy(bytes + len + 2, &tuple->target_port, 2);
	return (uint32_t)(now_ns / TICK_NS) + (uint32_t)iss_siphash(key, bytes, len + 4);
}
