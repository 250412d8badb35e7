/* bill: where each byte of a run's connections went, or of all sockets of a host: lines that add up
 * to what memory has lost. run/bill makes it; it has no pointers. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define BILL_UNKNOWN INT64_MIN /* could not be observed */

enum bill_line_id {
	BILL_TCP,         /* struct tcp_sock                                        */
	BILL_INODE,       /* sock_inode_cache                                       */
	BILL_FILE,        /* filp                                                   */
	BILL_DENTRY,      /* of sockets; see BILL_OTHERS                            */
	BILL_WATCH,       /* epoll items and wait entries                           */
	BILL_URING,       /* io_uring requests                                      */
	BILL_BIND,        /* bind buckets                                           */
	BILL_LSM,         /* blobs of security modules                              */
	BILL_REQUEST,     /* request sockets                                        */
	BILL_TIMEWAIT,    /* sockets in TIME_WAIT                                   */
	BILL_DATA,        /* receive and send memory                                */
	BILL_CONNTRACK,   /* connection tracking                                    */
	BILL_VMALLOC,     /* descriptor tables, rings                               */
	BILL_PAGE_TABLES, /* of processes                                           */
	BILL_STACKS,      /* of the kernel's side of threads                        */
	BILL_PERCPU,      /* per-CPU memory                                         */
	BILL_SLABS,       /* all other slab caches; where slabs are unknown, all    */
	BILL_SERVER_USER, /* user memory of servers                                 */
	BILL_CLIENT_USER, /* user memory of clients                                 */
	BILL_RESIDUAL,    /* what memory lost beyond the lines before and after     */
	BILL_OTHERS,      /* what others' doings took: not the connections' cost    */
	BILL_LINE_COUNT
};

struct bill_line {
	int64_t bytes;   /* whole pages where slabs are known; BILL_UNKNOWN */
	int64_t objects; /* BILL_UNKNOWN where it is not objects            */
	char of[96];     /* caches it is made of: "TCP", "filp (alias of ...)"; "" */
};

struct bill {
	uint64_t connections; /* what it is of; 0: there is no bill                       */
	bool has_slabs;       /* else lines of slab caches are unknown, but for BILL_SLABS */
	int64_t lost_bytes;   /* of what was left of memory (probe_memory_left_bytes)     */
	int64_t available_lost_bytes; /* of MemAvailable, which takes pinned slabs for free */
	int64_t drift_bytes; /* of memory in the time before, for as long; was subtracted  */
	struct bill_line lines[BILL_LINE_COUNT];
};

/* "tcp", "inode", ...: stable, for results. */
const char *bill_line_name(enum bill_line_id id);

/* "TCP socket", "socket inode", ...: for people. */
const char *bill_line_title(enum bill_line_id id);
