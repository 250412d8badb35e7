/* merge: the results of hosts that made one run together (connect --shard) as one result
 * (docs/merge.md). Pure.
 *
 * Results come one by one and are not kept: only their sum and a row of each. What is wrong with
 * the whole (missing shards, indexes that are there twice, hosts that were not up together) is
 * found at the end. */
#pragma once

#include "base/err.h"
#include "base/result.h"
#include "out/merge_logs.h"

#include <stdbool.h>
#include <stdint.h>

#define MERGE_SHARDS_MAX  4096
#define MERGE_SERVERS_MAX 64
#define MERGE_ROWS_MOST   (MERGE_SHARDS_MAX + 256) /* with some that are there twice */
#define MERGE_NOTES_MOST  16

/* One result that was given. */
struct merge_row {
	char name[1024]; /* of the record */
	uint32_t number; /* of the shard  */
	bool has_begun;  /* it opened, or tried to: its counts are in the sum */
	bool is_again;   /* a shard that another row stands for: not counted  */
	enum verdict verdict;
	char reason[256];
	uint64_t first, count; /* indexes */
	uint64_t established, lost, rate_per_s, connect_p99_ns;
	uint64_t started_unix_ns, ramp_ns, end_unix_ns; /* _UNKNOWN; end: of the hold */
};

struct merge {
	struct result result; /* whole after merge_end */
	uint32_t of;          /* shards; 0: none was given yet */
	uint64_t connections; /* of all */
	char to[64], version[32];
	uint32_t row_count, begun, servers;
	struct merge_row rows[MERGE_ROWS_MOST];
	/* Of a shard: the first row that has begun, or else the first, + 1; 0: missing. */
	uint16_t row_of[MERGE_SHARDS_MAX + 1];
	uint64_t outages; /* of all shards */
	uint64_t served;  /* what servers held, where any was given; and what they did not take */
	uint64_t accept_errors, accept_errors_by_cause[CAUSE_COUNT];
	struct merge_logs logs; /* of all */
	uint32_t without_logs;
	uint64_t spread_ns;                /* from the first start to the last; _UNKNOWN */
	uint32_t note_count, notes_left;   /* _left: for which there was no room */
	char notes[MERGE_NOTES_MOST][512]; /* what a reader should know, a sentence each */
};

/* Zeroes it, as it has to be before the first. */
void merge_begin(struct merge *m);

/* Takes a result; `logs` are its own, and changed. One that was refused before its shard was known
 * is a note: the shard will be missing. 0; -EINVAL with one line in `err` where it is
 * none of a shard or a server, or not of the same run as those before. */
int merge_take(struct merge *m, const char *name, const char *version, const struct result *r,
               struct merge_logs *logs, struct err *err);

/* A record that has no result, since its run was killed or is not over: its shard will be missing.
 */
void merge_take_nothing(struct merge *m, const char *name);

/* Judges the whole and fills m->result, verdict and all. -EINVAL with one line in `err` where no
 * shard was given. */
int merge_end(struct merge *m, struct err *err);
