/* span: a run of bytes, and the words and numbers in it: what parsers of text are made of. Pure; no
 * NUL is looked for, and nothing read beyond the end. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Spans of `rest` below lose what was taken from their front. */
struct span {
	const char *at, *end;
};

struct span span_of(const char *text, size_t len);
size_t span_len(const struct span *s);
bool span_is(const struct span *s, const char *text);

/* Copies what fits, with a NUL, and NULs behind it. `size` > 0. */
void span_copy(const struct span *s, char *to, size_t size);

/* Takes a line that ends in a newline, without it; what is not ended is no line. */
bool span_next_line(struct span *rest, struct span *line);

/* Takes what stands between blanks and tabs. */
bool span_next_word(struct span *rest, struct span *word);

/* Whether a word is all digits (hex: lower-case ones) and fits; "-1" is no number here. */
bool span_number(const struct span *word, uint64_t *out);
bool span_hex(const struct span *word, uint64_t *out);

/* Takes a word that is a number. */
bool span_next_number(struct span *rest, uint64_t *out);
