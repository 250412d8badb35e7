/* device_packet: a packet socket with mapped rings (PACKET_MMAP, TPACKET_V2 or V3) on one end of a
 * veth pair. Needs no device file, so an ordinary user can have it in a namespace of his own. */
#pragma once

#include "utcp/device.h"

/* Opens the pair with routes to the config's sources; moves the calling process into a network
 * namespace of its own (kernel/veth.h). 0, or a negative errno with one line. */
int device_packet_open(const struct device_config *config, struct device **out, struct err *err);
