/* route: local routes for whole prefixes (AnyIP), and which way an address lies, over rtnetlink. */
#pragma once

#include "kernel/channel.h"
#include "plan/ip.h"

#include <stdbool.h>
#include <stdint.h>

struct route_prefix {
	struct ip first; /* host bits are 0 */
	uint8_t len;     /* bits             */
};

/* `ip route add|del local PREFIX dev lo proto static`: every address of the prefix is this host's.
 * -EEXIST where there is such a route already, -ESRCH where there is none. */
int route_add_local(struct channel *c, const struct route_prefix *prefix);
int route_delete_local(struct channel *c, const struct route_prefix *prefix);

/* Whether exactly this route is there, with any `proto`: 0 or 1, or a negative errno. */
int route_has_local(const struct route_prefix *prefix);

enum route_way {
	ROUTE_NONE,  /* no route, or one that refuses              */
	ROUTE_LOCAL, /* this host's own                            */
	ROUTE_LINK,  /* on the link that was asked about           */
	ROUTE_BEYOND /* by a router, or on another link            */
};

/* The way to up to CHANNEL_BATCH addresses from first on; ways[i] is an enum route_way. */
int route_ways(struct channel *c, const struct ip *first, uint32_t count, unsigned int link,
               uint8_t *ways);

/* Where packets from this host to an address go. */
struct route_hop {
	bool is_local;     /* to itself: an address of its own                          */
	bool is_broadcast; /* to all on a link: no host's address                       */
	unsigned int link;
	struct ip neighbour; /* on that link: a router, or the address itself          */
};

/* What the kernel's routes and rules say. 0; -ENETUNREACH where there is no route or one that
 * refuses, or another negative errno. */
int route_find(struct channel *c, const struct ip *target, struct route_hop *out);

/* Pure: whether an address lies in the prefix, and whether the prefix has host bits set. */
bool route_prefix_has(const struct route_prefix *prefix, const struct ip *ip);
struct route_prefix route_prefix_of(const struct ip *ip, uint8_t len);

/* Pure: the prefixes that cover `count` (> 0) addresses from `first` on, exactly and as few as can
 * be, in order. Returns how many; those beyond `most` are not written. At most 2 * 32 for IPv4. */
uint32_t route_prefixes_of(const struct ip *first, uint32_t count, struct route_prefix *out,
                           uint32_t most);

/* A unicast route to the prefix over a link, by `gateway` (onlink) where it is not NULL. -EEXIST
 * where there is one to exactly this prefix already. It goes with the link. */
int route_add_link(struct channel *c, const struct route_prefix *prefix, unsigned int link,
                   const struct ip *gateway);

/* Whether a route of the main or the local table shares an address with first .. first+count-1, as
 * `out`: 1 or 0, or a negative errno. Those of less than 8 bits (IPv6: 16) do not count: they are
 * default routes, also cut in two, as tunnels do. */
int route_overlap(struct channel *c, const struct ip *first, uint32_t count,
                  struct route_prefix *out);
