/* address: the addresses of links over rtnetlink (RFC 3549): added and deleted in batches, dumped.
 */
#pragma once

#include "kernel/channel.h"
#include "plan/ip.h"

#include <linux/if_addr.h>
#include <stdint.h>

struct address {
	struct ip ip;
	unsigned int link;  /* its index                                          */
	uint8_t prefix_len; /* 1-32, 1-128                                        */
	uint32_t flags;     /* IFA_F_...                                            */
};

/* Adds, or deletes, up to CHANNEL_BATCH addresses. results[i] is 0 or the kernel's negative errno
 * for each: -EEXIST where it is there already, -EADDRNOTAVAIL where it is not there (any more).
 * Returns a negative errno where the conversation itself failed: then it is not known which were
 * done. */
int address_add(struct channel *c, const struct address *list, uint32_t count, int *results);
int address_delete(struct channel *c, const struct address *list, uint32_t count, int *results);

/* Waits until up to CHANNEL_BATCH addresses have their local route, so that they can be connected
 * from and to; *tries is how many milliseconds are left for that, of all batches together.
 * -ENETDOWN where it does not come. */
int address_await_routes(struct channel *c, const struct address *list, uint32_t count,
                         uint32_t *tries);

typedef void (*address_visit)(const struct address *address, void *context);

/* Visits the addresses of a family on all links. One may be visited more than once: where they
 * change meanwhile the dump begins anew. */
int address_dump(int family, address_visit visit, void *context);

/* How many bits an address of this family has. */
uint8_t address_bits(int family);
