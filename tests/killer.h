/* killer: ends a program by SIGKILL between any two of its steps, by ptrace(2). */
#pragma once

#include "trial.h"

struct killer_end {
	bool was_killed; /* false: it ended by itself, before it came so far */
	int code;        /* exit code then, or 128 + signal                  */
	char call[24];   /* the system call that it was about to make        */
};

/* Whether this process may trace its children. */
bool killer_works(void);

/* Starts the program (argv[0] is its path, see trial_program; NULL-terminated; its output goes to
 * /dev/null), and kills it as it is about to make its k-th system call (from 0) of those that
 * change something outside of it: files that are created, written (not its output), renamed,
 * removed, synced, truncated; messages sent by sockets. The call is not made. Follows no children.
 * To try every k: go on until was_killed is false, which is the whole run. */
void killer_run(const char *const *argv, trial_prepare prepare, unsigned int k,
                struct killer_end *end);
