/* addr_tell: what `megaconn addr` says of many addresses: one by one where somebody has them, as
 * ranges where not. To stdout. */
#pragma once

#include "kernel/address_list.h"
#include "kernel/addresses_down.h"
#include "kernel/neighbour.h"
#include "kernel/ranges.h"

#include <stdbool.h>
#include <stdint.h>

/* How many of each enum neighbour_state. */
struct addr_counts {
	uint32_t of[NEIGHBOUR_UNASKED + 1];
};
struct addr_counts addr_count(const struct ranges *ranges, const struct neighbour *neighbours);

/* A line for each address that somebody has, and for this host's own. */
void addr_tell_taken(const struct ranges *ranges, const struct neighbour *neighbours);

/* What is free or could not be asked for, and the sum. */
void addr_tell_free(const struct ranges *ranges, const struct neighbour *neighbours,
                    const char *link_name);

/* "eth0: WHAT 192.168.1.200-192.168.1.219 (/32)", or nothing where no address has the mark. */
void addr_tell_marked(const struct address_list *list, const uint8_t *marks, uint8_t mark,
                      const char *what);

/* For addresses_down and addresses_show; `context` points to whether it is a dry run. */
void addr_tell_event(void *context, enum addresses_event event, const struct address_list *list,
                     uint32_t count, const char *journal);
