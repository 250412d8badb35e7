/* environment: what a run's machine is like, and how it was called, as megaconn.environment/1
 * (docs/record.md). */
#pragma once

#include "base/environment.h"
#include "base/err.h"

/* Writes it to a file as json_write does. 0 or a negative errno with one line in `err`. */
int environment_write(const char *path, const struct environment *environment, int argc,
                      char *const *argv, struct err *err);
