/* outside: where clients with a TCP of their own (utcp/) connect from: addresses that nobody on
 * this host's networks has, as if they came from beyond it; and to: a server of this host's. */
#pragma once

#include "base/err.h"
#include "plan/tuple.h"

#include <stdbool.h>
#include <stdint.h>

struct outside_options {
	bool are_given;               /* the plan's sources; else they are chosen      */
	uint16_t port_low, port_high; /* source ports; 0, 0: all but the privileged    */
	bool allow_public;
};

/* Checks the plan's target and sources, or chooses these, out of 198.18.0.0/15 (RFC 2544) or
 * 2001:2:0:1::/64 (RFC 5180) what this host has no route to; and sets source_count and the ports,
 * of which none is anybody's. 0, or a negative errno with one line that names the address and says
 * what to do: -EADDRNOTAVAIL (the target cannot be reached so), -EADDRINUSE (a source is this
 * host's or is routed already), -EPERM (a public source), -EINVAL (no host's address). */
int outside_choose(const struct outside_options *options, struct tuple_plan *plan, struct err *err);

/* Parts of it: whether all of the pool may be hosts' addresses, and nobody's in the Internet; as
 * many sources as the pool has, and the ports. */
int outside_check_pool(const struct pool *pool, bool allow_public, struct err *err);
void outside_take_pool(const struct outside_options *options, struct tuple_plan *plan);
