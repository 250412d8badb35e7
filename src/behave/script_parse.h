/* script_parse: the lines of a script (docs/script.md) as turns. Pure. */
#pragma once

#include "base/err.h"
#include "behave/script.h"

#include <stddef.h>

#define SCRIPT_FILE_MOST 65536 /* bytes of a file */

/* Parses `len` bytes of `text` (any bytes, no NUL at the end needed). 0; -EINVAL with one line that
 * names file, line and what would be right: "a.script:3: expect needs a text in quotes (try expect
 * "+PONG\r\n")". `path` is for such texts. After an error `script` is partly filled. */
int script_parse(const char *text, size_t len, const char *path, struct script *script,
                 struct err *err);
