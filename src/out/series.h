/* series: a sample (base/sample.h) as one line of JSON, and back. A record's series.ndjson, the
 * live page's events and /api/v1/sample are these lines. Pure.
 *
 * {"schema":"megaconn.sample/1","at_ns":...,"unix_ns":...,"phase":"ramp",
 *  "tcp_established":5, "tcp_memory_bytes":0, "cpu_busy_ns":{"0":17}, "run_failed":{"refused":3},
 *  "slab_bytes":{"TCP":4096}, "connect":{"count":5,"p50":...,"p90":...,"p99":...,"p999":...,
 *  "max":...},
 * "latency":{"count":9,"p50":...,"p90":...,"p99":...,"p999":...,"p9999":...,"max":...}}
 *
 * A key is a figure's name (base/figure.h) with "_bytes" or "_ns" after it where that is its unit.
 * Left out are numbers that are unknown, causes and answers that are 0, and slab caches below
 * SERIES_CACHE_LEAST_BYTES. "phase" is there where there is a run, "connect" (of its clients, in
 * ns, all so far) once one has connected; "latency" (of answers, in ns, from when their messages
 * were due) where some came since the sample before. */
#pragma once

#include "base/sample.h"

#include <stddef.h>
#include <stdint.h>

/* The longest line, with the zero byte: 512 caches, 256 CPUs, all numbers as long as can be. */
#define SERIES_LINE_MOST 131072

#define SERIES_CACHE_LEAST_BYTES UINT64_C(262144)

/* Writes the line, without a newline. Its length; 0 where `size` is too small, which
 * SERIES_LINE_MOST is not. */
size_t series_write(const struct sample *sample, char *line, size_t size);

/* Reads such a line of `len` bytes (a newline at its end is allowed). What the line has not is
 * unknown; keys that no figure has are ignored. `connect` becomes a histogram that has the line's
 * count, quantiles and maximum, with nothing in between. 0; -EINVAL where it is no such line,
 * -ENOTSUP where it is of a later schema; the sample is then of no use. */
int series_read(const char *line, size_t len, struct sample *sample);
