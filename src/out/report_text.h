/* report_text: a record as plain text of 80 columns; lines of blocks where the locale has them. */
#pragma once

#include "out/report.h"

#include <stdbool.h>
#include <stdio.h>

void report_text(FILE *to, const struct report *report);

/* Whether what is printed may be more than ASCII, by LC_ALL, LC_CTYPE and LANG. */
bool report_text_is_utf8(void);

/* Prints words in lines of 80 columns, all but the first indented by `indent`; the first begins at
 * column `at`. Others' control characters are shown as "?". */
void report_text_wrap(FILE *to, int at, int indent, const char *words);

/* `width` blocks as high as the values (NAN: a blank). */
void report_text_spark(FILE *to, const double *values, uint32_t count, int width, bool is_utf8);
