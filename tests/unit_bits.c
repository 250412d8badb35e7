/* unit_bits: a set of numbers, beside an array of bools. */
#include "base/bits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MOST 300U

static uint64_t seed = 5;

static uint32_t draw(uint32_t below)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)((seed >> 33) % below);
}

static uint32_t next_of(const bool *in, uint32_t end, uint32_t from)
{
	while (from < end && !in[from])
		from++;
	return from < end ? from : end;
}

static void check(const struct bits *b, const bool *in, uint32_t end)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < end; i++) {
		assert_int_equal(bits_has(b, i), in[i]);
		assert_int_equal(bits_next(b, i), next_of(in, end, i));
		count += in[i];
	}
	assert_int_equal(bits_next(b, end), end);
	assert_int_equal(b->count, count);
}

static void test_against_bools(void **state)
{
	(void)state;
	for (uint32_t end = 1; end <= MOST; end += draw(40) + 1) {
		bool in[MOST] = {false};
		struct bits b;

		assert_true(bits_make(&b, end));
		check(&b, in, end);
		for (int i = 0; i < 400; i++) {
			uint32_t number = draw(end);

			in[number] = draw(3) == 0;
			if (in[number])
				bits_set(&b, number);
			else
				bits_clear(&b, number);
			if (i % 40 == 0)
				check(&b, in, end);
		}
		bits_empty(&b);
		assert_int_equal(b.count, 0);
		assert_int_equal(bits_next(&b, 0), end);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_against_bools)};

	return cmocka_run_group_tests_name("bits", tests, NULL, NULL);
}
