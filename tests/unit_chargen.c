/* unit_chargen: the pattern as RFC 864 shows it, from any place, in any piece. */
#include "behave/chargen.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* The lines that RFC 864 prints (here is no space for all of them). */
static void test_lines(void **state)
{
	static const char first[] =
		" !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefg\r\n";
	static const char last[] =
		"~ !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdef\r\n";
	uint8_t out[74];

	(void)state;
	chargen_write(0, out, sizeof(out));
	assert_memory_equal(out, first, sizeof(out));
	chargen_write(UINT64_C(94) * 74, out, sizeof(out));
	assert_memory_equal(out, last, sizeof(out));
	chargen_write(CHARGEN_PERIOD * UINT64_C(1000000000), out, sizeof(out));
	assert_memory_equal(out, first, sizeof(out));
}

static void test_pieces(void **state)
{
	static uint8_t whole[3 * CHARGEN_PERIOD], piece[sizeof(whole)];

	(void)state;
	chargen_write(0, whole, sizeof(whole));
	for (uint32_t at = 0; at < CHARGEN_PERIOD; at += 61) {
		for (uint32_t len = 0; at + len <= sizeof(whole); len = len * 3 + 1) {
			memset(piece, 0, sizeof(piece));
			chargen_write(at, piece, len);
			assert_memory_equal(piece, whole + at, len);
			assert_int_equal(len < sizeof(piece) ? piece[len] : 0, 0);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_pieces),
	};

	return cmocka_run_group_tests_name("chargen", tests, NULL, NULL);
}
