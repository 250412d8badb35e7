/* netns_join: the network namespace that somebody else has made. */
#pragma once

#include "base/err.h"

/* Moves the calling thread into it: `which` is a name in /run/netns ("ip netns add NAME"), else the
 * pid of a process that is in it, else, where it has a slash, a path ("/proc/1234/ns/net"). Needs
 * CAP_SYS_ADMIN. What is read below /proc/self/net is of the process's first thread. 0, or a
 * negative errno with `err`: -EINVAL where `which` is none, -ENOENT, -EPERM. */
int netns_join(const char *which, struct err *err);
