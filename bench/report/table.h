/* table: the report in Markdown. */
#pragma once

#include "stats.h"

#include <stdio.h>

void table_write(FILE *to, const struct bench *b);
