/* moment: a point in time as people write it. Makes no system call but what the C library reads of
 * the time zone (TZ, /etc/localtime). */
#pragma once

#include "base/err.h"

#include <stdint.h>

/* How far ahead a run may be told to begin. */
#define MOMENT_AHEAD_S UINT64_C(86400)

/* Reads
 *
 *   2026-11-23T18:00:00Z        also with a fraction of the second, and +02:00 in place of Z
 *   2026-11-23T18:00:00         by the local clock
 *   18:00:00, 18:00             the same, of the day on which that is nearest to now
 *   +30s                        after now_unix_ns
 *   @1763920800                 seconds since 1970-01-01T00:00:00Z
 *
 * into ns since 1970. 0; -EINVAL with one line in `err`, which calls the option `name`, where it
 * has none of these forms, has passed (it says how long ago), is more than MOMENT_AHEAD_S ahead, or
 * is a local time that does not exist or exists twice, as clocks are put forward or back. *out is
 * only written on success. */
int moment_parse(const char *name, const char *text, uint64_t now_unix_ns, uint64_t *out,
                 struct err *err);

/* "2026-11-23T18:00:00.250Z" */
#define MOMENT_TEXT_BYTES 32
const char *moment_format(uint64_t unix_ns, char out[MOMENT_TEXT_BYTES]);
