/* limits: what bounds this process on this machine: rlimits, file-max, the cgroup's memory, CPUs.
 */
#pragma once

#include <stdint.h>

#define LIMITS_NONE \
	UINT64_MAX /* no such limit, or it cannot be read: nothing is known to stop us */

struct limits {
	uint64_t nofile_hard;   /* RLIMIT_NOFILE */
	uint64_t memlock_bytes; /* RLIMIT_MEMLOCK; LIMITS_NONE with CAP_IPC_LOCK */
	uint64_t files_left; /* fs.file-max less fs.file-nr; LIMITS_NONE with CAP_SYS_ADMIN in the
	                        first user namespace */
	uint64_t cgroup_left_bytes; /* smallest (limit - usage + its droppable page cache) over the
	                               cgroup's ancestors, v1 and v2 */
	uint32_t cpus;              /* in this process's affinity mask */
};

/* Fills all of it; what cannot be read is LIMITS_NONE. */
void limits_read(struct limits *out);

/* Only cgroup_left_bytes, cheap enough for every tenth of a second (paths are found once, at the
 * first call). */
uint64_t limits_cgroup_left_bytes(void);

/* Pure: the path of the memory controller in the text of /proc/self/cgroup: v2 ("0::/a/b") or v1
 * ("4:memory:/a/b"). Returns the cgroup version (1 or 2) whose memory controller applies and writes
 * the path, or 0 where none. v1's memory line wins over "0::". */
int limits_parse_cgroup(const char *text, char *path, unsigned long size);

/* The CPU numbers of the affinity mask in order: fills up to `max`, returns how many there are. */
uint32_t limits_cpus(uint32_t *cpus, uint32_t max);

/* Raises the soft descriptor limit to the hard one. */
void limits_raise_nofile(void);
