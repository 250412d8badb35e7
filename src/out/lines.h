/* lines: the monitor where there is no screen: a line a sample, as vmstat has them. */
#pragma once

#include "base/history.h"
#include "base/sample.h"

#include <stdio.h>

#define LINES_A_PAGE 20 /* after so many the headline comes again */

void lines_head(FILE *to);

/* `before` may be NULL: then rates are "-". `clock` is "14:03:22". Flushes. */
void lines_print(FILE *to, const char *clock, const struct sample *before, const struct sample *now,
                 const struct history *history);
