/* environment: reads what a run's machine is like. */
#pragma once

#include "base/environment.h"

/* Fills all of it; what cannot be read is "" or unknown. Takes some milliseconds. */
void environment_read(struct environment *out);
