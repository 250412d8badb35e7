/* netlink: addresses and links over rtnetlink (RFC 3549), in the calling process's network
 * namespace. */
#pragma once

#include "plan/ip.h"

#include <stdint.h>

/* Sets a link up, by name ("lo"). */
int netlink_link_up(const char *name);

/* Adds first .. first+count-1 to the link as host addresses (/32 or /128; IPv6 without duplicate
 * detection: IFA_F_NODAD, noprefixroute not needed). Batched: thousands take a fraction of a
 * second. An address that is there already is no error. IPv6: returns when every address can be
 * connected to (the kernel puts its route in later); -ENETDOWN where that does not come in 2 s, as
 * on a link that is down: set it up first. */
int netlink_add_addresses(const char *link_name, const struct ip *first, uint32_t count);
