/* iss: initial sequence numbers by RFC 6528: a clock that ticks every 4 us, plus a keyed hash of
 * the 4-tuple (SipHash-2-4). Pure. */
#pragma once

#include "plan/tuple.h"

#include <stdint.h>

/* `key`: 16 random bytes as two numbers, the same for a run. now_ns is CLOCK_MONOTONIC's. */
uint32_t iss_of(const uint64_t key[2], const struct tuple *tuple, uint64_t now_ns);

/* SipHash-2-4 of `len` bytes. */
uint64_t iss_siphash(const uint64_t key[2], const uint8_t *bytes, uint32_t len);
