/* tap: counts packets of a run as they pass this network namespace's devices, without reading them:
 * packet(7) sockets, each with a filter (kernel/tap_filter) and the smallest buffer there is, whose
 * PACKET_STATISTICS say how many have passed the filter, also those that found the buffer full.
 *
 * Each packet counts once: what comes in where it has reached IP (after bridge, bond and VLAN),
 * what goes out at the device that IP gave it to. Over the loopback it is counted at both ends.
 * What crosses a macvlan's parent in the same namespace counts twice. */
#pragma once

#include "base/err.h"
#include "base/path.h"
#include "kernel/tap_filter.h"

struct tap {
	int fds[TAP_COUNT];       /* -1: none                     */
	bool is_known[TAP_COUNT]; /* was counted, at least so far */
	uint64_t counts[TAP_COUNT];
};

/* None is open. */
void tap_init(struct tap *tap);

/* Opens what an end needs: clients all but what only a server sends and gets, and the other way
 * round. spec->passed_over is filled by it. 0, or a negative errno with one line in `err`: -EPERM
 * (no CAP_NET_RAW in this network's user namespace); then none is open. */
int tap_open(struct tap *tap, struct tap_spec *spec, struct err *err);

/* Puts what was counted so far into the fields of `end` (PATH_UNKNOWN: is not). */
void tap_read(struct tap *tap, struct path_end *end);

/* Each packet costs something as long as they are open; above all those that go out, of which the
 * kernel makes a copy (net/core/dev.c: dev_queue_xmit_nit). What was counted stays. */
void tap_close(struct tap *tap);
