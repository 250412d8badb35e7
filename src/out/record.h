/* record: the record of a run, a directory of files (docs/record.md):
 *
 *   environment.json  where it runs and how it was called   when it starts
 *   walls.json        the judged table of limits            before anything is opened
 *   series.ndjson     samples, a line each                  while it lasts
 *   connect.hlog      what connecting took, a line a second while it lasts, where there are clients
 *   latency.hlog      what answers took, two lines a second, where there is traffic
 *   result.json       what came of it                       when it has ended
 *   report.html       all of that, to look at               after it
 *
 * A line is one write, so that a run that is killed leaves whole lines. Where a file cannot be
 * written, that is told once, and the run goes on. */
#pragma once

#include "base/environment.h"
#include "base/err.h"
#include "base/result.h"
#include "base/sample.h"
#include "base/wall.h"

#include <stdbool.h>

struct record;

/* Makes the directory where it is not there (its parent must be) and writes environment.json. 0 and
 * the record, which is the caller's until record_close or record_drop; or a negative errno with one
 * line in `err`: -EEXIST where there is a record already. argv, which must last as long as the
 * record, is what was called. No descriptor is open before the first sample, so that processes
 * forked before have none of it. */
int record_open(const char *dir, int argc, char *const *argv, const struct environment *environment,
                struct record **out, struct err *err);

/* Each returns 0, or a negative errno with one line in `err`; and 0 too where that was told before.
 */
int record_walls(struct record *record, const struct wall_report *walls, struct err *err);
int record_sample(struct record *record, const struct sample *sample, struct err *err);
int record_result(struct record *record, const struct result *result, struct err *err);

/* Likewise; after all others. `path` becomes the report's, as long as the record lasts, or NULL
 * where there is none. */
int record_report(struct record *record, const char **path, struct err *err);

/* Ends it. True where all of it could be written. */
bool record_close(struct record *record);

/* Ends it and takes its files away, and the directory where it was made for them: there was no run.
 */
void record_drop(struct record *record);
