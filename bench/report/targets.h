/* targets: which of the project's floors the medians reach. */
#pragma once

#include "stats.h"

#include <stdio.h>

/* A table; without the size that targets are given for, a sentence. */
void targets_write(FILE *to, const struct bench *b);
