/* hosts: several hosts on this machine. Each is a network namespace, held by a process that sleeps
 * and ends with the test; they are joined by wires (pairs of veth devices) or by a switch (a bridge
 * in a namespace of its own), and set up by ip(8). */
#pragma once

#include "trial.h"

#define HOSTS_MOST 24

struct host {
	pid_t pid; /* of who holds it; 0: none */
};

/* Skips the test where no private network is allowed, or ip(8) or veth devices are missing. In a
 * test of a group set up by apart_set_up. */
void hosts_need(void);

/* A host with its loopback up and nothing else; and its end, with all that is in it. */
void host_open(struct host *host);
void host_close(struct host *host);

/* A wire: device `a` of one host, `b` of the other, both up. */
void hosts_wire(const struct host *one, const char *a, const struct host *other, const char *b);

/* Runs a line of shell in there, with ip(8), nft(8) and the like; fails the test where that fails.
 * host_try: whether it did not. */
void host_sh(const struct host *host, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool host_try(const struct host *host, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A trial_prepare function that starts the program in there, by its shell's IP stack; it stands
 * until the next call. */
trial_prepare host_enter(const struct host *host);

/* Moves the calling process there for good: for a child of the test's. */
void host_cross(const struct host *host);

/* A network of `count` hosts on a switch, which is hosts[count]: eth0 of hosts[i] has 198.18.0.x/15
 * and 2001:2::x/48, x = i + 1 (in IPv6 in hexadecimal). */
void hosts_lan(struct host *hosts, unsigned int count);

/* Three: eth0 of the first, 198.18.0.2/16, is wired to eth0 of the router, 198.18.0.1; eth1 of the
 * router, 198.19.0.2/16, to eth0 of the last, 198.19.0.1. Each reaches the other by the router,
 * which forwards. */
void hosts_routed(struct host *near, struct host *router, struct host *far);
