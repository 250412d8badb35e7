/* result_idle: what --probe-idle has found, as JSON both ways and as lines of a summary. Pure. */
#pragma once

#include "base/err.h"
#include "base/result.h"

#include <stdio.h>

struct json_t; /* of jansson */

/* Sets "idle" of a result's document. */
void result_idle_add(struct json_t *document, const struct result *result);

/* Reads it; nothing where it is missing or null. 0, or -EINVAL with one line in `err`, which calls
 * the text `name`. */
int result_idle_read(const struct json_t *document, const char *name, struct result *result,
                     struct err *err);

/* What was asked, how, and what came of how many, in words: into buffers of the caller's. */
#define RESULT_IDLE_BYTES 256
void result_idle_lines(const struct result *result, char asked[RESULT_IDLE_BYTES],
                       char ends[RESULT_IDLE_BYTES]);
