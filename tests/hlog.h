/* hlog: a decoder of HdrHistogram logs, written from the description of the format and not from
 * what out/hdr does. */
#pragma once

#include "base/hist.h"

#include <stddef.h>
#include <stdint.h>

/* The histogram of a line, by HdrHistogram's index; asserts all that a histogram of ours must have
 * in its headers. `base64` has `len` characters. */
void hlog_decode(const char *base64, size_t len, uint64_t counts[HIST_BUCKETS]);

/* Adds up all lines of a log. Asserts that each has the tag "connect", and that none begins before
 * the one ahead of it ends. Returns how many lines there are. */
size_t hlog_sum(const char *path, uint64_t counts[HIST_BUCKETS]);

/* Asserts that hdr-histogram-js (npm, in build/npm) reads these counts in the log. */
void hlog_assert_others(const char *path, const uint64_t counts[HIST_BUCKETS]);
