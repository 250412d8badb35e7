#include "format.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

void format_number(FILE *to, double value, int decimals)
{
	char text[64];

	if (!isfinite(value)) {
		fputc('-', to);
		return;
	}
	snprintf(text, sizeof(text), "%.*f", decimals, fabs(value));
	const size_t whole = strcspn(text, ".");

	if (value < 0)
		fputc('-', to);
	for (size_t i = 0; i < whole; i++) {
		fputc(text[i], to);
		if (whole - i > 1 && (whole - i) % 3 == 1)
			fputc(',', to);
	}
	fputs(text + whole, to);
}

void format_spread(FILE *to, const struct spread *s, int decimals)
{
	format_number(to, s->median, decimals);
	if (s->count < 2)
		return;
	fputs(" (", to);
	format_number(to, s->least, decimals);
	fputs(" .. ", to);
	format_number(to, s->most, decimals);
	fputc(')', to);
}

void format_size(FILE *to, uint64_t n)
{
	if (n >= 1000000 && n % 1000000 == 0)
		fprintf(to, "%" PRIu64 "M", n / 1000000);
	else if (n >= 1000 && n % 1000 == 0)
		fprintf(to, "%" PRIu64 "k", n / 1000);
	else
		fprintf(to, "%" PRIu64, n);
}

void format_rule(FILE *to, int left, int right)
{
	for (int i = 0; i < left; i++)
		fputs("|---", to);
	for (int i = 0; i < right; i++)
		fputs("|---:", to);
	fputs("|\n", to);
}
