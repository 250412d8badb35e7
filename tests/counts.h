/* counts: what the kernel has counted in the test's network, and its sockets by state. */
#pragma once

#include <stdint.h>

/* A counter of /proc/net/snmp or netstat: counts_of("Tcp", "RetransSegs"), ("TcpExt", ...). Fails
 * the test where this kernel has it not. */
int64_t counts_of(const char *group, const char *name);

/* Sockets of IPv4 (sock_diag) on a local port, in the states of a mask: 1 << TCP_ESTABLISHED |
 * ... */
int64_t counts_sockets(uint16_t port, uint32_t state_mask);
