/* conntrack: whether the kernel tracks the connections of this network namespace
 * (net/netfilter/nf_conntrack_core.c), and how many it may. */
#pragma once

#include "base/limits.h"

#include <stdbool.h>
#include <stdint.h>

struct conntrack {
	enum limits_use use;
	uint64_t max;     /* nf_conntrack_max; LIMITS_NONE where it is 0: no bound           */
	uint64_t count;   /* of this namespace, with what we sent; max is compared with this */
	uint64_t buckets; /* of the hash, which all namespaces share                         */
};

/* Fills all of it; needs no privilege. What cannot be read is LIMITS_UNKNOWN; on a kernel without
 * connection tracking the numbers are LIMITS_NONE. Where nothing is tracked so far, sends a few
 * datagrams from 127.0.0.1 and ::1 to themselves, until one is; the kernel forgets it after
 * nf_conntrack_udp_timeout (30 s). Never waits. */
void conntrack_read(struct conntrack *out);

/* What was seen of it. */
struct conntrack_seen {
	bool is_absent;         /* this kernel has no nf_conntrack, or has not loaded it          */
	uint64_t before, after; /* nf_conntrack_count around the datagrams, or LIMITS_UNKNOWN     */
	bool was_sent;          /* the kernel took a datagram of at least one family              */
	bool was_refused;       /* a family has its loopback address, and none of it was taken    */
};

/* Pure. */
enum limits_use conntrack_judge(const struct conntrack_seen *seen);

/* Packets and entries that came to nothing, of all CPUs, as /proc/net/stat/nf_conntrack has them
 * (CONFIG_NF_CONNTRACK_PROCFS); LIMITS_UNKNOWN where it has not. */
struct conntrack_stat {
	uint64_t insert_failed; /* entries: another has the same addresses and ports */
	uint64_t drop;          /* packets: the table was full, or as above          */
};

/* Of the network the calling thread is in. */
void conntrack_read_stat(struct conntrack_stat *out);

/* Pure. */
void conntrack_parse_stat(const char *text, struct conntrack_stat *out);
