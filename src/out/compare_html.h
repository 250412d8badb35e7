/* compare_html: two runs side by side, as one page (see out/report_html). */
#pragma once

#include "out/compare.h"

#include <stdio.h>

void compare_html(FILE *to, const struct compare *compare);
