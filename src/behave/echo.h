/* echo: messages that are to come back as they are. Pure.
 *
 * A message is a function of (key, index, number), and so is its size. From ECHO_HEADER bytes on it
 * begins with a header that names it:
 *
 *   bytes 0-4   index, 7 bits a byte, the most significant first
 *   bytes 5-9   number, likewise
 *   bytes 10-15 42 bits of a keyed mix of both
 *
 * and what follows is that mix drawn out. Smaller ones begin with what follows at once. Every byte
 * has its upper bit set, so that no part of a message can be taken for a token (behave/token.h),
 * and in a capture the two are told apart at a look. */
#pragma once

#include "behave/behaviour.h"

#define ECHO_HEADER 16

void echo_turn(const struct behaviour *b, uint32_t index, uint32_t number, struct turn *out);
void echo_write(const struct behaviour *b, uint32_t index, uint32_t number, uint32_t offset,
                uint8_t *out, uint32_t len);
enum answer echo_hear(const struct behaviour *b, uint32_t index, uint32_t number,
                      struct hearing *hearing, const uint8_t *data, uint32_t len, uint32_t *used);
