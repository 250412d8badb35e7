/* device_lan: our own hosts on a LAN that this host is on: a packet socket (utcp/ring) on a network
 * device of the host's, which answers for the sources and finds the next hop itself. */
#pragma once

#include "kernel/link.h"
#include "utcp/device.h"

struct lan {
	struct link link; /* the device: Ethernet, running                                */
	struct ip hop;    /* the target where it is on the link, else the router to it    */
	bool has_own_mac; /* frames are from an address of the worker's, not the device's */
	bool is_hop_router;
};

/* Opens the device for the config's sources, which nobody on the link has; returns when they have
 * been announced and the next hop is known. 0, or a negative errno with one line: -EPERM
 * (CAP_NET_RAW), -EHOSTUNREACH (the next hop does not answer), -E2BIG (too many ranges of sources).
 * The link may go down and come back: what is sent meanwhile is lost. Nothing is left when the
 * process is gone. */
int device_lan_open(const struct device_config *config, const struct lan *lan, struct device **out,
                    struct err *err);
