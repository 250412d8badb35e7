/* pidfile: a file that names exactly one process, so that another command can end it and no other.
 *
 * It holds the process id and the time the process started (field 22 of /proc/PID/stat). A process
 * id is used again sooner or later, both together are not: a file whose process is gone, or has
 * another start time, is stale; it is replaced, and nobody is ever signalled for it.
 *
 * Writers (claim, pass, release, stop) hold a lock on the directory while they look and write, and
 * the file appears whole, by rename: two starts at once cannot both win. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PIDFILE_DIR_BYTES  200
#define PIDFILE_PATH_BYTES 256

/* Which file, and how error texts call its process and what ends it. */
struct pidfile {
	char path[PIDFILE_PATH_BYTES];
	const char *what; /* "server"        */
	const char *stop; /* "make stop-srv" */
};

/* A process, whatever becomes of its id. */
struct pidfile_process {
	pid_t pid;
	uint64_t start; /* clock ticks after boot */
};

enum pidfile_state {
	PIDFILE_NONE,  /* there is no file                                                  */
	PIDFILE_STALE, /* its process is gone: it has ended, or its id is another's by now  */
	PIDFILE_LIVE
};

/* Where pidfiles and logs go: $MEGACONN_RUN_DIR (the user's own choice), else
 * $XDG_RUNTIME_DIR/megaconn where $XDG_RUNTIME_DIR is this user's, else /tmp/megaconn-UID. It is
 * created (0700) where it is missing; the last two are refused where they are a symbolic link,
 * somebody else's, or may be written by others (-EPERM), since whoever writes a pidfile chooses who
 * is signalled. */
int pidfile_dir(char dir[PIDFILE_DIR_BYTES], struct err *err);

/* Makes this process the file's. -EEXIST where its process is alive ("the server already runs (pid
 * N): make stop-srv first"); -EBADMSG where the file is none of ours. */
int pidfile_claim(const struct pidfile *file, struct pidfile_process *self, struct err *err);

/* Makes this process the file's in place of `from`, whose claim it is (its parent). -ESRCH where
 * the file does not name `from` (any more). */
int pidfile_pass(const struct pidfile *file, const struct pidfile_process *from,
                 struct pidfile_process *self, struct err *err);

/* Removes the file if it names `who`. */
void pidfile_release(const struct pidfile *file, const struct pidfile_process *who);

/* Says who the file names and whether that process lives: enum pidfile_state, or a negative errno.
 */
int pidfile_check(const struct pidfile *file, struct pidfile_process *who, struct err *err);

enum pidfile_end {
	PIDFILE_NOT_RUNNING, /* no file, or a stale one (removed); nobody was signalled */
	PIDFILE_ENDED,       /* by SIGTERM                                              */
	PIDFILE_KILLED       /* by SIGKILL, since it did not end in time                */
};

struct pidfile_patience {
	uint64_t term_ns;   /* after SIGTERM, before SIGKILL              */
	uint64_t kill_ns;   /* after SIGKILL, before giving up            */
	bool without_pidfd; /* as on a kernel before 5.3, for tests       */
};

/* Ends the file's process and waits until it is gone, then removes the file. The process is held by
 * a pidfd before its start time is looked at, so that the signal cannot meet another one. Returns
 * enum pidfile_end; -EPERM where it is somebody else's; -ETIMEDOUT where it outlived kill_ns. */
int pidfile_stop(const struct pidfile *file, const struct pidfile_patience *patience,
                 struct pidfile_process *who, struct err *err);

/* Pure: the text of a pidfile ("PID START\n"), exactly. 0 or -EINVAL. */
int pidfile_parse(const char *text, size_t len, struct pidfile_process *out);

/* Pure: state and start time in the text of /proc/PID/stat (fs/proc/array.c). The name in
 * parentheses may have blanks and parentheses itself. 0 or -EINVAL. */
int pidfile_parse_stat(const char *text, size_t len, char *state, uint64_t *start);
