/* account: what lies between two samples, as a bill; and of one sample what its sockets have. Pure.
 */
#pragma once

#include "base/result.h"
#include "base/sample.h"
#include "kernel/slab_alias.h"

#include <stdint.h>

/* What is known of the host beside the samples. */
struct account_host {
	struct slab_aliases aliases;
	int64_t drift_per_s[BILL_LINE_COUNT]; /* bytes by which lines grew before the run; 0 */
};

/* Drift from three looks that were taken one after the other before anything was made: of a line
 * that grew in both halves, and not twice as much in one as in the other, the slower of the two
 * rates. */
void account_drift(const struct sample looks[3], struct account_host *host);

/* Who has user memory, and of how many connections; BILL_UNKNOWN. */
struct account_users {
	uint64_t connections;
	int64_t server_bytes, client_bytes;
};

/* The bill of the connections that were made between two samples. */
void account_bill(const struct sample *before, const struct sample *now,
                  const struct account_host *host, const struct account_users *users,
                  struct bill *out);

/* All of a result's memory: the bill, its sums, and the slab caches that grew for connections. */
void account_memory(const struct sample *before, const struct sample *now,
                    const struct account_host *host, const struct account_users *users,
                    struct result_memory *out);

/* The bill of the TCP sockets that there are: lines BILL_TCP to BILL_CONNTRACK, the others are
 * unknown; `connections` counts sockets. Where slabs are unknown only BILL_DATA is known. */
void account_standing(const struct sample *now, const struct account_host *host, struct bill *out);
