/* chargen: see the header. A period of it is made once, and copied. */
#include "behave/chargen.h"

#include <assert.h>
#include <string.h>

#define FIRST 32 /* of the 95 printable characters, the space */
#define KINDS 95
#define SHOWN 72 /* characters of a line */
#define LINE  74 /* with CR LF           */
static_assert(KINDS * LINE == CHARGEN_PERIOD, "a line for each character to begin with");

static uint8_t period[CHARGEN_PERIOD];

static void make_period(void)
{
	for (int line = 0; line < KINDS; line++) {
		uint8_t *at = period + (size_t)line * LINE;

		for (int i = 0; i < SHOWN; i++)
			at[i] = (uint8_t)(FIRST + (line + i) % KINDS);
		at[SHOWN] = '\r';
		at[SHOWN + 1] = '\n';
	}
}

void chargen_write(uint64_t offset, uint8_t *out, uint32_t len)
{
	uint32_t at = (uint32_t)(offset % CHARGEN_PERIOD);

	if (period[0] == 0)
		make_period();
	while (len > 0) {
		uint32_t piece = CHARGEN_PERIOD - at < len ? CHARGEN_PERIOD - at : len;

		memcpy(out, period + at, piece);
		out += piece;
		len -= piece;
		at = 0;
	}
}
