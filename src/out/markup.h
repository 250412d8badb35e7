/* markup: text of others' making, put into HTML that is XML as well. Pure, but for writing. */
#pragma once

#include <stddef.h>
#include <stdio.h>

/* The length of the UTF-8 sequence at `text`: shortest form, no surrogates, nothing beyond
 * U+10FFFF, no control of C1, nor the two characters that XML forbids. 0 where it is none. */
size_t markup_sequence(const char *text);

/* Writes `text` so that it is nothing but text, in an element or in a quoted attribute: & < > " '
 * are escaped; control characters and what is not UTF-8 become U+FFFD. NULL writes nothing. */
void markup_text(FILE *to, const char *text);

/* The same for a formatted text, of at most 4095 bytes. */
void markup_print(FILE *to, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
