/* probe: what the kernel tells in text files: pure parsers, and readers for them.
 *
 * Parsers take a whole file's bytes (NUL-terminated, `len` bytes before the NUL) and fill a
 * struct; they tolerate unknown lines, missing lines, more or fewer columns and truncated files,
 * since kernels differ; they never read beyond `len`. A last line without its newline was cut and
 * is not used. A field that is missing stays PROBE_UNKNOWN. They return 0 or -EINVAL where nothing
 * of the expected form was found. Readers return 0 or the negative errno of opening or reading
 * (-EACCES for /proc/slabinfo without root), or the parser's. */
#pragma once

#include "base/probed.h"

#include <stddef.h>
#include <stdint.h>

/* /proc/meminfo (fs/proc/meminfo.c), in bytes. */
int probe_parse_meminfo(const char *text, size_t len, struct probe_meminfo *out);
int probe_read_meminfo(struct probe_meminfo *out); /* and cpu_lists_bytes from /proc/zoneinfo */

/* The free pages of all per-CPU lists in /proc/zoneinfo (mm/vmstat.c): their "count:" lines. */
int probe_parse_zoneinfo(const char *text, size_t len, uint64_t *pages);

/* What can still be had without the OOM killer: MemFree, the per-CPU lists of free pages, and the
 * page cache that can be dropped (Active(file) + Inactive(file) - Dirty, not below 0). MemAvailable
 * is not used: it counts pinned socket inodes and dentries as reclaimable, about 1 KB a socket. */
uint64_t probe_memory_left_bytes(const struct probe_meminfo *m);

/* /proc/slabinfo, version 2.x (mm/slab_common.c). Caches of the same name are one; of more than
 * PROBE_SLABS_MAX the largest are kept. */
int probe_parse_slabinfo(const char *text, size_t len, uint64_t page_bytes,
                         struct probe_slabinfo *out);
int probe_read_slabinfo(struct probe_slabinfo *out);
const struct probe_slab *probe_find_slab(const struct probe_slabinfo *s,
                                         const char *name); /* or NULL */

/* /proc/net/sockstat and sockstat6 (net/ipv4/proc.c): inuse and tw are the namespace's; orphan,
 * alloc and mem (pages) the machine's. inuse6 comes from sockstat6. */
int probe_parse_sockstat(const char *text, size_t len,
                         struct probe_sockstat *out); /* fills what the text has, leaves the rest */
int probe_read_sockstat(struct probe_sockstat *out);  /* of /proc/self/net, both files */

/* /proc/net/snmp and /proc/net/netstat: pairs of a header line and a value line with the same
 * prefix ("TcpExt:"). */
int probe_parse_tcp(const char *text, size_t len,
                    struct probe_tcp *out); /* of either file; fills what it has, leaves the rest */
int probe_read_tcp(struct probe_tcp *out);  /* of /proc/self/net, both files */

/* /proc/self/smaps_rollup. private_bytes = Private_Clean + Private_Dirty. */
struct probe_smaps {
	uint64_t rss_bytes, pss_bytes, private_bytes;
};
int probe_parse_smaps(const char *text, size_t len, struct probe_smaps *out);
int probe_read_smaps(struct probe_smaps *out);

/* /proc/net/stat/arp_cache and ndisc_cache (net/core/neighbour.c): the neighbours in the table, in
 * hexadecimal in the column "entries" of each line after the header's; the table is the machine's,
 * and so is the number in all lines. -ENOENT in a network namespace other than the first. */
int probe_parse_neighbours(const char *text, size_t len, uint64_t *entries);
int probe_read_neighbours(const char *path, uint64_t *entries);

/* Reads a small file whole into `buffer` (NUL-terminated, cut at size - 1). Returns its length or a
 * negative errno. */
long probe_read_file(const char *path, char *buffer, size_t size);
