/* subnet: routes that lead a worker's source addresses into its device. */
#pragma once

#include "kernel/channel.h"
#include "utcp/device.h"

/* Routes the config's sources to `link` (its index), by as few prefixes as cover exactly these,
 * through `gateway` where it is not NULL, taken to be on the link (onlink): then the kernel has one
 * neighbour there, and not one for each address. `c` talks to the network the link is in. 0 or a
 * negative errno with one line that names the prefix. -EEXIST: somebody else's route is in the way.
 */
int subnet_route(struct channel *c, unsigned int link, const struct device_config *config,
                 const struct ip *gateway, struct err *err);
