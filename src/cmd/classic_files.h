/* classic_files: what the classic verbs leave in the run directory (kernel/pidfile): of each side,
 * SIDE.pid while it runs, SIDE.log, and SIDE.json, its result, when it has ended. */
#pragma once

#include "base/err.h"
#include "kernel/pidfile.h"

#include <stdbool.h>

enum classic_side { CLASSIC_SIDE_SERVER, CLASSIC_SIDE_CLIENT };

struct classic_files {
	struct pidfile pidfile;
	char log[PIDFILE_PATH_BYTES], json[PIDFILE_PATH_BYTES];
};

/* "server", "client". */
const char *classic_side_name(enum classic_side side);

/* Names them; makes the directory where it is missing. Errors are those of pidfile_dir. */
int classic_files_find(enum classic_side side, struct classic_files *out, struct err *err);

/* Whether that side runs: this user's, or with sudo that of the user behind it. Who it is in *who.
 */
bool classic_runs(enum classic_side side, struct pidfile_process *who);

/* What follows "megaconn: MARK" in a line at the log's end: "report: " is its path. False where
 * there is none. */
bool classic_files_said(const char *log, const char *mark, char *out, size_t size);

/* Pure: of "13,904 of 20,000 connections", whether it is less than all. */
bool classic_files_is_part(const char *held);
