/* via_proxy: the proxies of a box: haproxy, or nginx with its stream module. Each process takes
 * connections on all of the servers' ports and makes one of its own for each, from addresses of
 * which there are as many as it takes for ports not to be what stops it. What stops it is the
 * descriptors it may have: two a connection, and some for itself. */
#pragma once

#include "base/err.h"
#include "base/result.h"
#include "base/text.h"
#include "kernel/limits.h"
#include "run/experiment.h"

#define VIA_PROXY_BYTES 6144 /* of its own memory that a proxy takes for a connection, about */

/* Finds the program, and says how many processes, with how many descriptors each. -ENOENT with one
 * line where it is missing. */
int via_proxy_choose(const struct limits *limits, struct experiment *x, struct err *err);

/* Starts them, in the network the caller is in, where `from` and those that follow are addresses to
 * connect from. Returns when all listen: 0, or a negative errno with what they say. */
int via_proxy_start(struct experiment *x, const struct ip *from, struct err *err);

/* Fills limit, processes and descriptors. */
void via_proxy_look(const struct experiment *x, struct result_via *out);

/* Ends them. */
void via_proxy_end(const struct experiment *x);

/* Pure: the configuration of each. `size` of the buffer: VIA_PROXY_TEXT_BYTES. */
#define VIA_PROXY_TEXT_BYTES 65536
void via_proxy_write(const struct experiment *x, const struct ip *from, struct text *t);
