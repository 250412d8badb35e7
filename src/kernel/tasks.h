/* tasks: how many there are, as the kernel counts them: every thread is one. */
#pragma once

#include <stdint.h>

/* Of the whole machine, in all pid namespaces (/proc/loadavg, fs/proc/loadavg.c). Returns 0 or a
 * negative errno. */
int tasks_of_machine(uint64_t *count);

/* Of this process's real user, itself included, as far as /proc shows them: those of the same user
 * in a pid namespace beside or above this one are not seen. Reads one file for each process.
 * Returns 0 or a negative errno. */
int tasks_of_user(uint64_t *count);

/* Pure: the tasks in the text of /proc/loadavg ("0.20 0.18 0.12 1/173 11206\n"). Returns 0 or
 * -EINVAL. */
int tasks_parse_loadavg(const char *text, uint64_t *count);

/* Pure: the real user and the threads in the text of /proc/PID/status (fs/proc/array.c). Returns 0
 * or -EINVAL. */
int tasks_parse_status(const char *text, uint64_t *uid, uint64_t *threads);
