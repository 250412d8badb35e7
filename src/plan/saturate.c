/* saturate: by the compiler's overflow checks. */
#include "plan/saturate.h"

uint64_t saturate_plus(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

uint64_t saturate_times(uint64_t a, uint64_t b)
{
	uint64_t product;

	return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

uint64_t saturate_parts(uint64_t n, uint64_t size)
{
	return n / size + (n % size != 0);
}
