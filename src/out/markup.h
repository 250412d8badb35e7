/* markup: text of others' making, put into HTML that is XML as well. Pure, but for writing. */
#pragma once

#include <stdio.h>

/* Writes `text` so that it is nothing but text, in an element or in a quoted attribute: & < > " '
 * are escaped; control characters and what is not UTF-8 become U+FFFD. NULL writes nothing. */
void markup_text(FILE *to, const char *text);

/* The same for a formatted text, of at most 4095 bytes. */
void markup_print(FILE *to, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
