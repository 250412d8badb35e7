/* diag: the kernel's own list of TCP sockets, over sock_diag (linux/inet_diag.h,
 * net/ipv4/inet_diag.c). */
#pragma once

#include "plan/ip.h"

#include <stdbool.h>
#include <stdint.h>

#define DIAG_STATES                                                                  \
	16 /* indexes are enum values of linux/tcp_states.h: TCP_ESTABLISHED = 1 ... \
	    */

struct diag_counts {
	uint64_t by_state[DIAG_STATES];
	uint64_t total;
	uint64_t queued; /* idiag_rqueue of all: of listeners, connections that wait in them */
};

struct diag_socket {
	struct ip local, remote;
	uint16_t local_port, remote_port;
};

struct diag_query {
	int family;          /* AF_INET or AF_INET6 */
	bool by_remote;      /* low..high are of the remote port, not the local one */
	uint16_t low, high;  /* ports */
	uint32_t state_mask; /* 1 << TCP_ESTABLISHED | ... */
	/* Which of them count; NULL: all. */
	bool (*match)(const struct diag_socket *socket, const void *context);
	const void *context;
};

/* Counts sockets of this network namespace. The filter of ports and states runs in the kernel
 * (INET_DIAG_BC_S_GE, _D_GE ... byte code), and each answer is counted without being kept. Returns
 * 0 or a negative errno; -EINTR where the kernel said that the dump was interrupted by a change
 * (NLM_F_DUMP_INTR): ask again. */
int diag_count(const struct diag_query *query, struct diag_counts *out);

/* Marks in `ports` (65,536 bits, 8,192 bytes) the local port of every socket of the query. 0 or a
 * negative errno; what was marked before an error stays. */
int diag_mark_ports(const struct diag_query *query, uint8_t ports[8192]);

/* The same for all on which a TCP socket of either family listens. */
int diag_listening_ports(uint8_t ports[8192]);

/* Shows every socket of the query (match is not asked) to `see`, until `deadline_ns` of
 * clock_now_ns() has passed: then *is_partial is set, and those that came until then were seen,
 * hash bucket by hash bucket. 0 or a negative errno; a dump that a change has interrupted is as
 * good here. */
int diag_each(const struct diag_query *query, uint64_t deadline_ns,
              void (*see)(void *context, uint8_t state, const struct diag_socket *socket),
              void *context, bool *is_partial);
