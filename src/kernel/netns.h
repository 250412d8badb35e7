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

struct netns_child {
	enum netns_kind kind;
	uint64_t hash_entries; /* of its TCP hash, at least, where the kernel can (6.1); 0: as is */
	const int *lifeline;   /* a pipe: the caller keeps the writing end, the child reads       */
	int (*inside)(void *arg); /* what runs in there; its result is the exit code */
	void *arg;
	struct err *err; /* in shared memory: why the namespaces could not be set up        */
};

/* Forks a child that runs `inside`, with SIGINT, SIGTERM, SIGHUP and SIGPIPE ignored: a terminal,
 * timeout(1) or a service manager sends them to the whole group, and it is the caller who decides.
 * With namespaces it is the first process of its pid namespace, so that everything it forks ends
 * with it, and the loopback link of its network is up.
 *
 * When the caller is gone, however it ended, the lifeline ends: `inside` reads that, and has
 * NETNS_GRACE_NS to end by itself; then it is killed. Returns the pid to wait for, or a negative
 * errno. A child that cannot set its namespaces up exits with 125. */
#define NETNS_GRACE_NS 2500000000ULL
pid_t netns_spawn(const struct netns_child *child);

/* Networks beside it, by descriptors, which keep them: the calling thread's, and a new one with its
 * loopback link up, whose TCP hash has at least so many entries where the kernel can. The caller
 * stays where it is. A descriptor, or a negative errno. */
int netns_here(void);
int netns_make(uint64_t hash_entries);

/* Moves the calling thread there. What is read below /proc/self/net is of the process's first
 * thread. 0 or a negative errno. */
int netns_enter(int net);
