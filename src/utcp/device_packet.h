/* device_packet: a packet socket (packet(7)) on one end of a veth pair, with a mapped ring to
 * receive (Documentation/networking/packet_mmap.rst, TPACKET_V2). Needs no device file, so an
 * ordinary user can have it in a namespace of his own. */
#pragma once

#include "utcp/device.h"

/* Opens the pair with routes to the config's sources; moves the calling process into a network
 * namespace of its own (kernel/veth.h). 0, or a negative errno with one line. The device's `fd` is
 * the socket: poll(2) says POLLIN once too often where the last exchange has lent frames. */
int device_packet_open(const struct device_config *config, struct device **out, struct err *err);
