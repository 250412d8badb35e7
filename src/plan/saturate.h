/* saturate: sums and products that stop at UINT64_MAX in place of wrapping: users may ask for any
 * N, and a number that is too large must not come back as a small one. Pure. */
#pragma once

#include <stdint.h>

uint64_t saturate_plus(uint64_t a, uint64_t b);
uint64_t saturate_times(uint64_t a, uint64_t b);

/* How many parts of `size` (> 0) hold n. */
uint64_t saturate_parts(uint64_t n, uint64_t size);
