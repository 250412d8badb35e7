/* subnet: routes that lead a worker's source addresses into its device. */
#pragma once

#include "kernel/channel.h"
#include "utcp/device.h"

/* A gateway that is nobody's address: of IPv4 the dummy address (192.0.0.8, RFC 7600 section 4.8),
 * of IPv6 a link-local one, fe80::1. */
struct ip subnet_gateway(int family);

/* Routes the config's sources to `link` (its index), by as few prefixes as cover exactly these,
 * through `gateway` where it is not NULL, taken to be on the link (onlink): then the kernel has one
 * neighbour there, and not one for each address. `c` talks to the network the link is in, which is
 * up. 0 or a negative errno with one line that names the prefix. -EEXIST: somebody else's route, or
 * an address of this host, is in the way (route_overlap). What was routed before a failure goes
 * with the link. */
int subnet_route(struct channel *c, unsigned int link, const struct device_config *config,
                 const struct ip *gateway, struct err *err);
