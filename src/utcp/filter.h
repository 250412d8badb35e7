/* filter: which frames of a LAN are a worker's, as a program of classic BPF that the kernel runs
 * over each frame (SO_ATTACH_FILTER; Documentation/networking/filter.rst). Pure. */
#pragma once

#include "utcp/device.h"

#include <linux/filter.h>

#define FILTER_MOST 4096 /* instructions: what the kernel takes (BPF_MAXINSNS) */

struct filter {
	uint32_t len; /* beyond FILTER_MOST: it does not fit, and is of no use */
	struct sock_filter code[FILTER_MOST];
};

/* Makes the program for the config's sources. It takes Ethernet frames that this host has received,
 * not sent, and that are of no VLAN, with
 *   - TCP, no fragment, from the plan's target and its ports to our sources and ports,
 *   - ICMP errors to our sources, from anybody, as routers send them,
 *   - IPv4: ARP that asks for our sources, or claims one of them, or comes from `hop`,
 *   - IPv6: solicitations of our sources and advertisements of these and of `hop`,
 * and drops all others. -E2BIG where there are too many ranges of sources. */
int filter_make(const struct device_config *config, const struct ip *hop, struct filter *out);
