/* whole_file: a file that others see whole or not at all. */
#pragma once

#include "base/err.h"

#include <stdio.h>

/* 0 where writing to that path can be expected to work: asked before a run, not after it. */
int whole_file_check(const char *path, struct err *err);

/* Has `put` write to `path` ("-": stdout), by way of a temporary file beside it; a pipe or a device
 * is written to as it is. 0, or a negative errno with one line in `err`. */
int whole_file_write(const char *path, void (*put)(FILE *to, const void *context),
                     const void *context, struct err *err);
