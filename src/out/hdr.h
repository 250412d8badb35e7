/* hdr: histograms as lines of an HdrHistogram log (format 1.3, histograms in V2 encoding), which
 * HdrHistogram's own tools plot, merge and compare. Pure.
 *
 * A histogram of ours has the buckets of an HdrHistogram with 2 significant digits, from 1 ns to
 * HIST_MAX_NS, one by one: nothing is lost. */
#pragma once

#include "base/hist.h"

#include <stddef.h>
#include <stdint.h>

/* The longest line, with the zero byte. */
#define HDR_LINE_MOST 65536

/* The log's first lines; times in it count from `start_unix_ns`. Their length; 0 where `size` is
 * too small. */
size_t hdr_header(uint64_t start_unix_ns, char *lines, size_t size);

/* A comment: what follows came in that stage of the hold (from 1). Length as above. */
size_t hdr_stage(uint32_t stage, char *line, size_t size);

/* One line, with its newline: what was recorded in `now` since it was `before` (which is `now` as
 * it was earlier), from `from_ns` to `to_ns` after the start. `tag` has no comma and no space. Its
 * length; 0 where nothing was recorded, or `size` is too small, which HDR_LINE_MOST is not. */
size_t hdr_line(const char *tag, uint64_t from_ns, uint64_t to_ns, const struct hist *before,
                const struct hist *now, char *line, size_t size);
