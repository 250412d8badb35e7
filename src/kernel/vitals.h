/* vitals: what CPUs, packet queues, files and connection tracking say: pure parsers, and readers
 * for them. Parsers are as kernel/probe.h describes them: 0 or -EINVAL, never beyond `len`, and a
 * last line without its newline is not used. */
#pragma once

#include "base/probed.h"

#include <stddef.h>
#include <stdint.h>

/* /proc/stat (fs/proc/stat.c): its lines "cpu0", "cpu1", ... in the kernel's ticks of which there
 * are `ticks_per_s` (USER_HZ). Columns that an old kernel has not (softirq before 2.6, steal) count
 * 0; guest time is a part of user time. CPUs beyond PROBE_CPUS_MAX are left out. */
int vitals_parse_stat(const char *text, size_t len, uint64_t ticks_per_s, struct probe_cpus *out);
int vitals_read_cpus(struct probe_cpus *out);

/* /proc/net/softnet_stat (net/core/net-procfs.c): a line a CPU, hexadecimal: the second number is
 * what netdev_max_backlog dropped, the third how often softirq ended with packets left. All lines
 * together; fills backlog_drops and squeezes, leaves the rest. */
int vitals_parse_softnet(const char *text, size_t len, struct probe_vitals *out);

/* /proc/sys/fs/file-nr (fs/file_table.c): its first number is what is open. Fills files. */
int vitals_parse_files(const char *text, size_t len, struct probe_vitals *out);

/* All of it; what cannot be read stays PROBE_UNKNOWN. Connection tracking is this network
 * namespace's. */
void vitals_read(struct probe_vitals *out);
