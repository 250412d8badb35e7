/* merge_sum: two hosts' results as one: counts and causes are added up, what cannot be added up
 * (quantiles, times) is left to who has the histograms and the clocks (out/merge). Pure. */
#pragma once

#include "base/result.h"

/* The first. */
void merge_sum_begin(struct result *all, const struct result *from);

/* Adds `from` to `all`, which the first began. Of numbers that one of them does not know
 * the sum is not known. Quantiles have only a count then; how long something took is the longest,
 * but of a hold and a stage, which all were in, the shortest. */
void merge_sum(struct result *all, const struct result *from);

/* Whether the stages are of one plan: as far as both have them, the same names and doings. */
bool merge_sum_fits(const struct result *a, const struct result *b);

/* a + b; RESULT_UNKNOWN where one is; below it where the sum would be beyond. */
uint64_t merge_add(uint64_t a, uint64_t b);
