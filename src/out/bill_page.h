/* bill_page: what `megaconn bill` says of the TCP sockets of a host as they stand. */
#pragma once

#include "base/bill.h"
#include "base/err.h"

#include <stdint.h>
#include <stdio.h>

struct bill_page {
	struct bill bill;          /* account_standing's */
	uint64_t memory_bytes;     /* of the machine; 0: unknown */
	const char *netns;         /* the network namespace that was asked for; NULL: ours */
	uint64_t inuse, time_wait; /* sockets of it; BILL_PAGE_UNKNOWN */
};
#define BILL_PAGE_UNKNOWN UINT64_MAX

void bill_page_print(FILE *to, const struct bill_page *page);

/* Schema megaconn.bill/1 (docs/result.md). 0, or a negative errno with `err`. */
int bill_page_write(const char *path, const struct bill_page *page, struct err *err);
