/* caches: whose the slab caches are: puts what they have grown by between two samples on the lines
 * of a bill. Pure. How is said in run/account.c. */
#pragma once

#include "base/bill.h"
#include "base/result.h"
#include "base/sample.h"
#include "kernel/slab_alias.h"

#include <stdbool.h>
#include <stdint.h>

/* What a line of slabinfo has grown by. */
struct caches_change {
	const struct probe_slab *slab;
	int64_t objects, bytes;
	enum bill_line_id line;
	bool is_shared;              /* with caches that are not the bill's line's */
	bool has_items, has_entries; /* eventpoll_epi, eventpoll_pwq */
	bool has_buckets;            /* of either kind */
};

struct caches {
	/* The caller's. */
	const struct sample *before, *now; /* both have slabs */
	const struct slab_aliases *aliases;
	bool is_standing; /* `before` is nothing at all: what each line has of the sockets */
	struct bill *bill;
	/* Set by caches_put. */
	int64_t all_bytes;    /* what all caches grew by */
	int64_t buffer_bytes; /* those that grew and may have the data of packets */
	uint32_t count;
	struct caches_change changes[PROBE_SLABS_MAX];
};

/* Fills lines BILL_TCP to BILL_CONNTRACK, BILL_SLABS and BILL_OTHERS, as far as caches are known.
 */
void caches_put(struct caches *w);

/* Afterwards: caches that grew, largest first: of all lines but the others', or of BILL_SLABS
 * alone. `out` has PROBE_SLABS_MAX places. Returns how many. */
uint32_t caches_sort(const struct caches *w, bool is_all, struct result_slab *out);
