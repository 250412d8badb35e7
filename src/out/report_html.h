/* report_html: a record as one page: HTML that is XML as well, with everything in it that it needs:
 * no network, no script. */
#pragma once

#include "out/report.h"

#include <stdio.h>

void report_html(FILE *to, const struct report *report);

/* What a page begins and ends with; `title` is escaped. */
void report_html_begin(FILE *to, const char *title);
void report_html_end(FILE *to);
