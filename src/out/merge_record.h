/* merge_record: the record of several hosts' records: what each counted, added up second by second
 * by their clocks, so that `megaconn report` draws it as a run's. */
#pragma once

#include "base/err.h"
#include "out/merge.h"

/* Makes the record in `dir`, as out/record does, of the records that were counted (merge_end has
 * been called): result.json, series.ndjson, connect.hlog, latency.hlog, report.html. What figures
 * say of a host (its sockets, memory, CPUs) is left in its own record. 0 and where the report is in
 * `report` (PATH_MAX); or a negative errno with one line in `err`. */
int merge_record(const struct merge *m, const char *dir, int argc, char *const *argv, char *report,
                 struct err *err);
