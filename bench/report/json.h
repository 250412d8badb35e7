/* json: the report as megaconn.bench/2. */
#pragma once

#include "stats.h"

/* NULL where there is no memory. */
json_t *bench_json(const struct bench *b);
