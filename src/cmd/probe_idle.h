/* probe_idle: what is special about --probe-idle on connect's command line. */
#pragma once

#include "base/err.h"
#include "base/opt.h"

#include <stddef.h>

/* Its value may be left out: writes it behind those that stand alone. To be called before the
 * options are parsed. */
void probe_idle_complete(int argc, char **argv);

/* Refuses what does not go with it, by comparing `command` with `usual`, which has what stands
 * where nothing is said: 0, or -EINVAL with one line that names the option. */
int probe_idle_check(const struct opt *options, size_t count, const void *command,
                     const void *usual, struct err *err);
