/* number: values and rates of figures as a column has them. What is unknown is "-". */
#pragma once

#include "base/figure.h"
#include "base/text.h"

#include <stdint.h>

#define NUMBER_BYTES 32

/* "1,234,567", "8.1 KiB", "12.5 s". */
void number_add(struct text *t, enum figure_unit unit, uint64_t value);

/* The same of what was computed (rounded); < 0: unknown. Small numbers that are not whole have one
 * decimal: "0.5". */
void number_add_real(struct text *t, enum figure_unit unit, double value);

/* "+8.1 KiB", "-12", "0". */
void number_add_growth(struct text *t, enum figure_unit unit, int64_t growth);
