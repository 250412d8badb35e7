/* via: a box between a lab's clients and its servers: which kind, and the limit it is given. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum via_kind {
	VIA_NONE,         /* clients and servers share a network                         */
	VIA_NAT,          /* a router that gives all connections one source address      */
	VIA_CONNTRACK,    /* a router that tracks connections, and drops what is invalid */
	VIA_HAPROXY,      /* proxies of connections                                      */
	VIA_NGINX_STREAM, /* likewise                                                    */
	VIA_KIND_COUNT
};

#define VIA_PORT_LOW   1024  /* what the kernel's NAT takes where no range is said */
#define VIA_PORTS_MOST 64512 /* of these                                           */

struct via {
	enum via_kind kind;
	uint64_t limit; /* of what via_unit says; 0: none of its own */
};

/* "KIND" or "KIND:LIMIT", LIMIT as a count ("1000", "50k"). 0, or -EINVAL with one line. */
int via_parse(const char *text, struct via *out, struct err *err);

/* "nat", "conntrack", "haproxy", "nginx-stream"; "" for none. */
const char *via_name(enum via_kind kind);

/* What its limit counts: "ports", "entries", "descriptors". */
const char *via_unit(enum via_kind kind);

/* Whether it takes connections and makes others, in place of forwarding packets. */
bool via_is_proxy(enum via_kind kind);
