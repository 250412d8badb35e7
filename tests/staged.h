/* staged: what a result says of one of its stages. */
#pragma once

#include "trial.h"

/* A number by dotted path ("churn.closed"); -1 where it is null or missing. */
double staged_number(const struct trial *trial, size_t stage, const char *path);

/* Of the first stage: asserts that a churn or a storm has this count. */
void staged_assert(const struct trial *trial, const char *path, int64_t value);

/* The same, between two bounds. */
void staged_assert_within(const struct trial *trial, const char *path, double least, double most);
