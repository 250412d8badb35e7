/* claim: addresses of a link that a process of this network namespace speaks for without having
 * them: nobody on the link, and no kernel, could say that another process of this host does, too.
 * A claim is a name that goes with its process and those that it forks. */
#pragma once

#include "base/err.h"
#include "kernel/link.h"
#include "kernel/ranges.h"

/* Claims the ranges (at most 64) on the link, for as long as this process or one that it forks from
 * now on is there; what it has claimed before is given up. 0; -EADDRINUSE with one line where
 * another has claimed one of them; or what the system said. */
int claim_ranges(const struct link *link, const struct ranges *ranges, struct err *err);

/* Pure: reads a name as /proc/net/unix shows it ("@megaconn-lan/3/198.18.1.200/51"); false where it
 * is none of a claim on this link. */
bool claim_parse(const char *name, unsigned int link, struct range *out);
