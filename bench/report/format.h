/* format: numbers and cells of a Markdown table. */
#pragma once

#include "stats.h"

#include <stdio.h>

/* A number with its thousands apart, "-" for NAN. */
void format_number(FILE *to, double value, int decimals);

/* The median, and behind it the range in brackets where there is more than one value. */
void format_spread(FILE *to, const struct spread *s, int decimals);

/* 10000 as "10k", 1000000 as "1M". */
void format_size(FILE *to, uint64_t n);

/* A separator of `left` columns of text and `right` ones of numbers. */
void format_rule(FILE *to, int left, int right);
