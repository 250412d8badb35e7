/* markup: one character at a time. */
#include "out/markup.h"

#include <stdarg.h>
#include <stdint.h>

#define REPLACED "\xEF\xBF\xBD" /* U+FFFD */

size_t markup_sequence(const char *text)
{
	const unsigned char *at = (const unsigned char *)text;
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t len = at[0] < 0x80 ? 1 : at[0] < 0xc0 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
	uint32_t code = at[0] & (0xffU >> (len + 1));

	if (len <= 1)
		return len;
	if (at[0] >= 0xf8)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (at[i] & 0x3f);
	}
	if (code < least[len] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff) ||
	    code == 0xfffe || code == 0xffff || (code >= 0x80 && code < 0xa0))
		return 0;
	return len;
}

static const char *entity(unsigned char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		return (c < ' ' && c != '\n' && c != '\t') || c == 0x7f ? REPLACED : NULL;
	}
}

void markup_text(FILE *to, const char *text)
{
	const char *at = text ? text : "";

	while (*at) {
		size_t len = markup_sequence(at);
		const char *instead = len == 0 ? REPLACED : entity((unsigned char)*at);

		if (instead)
			fputs(instead, to);
		else
			fwrite(at, 1, len, to);
		at += len > 0 ? len : 1;
	}
}

void markup_print(FILE *to, const char *fmt, ...)
{
	char text[4096];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	markup_text(to, text);
}
