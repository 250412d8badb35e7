/* whole_file: a file that others see whole or not at all. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdio.h>

#define WHOLE_FILE_PART ".part" /* what the name of the temporary file ends with */

/* Has `put` write to `path` ("-": stdout), by way of a temporary file beside it; a pipe or a device
 * is written to as it is. 0, or a negative errno with one line in `err`. */
int whole_file_write(const char *path, void (*put)(FILE *to, const void *context),
                     const void *context, struct err *err);

/* Whether that is there and no file: a terminal, a pipe, /dev/null, which are not replaced. */
bool whole_file_is_special(const char *path);
