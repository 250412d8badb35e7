/* veth: a pair of virtual Ethernet devices, one end here, the other in a network namespace of its
 * own: when that namespace goes, with its last process, both ends go. */
#pragma once

#include "base/err.h"
#include "kernel/link.h"

/* Both ends, up, without ARP; checksums are left to the receiver, and frames are never longer than
 * the MTU (no TSO, no GSO). */
struct veth {
	struct link here;  /* in the network namespace the caller was in          */
	struct link there; /* in the new one, in which the caller is from now on  */
};

/* Makes a network namespace, moves the calling process into it, and makes the pair. The end here is
 * named after `pattern` ("mcveth%d"). Needs CAP_NET_ADMIN and CAP_SYS_ADMIN where it is. 0 or a
 * negative errno with one line that says what to do. `here_channel` (kernel/channel.h) is opened
 * before the move, and stays a conversation with the network the caller came from. */
struct channel;
int veth_open(const char *pattern, struct veth *out, struct channel *here_channel, struct err *err);
