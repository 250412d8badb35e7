/* span: words and numbers in a run of bytes. */
#include "base/span.h"

#include <string.h>

struct span span_of(const char *text, size_t len)
{
	struct span s = {text, text};

	if (len)
		s.end = text + len;
	return s;
}

size_t span_len(const struct span *s)
{
	return (size_t)(s->end - s->at);
}

bool span_is(const struct span *s, const char *text)
{
	size_t len = strlen(text);

	return span_len(s) == len && !memcmp(s->at, text, len);
}

void span_copy(const struct span *s, char *to, size_t size)
{
	size_t len = span_len(s);

	if (len > size - 1)
		len = size - 1;
	memset(to, 0, size);
	memcpy(to, s->at, len);
}

bool span_next_line(struct span *rest, struct span *line)
{
	const char *newline;

	if (rest->at == rest->end)
		return false;
	newline = memchr(rest->at, '\n', span_len(rest));
	if (!newline)
		return false;
	line->at = rest->at;
	line->end = newline;
	rest->at = newline + 1;
	return true;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

bool span_next_word(struct span *rest, struct span *word)
{
	while (rest->at < rest->end && is_blank(*rest->at))
		rest->at++;
	word->at = rest->at;
	while (rest->at < rest->end && !is_blank(*rest->at))
		rest->at++;
	word->end = rest->at;
	return word->at < word->end;
}

bool span_number(const struct span *word, uint64_t *out)
{
	uint64_t n = 0;

	for (const char *c = word->at; c < word->end; c++) {
		if (*c < '0' || *c > '9')
			return false;
		if (__builtin_mul_overflow(n, UINT64_C(10), &n) ||
		    __builtin_add_overflow(n, (uint64_t)(*c - '0'), &n))
			return false;
	}
	*out = n;
	return word->at < word->end;
}

bool span_hex(const struct span *word, uint64_t *out)
{
	uint64_t n = 0;

	for (const char *c = word->at; c < word->end; c++) {
		bool is_letter = *c >= 'a' && *c <= 'f';

		if ((!is_letter && (*c < '0' || *c > '9')) || n >> 60)
			return false;
		n = n << 4 | (uint64_t)(is_letter ? *c - 'a' + 10 : *c - '0');
	}
	*out = n;
	return word->at < word->end;
}

bool span_next_number(struct span *rest, uint64_t *out)
{
	struct span word;

	return span_next_word(rest, &word) && span_number(&word, out);
}
