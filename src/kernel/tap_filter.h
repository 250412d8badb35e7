/* tap_filter: which packets a tap counts, as a classic BPF program (linux/filter.h) that begins at
 * the network header, as packet sockets of SOCK_DGRAM have it. Pure. */
#pragma once

#include "plan/ip.h"

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>

#define TAP_FILTER_MOST 192 /* instructions */
#define TAP_PASSED_OVER 32  /* devices */
#define TAP_PORTS       16  /* ranges */

enum tap_what {
	TAP_SYN_OUT,
	TAP_SYN_IN,
	TAP_SYN_ACK_OUT,
	TAP_SYN_ACK_IN,
	TAP_RESET_OUT,
	TAP_RESET_IN,
	TAP_ICMP_IN,         /* destination unreachable, about a packet of ours to the ports */
	TAP_ICMP_REFUSED_IN, /* of these: prohibited                                         */
	TAP_COUNT
};

/* Whose packets: those of TCP between an end and the ports. Extension headers of IPv6 and fragments
 * are not looked into. */
struct tap_spec {
	bool is_server;       /* the ports are this end's; else the other's         */
	uint8_t family;       /* AF_INET, AF_INET6; AF_UNSPEC: both                 */
	uint32_t ports_count; /* ranges of them, at least one; of a server at whatever address */
	struct tap_ports {
		uint16_t low, high;
	} ports[TAP_PORTS];
	bool has_address; /* clients: and only with this address; one family    */
	struct ip address;
	bool has_own_macs; /* clients on a LAN with Ethernet addresses that are not the device's:
	                    * what comes to them is another host's, as the kernel sees it */
	/* What leaves by these devices has left by another before, which is made of them: a bridge,
	 * a bond. (A VLAN's packets are told from those of the device below by their tag.) */
	uint32_t passed_over_count;
	unsigned int passed_over[TAP_PASSED_OVER];
};

/* Whether it counts what leaves. */
bool tap_is_out(enum tap_what what);

/* Writes the program; returns how many instructions it has. */
uint32_t tap_filter_make(const struct tap_spec *spec, enum tap_what what,
                         struct sock_filter out[TAP_FILTER_MOST]);
