/* cgroup: what the control groups that this process is in still leave it, v1 and v2: memory and
 * tasks.
 *
 * A limit holds for all below it, so what is left is the least over the process's cgroup and its
 * ancestors, as far as they are visible here. Each result is a number, LIMITS_NONE (no level has a
 * limit, or the kernel has not this controller) or LIMITS_UNKNOWN (base/limits.h: there is a
 * cgroup, but its files cannot be found or read). Compared as numbers, NONE is above UNKNOWN, and
 * both are above every limit. */
#pragma once

#include <stdint.h>

/* Smallest (limit - usage + page cache of the cgroup that can be dropped). Cheap enough for every
 * tenth of a second: paths are found once, at the first call. */
uint64_t cgroup_memory_left_bytes(void);

/* Smallest (pids.max - pids.current): tasks, threads being tasks too (kernel/cgroup/pids.c). */
uint64_t cgroup_pids_left(void);

/* Pure: the path of a controller ("memory", "pids") in the text of /proc/self/cgroup: v2
 * ("0::/a/b") or v1 ("4:memory:/a/b"). Returns the cgroup version (1 or 2) whose controller applies
 * and writes the path, or 0 where there is none or it does not fit. v1's own line wins over "0::".
 */
int cgroup_parse(const char *text, const char *controller, char *path, unsigned long size);
