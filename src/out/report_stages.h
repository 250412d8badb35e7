/* report_stages: of a run with several stages, what each came to. Nothing where there is only one:
 * what it came to stands with the run (out/story). */
#pragma once

#include "base/result.h"

#include <stdio.h>

/* A section with a table. */
void report_stages_html(FILE *to, const struct result *result);
