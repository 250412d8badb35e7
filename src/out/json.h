/* json: a result as JSON, schema megaconn.result/1. */
#pragma once

#include "base/err.h"
#include "base/result.h"

/* Writes it to `path` ("-": stdout), by way of a temporary file beside it, so that a reader never
 * sees half a result. argv is what was called. 0, or a negative errno with one line in `err`. */
int json_write(const char *path, const struct result *result, int argc, char *const *argv,
               struct err *err);

/* 0 where json_write to that path can be expected to work: asked before a run, not after it. */
int json_check(const char *path, struct err *err);
