/* summary: a result as text that fits a screen. */
#pragma once

#include "base/result.h"

#include <stdio.h>

void summary_print(FILE *to, const struct result *result);
