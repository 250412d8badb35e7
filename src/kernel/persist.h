/* persist: settings and descriptor limits that hold after the next start of the machine: a file for
 * sysctl --system (sysctl.d(5)) and one for pam_limits (limits.conf(5)).
 *
 * A file that megaconn wrote begins with a line of megaconn's; another one is neither overwritten
 * nor removed. */
#pragma once

#include "base/err.h"
#include "kernel/settings_text.h"

#include <stdbool.h>
#include <stdint.h>

#define PERSIST_NOFILE_MOST 2147483584U /* the most that fs.nr_open takes (fs/file.c) */

enum persist_file { PERSIST_SYSCTL, PERSIST_LIMITS, PERSIST_FILE_COUNT };

struct persist {
	const struct settings_list *settings;
	uint64_t nofile_soft, nofile_hard;
	uint64_t nr_open; /* fs.nr_open now */
};

/* "/etc/sysctl.d/60-megaconn.conf", "/etc/security/limits.d/60-megaconn.conf" */
const char *persist_path(enum persist_file which);

/* Decides the limits: `nofile` if `is_chosen`, else that, or what this process has where that is
 * higher, but at most fs.nr_open. Refused (-EPERM) is a `nofile` above fs.nr_open as it is now:
 * pam_limits could not set it, and who wants to log in would be sent away. Reads, writes nothing.
 * `settings` (their `raised` values) stays the caller's. */
int persist_init(struct persist *persist, const struct settings_list *settings, uint64_t nofile,
                 bool is_chosen, struct err *err);

/* The file's text, in a buffer that the next call overwrites. */
const char *persist_text(const struct persist *persist, enum persist_file which);

/* 0 where persist_write can be expected to work: the directories are there, and no file of
 * somebody else's (-EEXIST). */
int persist_check(struct err *err);

/* Writes both, each whole or not at all, and on the disk when this returns 0. */
int persist_write(const struct persist *persist, struct err *err);

enum persist_state { PERSIST_NONE, PERSIST_OURS, PERSIST_FOREIGN };

/* Whose file it is: enum persist_state, or a negative errno. */
int persist_look(enum persist_file which, struct err *err);

/* Removes it; only for one that is PERSIST_OURS. */
int persist_remove(enum persist_file which, struct err *err);
