/* slab_alias: which slab caches share their pages.
 *
 * SLUB merges caches whose objects have one size and the same flags (mm/slab_common.c,
 * find_mergeable), unless it was started with slab_nomerge. /proc/slabinfo then has one line for
 * all of them, under the name of the first; /sys/kernel/slab has every name, as a link to the
 * group's ("eventpoll_epi -> :A-0000128"). */
#pragma once

#include "base/probed.h"

#include <stdint.h>

#define SLAB_ALIASES_MAX 1024

struct slab_alias {
	char name[32], group[32];
};

struct slab_aliases {
	uint32_t count;
	struct slab_alias aliases[SLAB_ALIASES_MAX];
};

/* Of this kernel: /sys/kernel/slab. 0 or a negative errno, -ENOENT where it has none (SLAB, or no
 * SLUB_DEBUG); then every cache is its own. */
int slab_alias_read(struct slab_aliases *out);

/* A link's name and where it leads: what is no group or too long is left out. */
void slab_alias_add(struct slab_aliases *aliases, const char *name, const char *target);

/* The line of slabinfo that this cache's objects are counted in: its own, or that of another of its
 * group. NULL where there is none. */
const struct probe_slab *slab_alias_find(const struct slab_aliases *aliases,
                                         const struct probe_slabinfo *slabs, const char *name);

/* The i-th cache that shares pages with this one, itself left out; NULL behind the last. */
const char *slab_alias_other(const struct slab_aliases *aliases, const char *name, uint32_t i);
