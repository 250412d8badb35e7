/* idle_words: what a probe of idle times has found, in one sentence that says what to do. Pure. */
#pragma once

#include "base/result.h"
#include "base/text.h"

void idle_words(struct text *t, const struct result_idle *idle);
