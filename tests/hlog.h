/* hlog: a decoder of HdrHistogram logs, written from the description of the format and not from
 * what out/hdr does. */
#pragma once

#include "base/hist.h"

#include <stddef.h>
#include <stdint.h>

/* The histogram of a line, by HdrHistogram's index; asserts all that a histogram of ours must have
 * in its headers. `base64` has `len` characters. */
void hlog_decode(const char *base64, size_t len, uint64_t counts[HIST_BUCKETS]);

/* Adds up all lines of a log that have that tag. Asserts that none of them begins before the one
 * ahead of it ends. Returns how many there are; *others, where it is not NULL, how many have
 * another tag. */
size_t hlog_sum_tag(const char *path, const char *tag, uint64_t counts[HIST_BUCKETS],
                    size_t *others);

/* The same of a log in which all have the tag "connect", which is asserted. */
size_t hlog_sum(const char *path, uint64_t counts[HIST_BUCKETS]);

/* How many values these are, and the one at that rank of them (the bound of its bucket). */
uint64_t hlog_total(const uint64_t counts[HIST_BUCKETS]);
uint64_t hlog_quantile(const uint64_t counts[HIST_BUCKETS], double q);

/* Asserts that hdr-histogram-js (npm, in build/npm) reads these counts in the log. */
void hlog_assert_others(const char *path, const uint64_t counts[HIST_BUCKETS]);
