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
 * named after `pattern` ("mcveth%d"). Needs CAP_NET_ADMIN where it is, and CAP_SYS_ADMIN. 0, or a
 * negative errno with one line that says what to do; the process may then be in the new namespace
 * already. `here_channel` is opened before the move, and stays a conversation with the network that
 * the caller came from: the caller closes it, where this has not failed. The pair is deleted by
 * link_delete of the end here, at once, or goes with the new namespace, some time later. */
struct channel;
int veth_open(const char *pattern, struct veth *out, struct channel *here_channel, struct err *err);
