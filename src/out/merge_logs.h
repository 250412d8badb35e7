/* merge_logs: the times in a record's logs (connect.hlog, latency.hlog), cut by what they are of:
 * the ramp, and each stage. Exactly the buckets that megaconn counts in, so that those of several
 * hosts are added up without loss. */
#pragma once

#include "base/err.h"
#include "base/hist.h"
#include "base/result.h"

#include <stdbool.h>

enum merge_log { MERGE_CONNECT, MERGE_CORRECTED, MERGE_UNCORRECTED, MERGE_LOG_COUNT };

/* "connect", ...: the tags of their lines. */
extern const char *const merge_log_tags[MERGE_LOG_COUNT];

/* Zeroed memory is empty logs. */
struct merge_logs {
	bool has_connect, has_latency; /* there is such a file */
	struct hist ramp;              /* of connects          */
	struct hist stages[STAGES_MAX][MERGE_LOG_COUNT];
};

/* Reads the logs of record `dir` into `out`, which it clears. 0; or -EINVAL (damaged) or what
 * reading says, with one line in `err`. A log that is not there is none. */
int merge_logs_read(const char *dir, struct merge_logs *out, struct err *err);

/* Whether a result's quantiles are those of these logs: of a run that connected nothing, or has no
 * traffic, none are needed. False with one sentence in `err`, which calls the record `name`. Sets
 * the maxima, of which logs only have the bucket. */
bool merge_logs_fit(struct merge_logs *logs, const struct result *r, const char *name,
                    struct err *err);

/* Adds all of `from`. */
void merge_logs_add(struct merge_logs *all, const struct merge_logs *from);

/* Sets a merged result's quantiles from all logs. */
void merge_logs_tell(const struct merge_logs *all, struct result *r);
