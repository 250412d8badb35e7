/* merge_words: the verdict on several hosts' results, in words. Pure. */
#pragma once

#include "out/merge.h"

/* Sets verdict, exit code and reason of m->result: pass where every shard is there once, all passed
 * and were up together, and servers that were given held as many; else the gravest first. */
void merge_words(struct merge *m);

/* "4, 7 and 9-12": the shards that are missing, or "" where none is; and "150,000-199,999": which
 * indexes those are. What does not fit ends in "...". */
void merge_words_missing(const struct merge *m, char *shards, size_t shards_size, char *indexes,
                         size_t indexes_size);
