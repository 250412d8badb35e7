/* background: a command that returns when what it started is ready, and leaves it running.
 *
 *     caller ---- fork ---- waits, and shows what the log gains ---- returns
 *                   \                                             /
 *                    own session, stdout and stderr = log --- ready --- goes on
 *
 * The inside runs in a child in a session of its own, with stdin from /dev/null, without the
 * caller's other descriptors, and with stdout and stderr in the log from its first word on. Until
 * it is ready the caller copies what the log gains to its own stderr, so that reports and errors of
 * the start are seen where the command was given; they stay in the log as well. (The inside is not
 * lent the caller's terminal or pipe: its own children would keep it, and `make run-srv | tee`
 * would never end.)
 *
 * While the caller waits, SIGINT, SIGTERM, SIGHUP and SIGQUIT to it (Ctrl-C) are passed on to the
 * child, whose end it then waits for; the second one, or 30 s, kill the child. A caller that is
 * killed takes the child along (SIGTERM). Once it is ready they have nothing to do with each other.
 *
 * One background a process. */
#pragma once

#include "base/err.h"

#include <sys/types.h>

struct background {
	/* Runs in the child; calls background_ready(ready_fd) once, when the caller may return. Its
	 * result is the exit code. Signals are as the caller had them, SIGCHLD at its default. */
	int (*inside)(void *context, int ready_fd);
	void *context;
	const char *log_path; /* made anew, 0600 */
};

/* Starts it, and waits until it is ready or has ended. Ready: returns 0, and *pid is the child's.
 * Ended before: *pid is 0 and the return is its exit code (0 too: it may have nothing to do), or
 * 128
 * + the signal that ended it, also where the caller was interrupted (130 for Ctrl-C, whatever the
 * child makes of it). A negative errno with the sentence where nothing was started. */
int background_start(const struct background *background, pid_t *pid, struct err *err);

/* In the child: says that it is ready, and closes `ready_fd`. What was printed before is shown by
 * the caller still (stdio's buffers are flushed here). -EPIPE where the caller is gone, as if
 * interrupted: the inside should end. */
int background_ready(int ready_fd);
