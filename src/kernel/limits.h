/* limits: what bounds this process on this machine, read from the kernel: rlimits, settings,
 * memory, cgroups, connection tracking, CPUs. */
#pragma once

#include "base/limits.h"

/* Fills all of it, and changes nothing. What cannot be read is LIMITS_UNKNOWN; but RLIMIT_NOFILE
 * and RLIMIT_MEMLOCK, which can always be read, are a number or LIMITS_NONE. A network namespace
 * other than the first does not show what is the machine's (tcp_mem, max_orphans,
 * netdev_max_backlog, the neighbour tables): there these are unknown.
 *
 * Takes some milliseconds, and with a bounded RLIMIT_NPROC a file for each process. */
void limits_read(struct limits *out);

/* Only what is the machine's or the network namespace's and costs no more than reading some small
 * files, for who asks again and again: settings, tasks, memory, neighbours. Connection tracking is
 * not asked for, nor is anything of this process, nor the TUN device: these are unknown. */
void limits_read_settings(struct limits *out);

/* For those who only ask whether something is known to stop them: unknown is LIMITS_NONE. */
uint64_t limits_known(uint64_t value);

/* The CPU numbers of the affinity mask in order: fills up to `max`, returns how many there are. */
uint32_t limits_cpus(uint32_t *cpus, uint32_t max);

/* Raises the soft descriptor limit to the hard one, or to fs.nr_open where that is less: then the
 * hard one is lowered to it, for good. */
void limits_raise_nofile(void);
