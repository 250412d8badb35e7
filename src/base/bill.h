/* bill: where each byte of a run's connections went: lines that add up to what memory has lost. Or,
 * of a host's sockets as they stand: the lines of what sockets have; the others are unknown.
 * run/account makes it; it has no pointers. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define BILL_UNKNOWN INT64_MIN /* could not be observed */

enum bill_line_id {
	BILL_TCP,         /* TCP, TCPv6: struct tcp_sock                              */
	BILL_INODE,       /* sock_inode_cache: struct socket_alloc                    */
	BILL_FILE,        /* filp: struct file of sockets                             */
	BILL_DENTRY,      /* dentry: of sockets, one each                             */
	BILL_WATCH,       /* eventpoll_epi, eventpoll_pwq: epoll items, wait entries  */
	BILL_URING,       /* io_kiocb: io_uring requests                              */
	BILL_BIND,        /* tcp_bind_bucket, tcp_bind2_bucket                        */
	BILL_LSM,         /* lsm_file_cache, lsm_inode_cache: of sockets              */
	BILL_REQUEST,     /* request_sock_TCP: handshakes under way                   */
	BILL_TIMEWAIT,    /* tw_sock_TCP                                              */
	BILL_DATA,        /* skbuff_*, and what sockstat's mem has outside of slabs   */
	BILL_CONNTRACK,   /* nf_conntrack                                             */
	BILL_VMALLOC,     /* VmallocUsed, and slab pages of no cache: tables, hashes  */
	BILL_PAGE_TABLES, /* PageTables                                               */
	BILL_STACKS,      /* KernelStack                                              */
	BILL_PERCPU,      /* Percpu                                                   */
	BILL_SLABS,       /* all other slab memory; where slabs are unknown, all of it */
	BILL_SERVER_USER, /* private memory of servers                                */
	BILL_CLIENT_USER, /* private memory of clients                                */
	BILL_RESIDUAL,    /* what memory lost beyond all other lines                  */
	BILL_OTHERS,      /* what others' doings took: not the connections' cost      */
	BILL_LINE_COUNT
};

struct bill_line {
	int64_t bytes;   /* of caches whole pages; BILL_UNKNOWN                         */
	int64_t objects; /* BILL_UNKNOWN where it is not objects                        */
	bool is_shared;  /* of a cache that has others' objects too: its growth; of a
	                  * host's sockets as they stand: at most this                 */
	char of[96];     /* caches it is made of: "TCP, TCPv6", "a + b in c" */
};

struct bill {
	uint64_t connections; /* what it is of; 0: there is no bill                        */
	bool has_slabs;       /* else lines of slab caches are unknown, but for BILL_SLABS */
	int64_t lost_bytes;   /* of what was left of memory (probe_memory_left_bytes)      */
	int64_t available_lost_bytes; /* of MemAvailable, which takes pinned slabs for free */
	int64_t drift_bytes; /* growth that was going on before: BILL_OTHERS has it        */
	struct bill_line lines[BILL_LINE_COUNT];
};

/* The sum of the lines from `first` to `last` that are known, at most INT64_MAX; BILL_UNKNOWN where
 * none is. */
int64_t bill_sum(const struct bill *bill, enum bill_line_id first, enum bill_line_id last);

/* a + b, which stays within int64_t, and is no BILL_UNKNOWN. */
int64_t bill_add(int64_t a, int64_t b);

/* Later minus earlier; 0 where either is beyond INT64_MAX, as what is not known is. */
int64_t bill_grown(uint64_t before, uint64_t now);

/* Of `bytes` that are of `objects`, those of `part` of the objects: none to all. */
int64_t bill_share(int64_t bytes, int64_t objects, int64_t part);

/* What a connection has of `bytes`, rounded to a tenth of a byte and to whole bytes; `connections`
 * from 1 to INT64_MAX. All that is shown or written of one goes through these, so that it is the
 * same number. */
double bill_each(int64_t bytes, uint64_t connections);
int64_t bill_each_whole(int64_t bytes, uint64_t connections);

/* Adds to a line that may not be known yet; `objects` BILL_UNKNOWN adds none. */
void bill_put(struct bill *bill, enum bill_line_id id, int64_t bytes, int64_t objects);

/* Adds a cache to what the line is of, as "CACHE", or "CACHE in LINE" of slabinfo where that has
 * another's name; what does not fit is left out. */
void bill_name(struct bill *bill, enum bill_line_id id, const char *cache, const char *in);

/* "tcp", "inode", ...: stable, for results. */
const char *bill_line_name(enum bill_line_id id);

/* "TCP socket", "socket inode", ...: for people. Where slab caches are unknown BILL_SLABS is all of
 * them. */
const char *bill_line_title(const struct bill *bill, enum bill_line_id id);
