/* probe: what the kernel tells in text files: pure parsers, and readers for them.
 *
 * Parsers take a whole file's bytes (NUL-terminated, `len` bytes before the NUL) and fill a
 * struct; they tolerate unknown lines, missing lines, more or fewer columns and truncated files,
 * since kernels differ; they never read beyond `len`. A last line without its newline was cut and
 * is not used. A field that is missing stays PROBE_UNKNOWN. They return 0 or -EINVAL where nothing
 * of the expected form was found. Readers return 0 or the negative errno of opening or reading
 * (-EACCES for /proc/slabinfo without root), or the parser's. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define PROBE_UNKNOWN UINT64_MAX

/* /proc/meminfo (fs/proc/meminfo.c), in bytes. */
struct probe_meminfo {
	uint64_t total_bytes, free_bytes, available_bytes;
	uint64_t active_file_bytes, inactive_file_bytes, shmem_bytes, dirty_bytes;
	uint64_t slab_bytes, slab_reclaimable_bytes, slab_unreclaim_bytes;
	uint64_t cpu_lists_bytes; /* free pages in per-CPU lists, which MemFree leaves out */
	uint64_t kernel_stack_bytes, page_tables_bytes, vmalloc_used_bytes, percpu_bytes;
	uint64_t swap_total_bytes, swap_free_bytes;
};
int probe_parse_meminfo(const char *text, size_t len, struct probe_meminfo *out);
int probe_read_meminfo(struct probe_meminfo *out); /* and cpu_lists_bytes from /proc/zoneinfo */

/* The free pages of all per-CPU lists in /proc/zoneinfo (mm/vmstat.c): their "count:" lines. */
int probe_parse_zoneinfo(const char *text, size_t len, uint64_t *pages);

/* What can still be had without the OOM killer: MemFree, the per-CPU lists of free pages, and the
 * page cache that can be dropped (Active(file) + Inactive(file) - Dirty, not below 0). MemAvailable
 * is not used: it counts pinned socket inodes and dentries as reclaimable, about 1 KB a socket. */
uint64_t probe_memory_left_bytes(const struct probe_meminfo *m);

/* /proc/slabinfo, version 2.x (mm/slab_common.c). */
#define PROBE_SLABS_MAX 512
struct probe_slab {
	char name[32];
	uint64_t objects; /* active */
	uint64_t object_bytes;
	uint64_t bytes; /* whole pages: num_slabs * pagesperslab * page size */
};
struct probe_slabinfo {
	uint32_t count;
	struct probe_slab slabs[PROBE_SLABS_MAX];
};
int probe_parse_slabinfo(const char *text, size_t len, uint64_t page_bytes,
                         struct probe_slabinfo *out);
int probe_read_slabinfo(struct probe_slabinfo *out);
const struct probe_slab *probe_find_slab(const struct probe_slabinfo *s,
                                         const char *name); /* or NULL */

/* /proc/net/sockstat and sockstat6 (net/ipv4/proc.c): inuse and tw are the namespace's; orphan,
 * alloc and mem (pages) the machine's. inuse6 comes from sockstat6. */
struct probe_sockstat {
	uint64_t tcp_inuse, tcp_orphan, tcp_tw, tcp_alloc, tcp_mem_pages, tcp6_inuse;
};
int probe_parse_sockstat(const char *text, size_t len,
                         struct probe_sockstat *out); /* fills what the text has, leaves the rest */
int probe_read_sockstat(struct probe_sockstat *out);  /* of /proc/self/net, both files */

/* /proc/net/snmp and /proc/net/netstat: pairs of a header line and a value line with the same
 * prefix ("TcpExt:"). */
struct probe_tcp {
	/* Tcp: */
	uint64_t active_opens, passive_opens, attempt_fails, estab_resets, curr_estab, retrans_segs,
		out_rsts;
	/* TcpExt: */
	uint64_t listen_overflows, listen_drops, syncookies_sent, timeouts, abort_on_timeout,
		abort_on_memory, req_q_full_drop, req_q_full_do_cookies, backlog_drop;
};
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
