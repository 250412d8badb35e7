/* merge_read: a record, or a result alone, read for a merge (out/merge). */
#pragma once

#include "base/err.h"
#include "out/merge.h"

/* Reads `path`, a record (--out) or a result (--json), and gives it to the merge. 0, also for a
 * record that has no result, which is noted; or a negative errno with one line in `err`: -ENOENT
 * (there is none), -EINVAL (damaged, foreign, or of another run), -ENOTSUP (of a newer megaconn),
 * -EACCES, ... */
int merge_read(struct merge *m, const char *path, struct err *err);
