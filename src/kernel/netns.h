/* netns: a process in namespaces of its own: what a lab lives in. */
#pragma once

#include "base/err.h"

#include <stdint.h>
#include <sys/types.h>

enum netns_kind {
	NETNS_HOST, /* no namespaces: the host's network                         */
	NETNS_ROOT, /* network and pid namespace                                 */
	NETNS_USER, /* user, network and pid namespace: needs no privilege       */
	NETNS_KIND_COUNT
};

/* The best kind that works here, tried out in a child; `why` says why a better one does not. */
enum netns_kind netns_probe(struct err *why);

/* Forks a child that runs `inside(arg)` and ends with what it returns as exit code. With namespaces
 * it is the first process of its pid namespace, so that everything it forks ends with it; and the loopback link of
 * its network is up. Its TCP hash has at least `hash_entries` entries where the kernel lets us (6.1; 0: as it is).
 * Whatever ends the caller ends the child. Returns the pid to wait for, or a negative errno; a child that cannot
 * set its namespaces up says so in `err`, which is shared memory, and exits with 125. */
pid_t netns_spawn(enum netns_kind kind, uint64_t hash_entries, int (*inside)(void *), void *arg,
		  struct err *err);
