/* chargen: the pattern of RFC 864: lines of 72 printable characters, each beginning one character
 * later than the line before, without end. Pure. */
#pragma once

#include <stdint.h>

#define CHARGEN_PERIOD 7030 /* bytes; after 95 lines of 74 it begins again */

/* Writes bytes offset .. offset + len - 1 of it. */
void chargen_write(uint64_t offset, uint8_t *out, uint32_t len);
