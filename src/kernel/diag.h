/* diag: the kernel's own list of TCP sockets, over sock_diag (linux/inet_diag.h,
 * net/ipv4/inet_diag.c). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define DIAG_STATES                                                                  \
	16 /* indexes are enum values of linux/tcp_states.h: TCP_ESTABLISHED = 1 ... \
	    */

struct diag_counts {
	uint64_t by_state[DIAG_STATES];
	uint64_t total;
};

/* Counts the sockets of this network namespace of `family` (AF_INET or AF_INET6) whose local port
 * is in low..high and whose state is in `state_mask` (1 << TCP_ESTABLISHED | ...). The port filter
 * runs in the kernel (INET_DIAG_BC_S_GE / _LE byte code), and each answer is counted without being
 * kept. Returns 0 or a negative errno; -EINTR where the kernel said that the dump was interrupted
 * by a change (NLM_F_DUMP_INTR): ask again. */
int diag_count(int family, uint16_t low, uint16_t high, uint32_t state_mask,
               struct diag_counts *out);

/* Marks in `ports` (65,536 bits, 8,192 bytes) every local port on which a TCP socket of either
 * family listens. */
int diag_listening_ports(uint8_t ports[8192]);
