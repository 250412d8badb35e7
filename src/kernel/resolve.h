/* resolve: names of hosts to addresses, and which address of this host leads to another. Calls
 * block: a name that must be asked for in the network takes as long as resolv.conf(5) allows. */
#pragma once

#include "base/err.h"
#include "plan/ip.h"

/* Looks a host up: a name ("localhost"), an IPv4 address, an IPv6 address, with a scope where it is
 * link-local ("fe80::1%eth0", the interface then in out->scope). `family` is AF_INET or AF_INET6,
 * or AF_UNSPEC: either. *out is the first answer in getaddrinfo's order, and only written on
 * success.
 *
 * 0; -EHOSTUNREACH where the name is not known, -EAGAIN where it could not be asked for now,
 * -EAFNOSUPPORT where the host has addresses, but none of that family; or what the system said: all
 * with one line that names the host. */
int resolve_host(const char *host, int family, struct ip *out, struct err *err);

/* The address that the kernel would choose as the source of connections to `target`, by its routes
 * and rules; nothing is sent. 0; -ENETUNREACH where no route leads there, or another negative errno
 * (-EINVAL: link-local without a scope), with one line that names the target. */
int resolve_source(const struct ip *target, struct ip *out, struct err *err);
