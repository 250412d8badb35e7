/* pair: a pair of virtual Ethernet devices (drivers/net/veth.c) between two networks that are held
 * by descriptors (kernel/netns.h). */
#pragma once

#include "base/err.h"

#include <stdbool.h>

/* Makes link `here` in the network the caller is in, and its other end `there` in another network,
 * with an index that nothing else has in either. Both are down. 0, or a negative errno with one
 * line. */
int pair_make(const char *here, int net, const char *there, int index, struct err *err);

/* Sets an end up, in the network the caller is in. With `ipv6` it has a link-local address, without
 * which the kernel asks no neighbour; it is good at once where net.ipv6.conf.default.accept_dad was
 * 0 when the pair was made. */
int pair_set_up(const char *name, bool ipv6);

/* Waits until something can be sent over it, as soon as its other end is up too. 0, -ENETDOWN where
 * that does not come, or another negative errno. */
int pair_await(const char *name);
