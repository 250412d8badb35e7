/* lan: where clients with a TCP of their own connect from on a LAN that this host is on: addresses
 * that nobody there has; and to: another host, on that LAN or by a router. */
#pragma once

#include "run/outside.h"
#include "utcp/device_lan.h"

#define LAN_SOURCES_MOST 65536 /* each is asked for three times, at 5,000 a second */

/* Checks the plan's target and sources for clients on the LAN of the link `device`, asks whether
 * the sources are free (kernel/neighbour: a second or more), finds the next hop, and sets
 * source_count and the ports. 0, or a negative errno with one line that says what to do: -EINVAL
 * (no such link, no host's address), -ENOTSUP (a link without neighbours), -ENETDOWN, -ENETUNREACH,
 * -EADDRNOTAVAIL (the target, or a source, is not to be reached over that link), -EADDRINUSE (a
 * source is this host's, or another run's on it, or somebody has it: who), -EHOSTUNREACH (the next
 * hop does not answer), -EPERM. */
int lan_choose(const struct outside_options *options, const char *device, struct tuple_plan *plan,
               struct lan *lan, struct err *err);
