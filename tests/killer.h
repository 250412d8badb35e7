/* killer: ends a program by SIGKILL between any two of its steps, by ptrace(2). */
#pragma once

#include "trial.h"

struct killer_end {
	bool was_killed; /* false: it ended by itself, before it came so far */
	int code;        /* exit code then                                   */
	char call[24];   /* the system call that it was about to make        */
};

/* Whether this process may trace its children. */
bool killer_works(void);

/* Starts the program (argv, NULL-terminated; its output goes to /dev/null), and kills it as it is
 * about to make its k-th system call (from 0) of those that change something outside of it: files
 * that are created, written, renamed, removed, synced, truncated; netlink messages sent. Follows no
 * children. */
void killer_run(const char *const *argv, trial_prepare prepare, unsigned int k,
                struct killer_end *end);
