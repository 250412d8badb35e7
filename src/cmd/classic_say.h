/* classic_say: what came of a side of the classic experiment, in a few lines; the whole is in its
 * log, its result and its record. */
#pragma once

#include "base/result.h"
#include "base/text.h"
#include "cmd/classic_files.h"

#include <stdbool.h>
#include <stddef.h>

/* Pure: the lines of a client's or a server's result. */
void classic_say_text(enum classic_side side, const struct result *result, char *out, size_t size);

/* Prints them, and where the rest is. False where the side has left no result. */
bool classic_say_result(enum classic_side side, const struct classic_files *files);
