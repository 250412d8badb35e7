/* living_words: what connections say where it is the same for all of them, or a file says it: the
 * request of traffic http, the script of traffic script. */
#pragma once

#include "run/living.h"

/* Sets request and script of x, as far as its stages need them. `target` is HOST:PORT[-PORT]. 0;
 * -EINVAL with one line in `err` for a path that no request can have and what is wrong in the
 * script; what opening and reading it says; -EFBIG where it is none. */
int living_words(const struct living_options *options, const char *target, struct experiment *x,
                 struct err *err);
