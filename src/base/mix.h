/* mix: 64 bits into 64 bits that look like any others (splitmix64, whose steps are a bijection: no
 * two inputs have the same output). Pure. */
#pragma once

#include <stdint.h>

uint64_t mix64(uint64_t x);
