/* cgroup: a cgroup of the test's own, one at a time, v1 or v2, for programs that it starts. */
#pragma once

#include <stdbool.h>

/* False, with the reason printed, where there cannot be one. `limit` is as the kernel reads it
 * ("512M"). */
bool cgroup_make(const char *limit);
bool cgroup_limit(const char *limit);
void cgroup_drop(void);

/* A trial_prepare function. */
void cgroup_enter(void);

/* Likewise one of the pids controller: at most so many tasks. */
bool cgroup_make_pids(const char *most);
int cgroup_tasks(void); /* of it now; -1: unknown */
