/* shard: a host's part of a run that several hosts make together, by arithmetic alone: every host
 * is given the same command line but for its number, and no two have an index or an address in
 * common. Pure.
 *
 *   source addresses  S of all: S * (number - 1) / of ... S * number / of - 1, each host its own
 *   indexes           of all n: in proportion to its addresses, so that what fits a single host
 *                     with all of them fits the hosts together; n * (number - 1) / of ... where
 *                     S is a multiple of `of`, and where addresses are not shared at all
 *   rates and counts  as many of each thousand as it has of a thousand indexes
 *
 * All divisions round down, and a part begins where the one before it ends: the parts of all hosts
 * are exactly the whole. */
#pragma once

#include "base/err.h"

#include <stdint.h>

#define SHARDS_MAX 4096

/* Every index has 32 bits: those of all shards too. */
#define SHARD_INDEXES_MAX (UINT64_C(1) << 32)

struct shard {
	uint32_t number, of; /* 1 ... of; of 0: the run is this host's alone */
};

struct shard_part {
	uint64_t whole;        /* connections of all shards         */
	uint64_t first, count; /* indexes                           */
	uint32_t source_first; /* of the addresses                  */
	uint32_t source_count; /* 0 where addresses are not shared  */
};

/* Reads "3/20". 0, or -EINVAL with one line in `err`. */
int shard_parse(const char *text, struct shard *out, struct err *err);

/* The part of a shard (of > 0) of n connections from `sources` addresses; 0: every host has its
 * own. 0; -EINVAL with one line in `err` where there are fewer addresses than shards, or where this
 * one has no connection at all, and for n beyond SHARD_INDEXES_MAX. */
int shard_divide(const struct shard *shard, uint64_t n, uint32_t sources, struct shard_part *out,
                 struct err *err);

/* What a part has of a number that is of all shards together: a rate, a count. 0 and UINT64_MAX (no
 * bound) stay what they are. May be 0 where it is small. */
uint64_t shard_share(const struct shard_part *part, uint64_t all);

/* The same, for one that must not be 0 where it is not: 0 with *all changed, or -EINVAL with one
 * line in `err` that calls it `name`. */
int shard_take(const struct shard_part *part, const char *name, uint64_t *all, struct err *err);
