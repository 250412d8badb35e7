/* compare_text: two runs side by side, as plain text of 80 columns. */
#pragma once

#include "out/compare.h"

#include <stdio.h>

void compare_text(FILE *to, const struct compare *compare);
