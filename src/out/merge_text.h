/* merge_text: what several hosts' results came to together, for a terminal and as JSON. */
#pragma once

#include "base/err.h"
#include "out/merge.h"

#include <stdio.h>

struct json_t; /* of jansson */

/* A row of each shard where they are few, else of those that did not pass; how far apart they
 * began; the summary, as of a run; the notes. */
void merge_text_print(FILE *to, const struct merge *m);

/* The result with "merged": the shards, and the notes. The caller's. */
struct json_t *merge_text_json(const struct merge *m, int argc, char *const *argv);
