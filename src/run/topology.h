/* topology: where clients connect from and where to, made a tuple plan of this host's: its
 * addresses, its port range, the ports that others have. */
#pragma once

#include "base/err.h"
#include "plan/shard.h"
#include "plan/tuple.h"
#include "plan/walls.h"
#include "utcp/device_lan.h"

#include <stdbool.h>
#include <stdint.h>

struct topology_options {
	const char *target; /* HOST:PORT[-PORT]                                          */
	const char *source; /* LIST|RANGE|CIDR; NULL: what the kernel chooses for the target */
	int family;         /* AF_INET or AF_INET6 alone; AF_UNSPEC: either              */
	uint16_t port_low, port_high; /* source ports; 0, 0: the kernel's range          */
	bool allow_public;
	bool is_outside;    /* sources are of our own TCP (run/outside.h) */
	struct shard shard; /* of several hosts: it has its slice of `source` */
	const char
		*device; /* with is_outside: the LAN's that they are on (run/lan.h); NULL: none */
	struct lan *lan; /* is filled where there is one                                        */
	bool allow_missing; /* source IPs that this host has not (yet) are counted, not refused */
};

/* What was found on the way to the plan. */
struct topology {
	struct walls_ports ports;
	uint32_t sources_given;   /* of `source`, all shards'; 0: none was given     */
	uint32_t sources_missing; /* source IPs that are not this host's            */
	uint32_t neighbours;      /* of these, how many are on a link of this host  */
	bool needs_freebind;      /* they are this host's by a route alone (AnyIP over IPv6) */
	bool is_own_target;       /* both ends are on this host                     */
	bool is_loopback;         /* 127.0.0.0/8, all of which is this host's */
};

/* Chooses the plan. 0, or a negative errno with one line that says what to give instead: -EINVAL
 * (options that cannot be), -EPERM (a public target), -EADDRNOTAVAIL (a source IP that is not this
 * host's), -EADDRINUSE (no port is left), and those of name resolution. */
int topology_choose(const struct topology_options *options, struct tuple_plan *plan,
                    struct topology *out, struct err *err);

/* Whether the address is this host's, now: whether it can be bound. */
bool topology_is_own(const struct ip *ip);

/* Whether it is certainly none of this host's: false as well where there is no descriptor left to
 * ask with. */
bool topology_is_gone(const struct ip *ip);
