/* sampler: takes samples (base/sample.h) of this machine and of the network namespace it is in. */
#pragma once

#include "base/err.h"
#include "base/sample.h"

/* Takes one. What cannot be read stays PROBE_UNKNOWN, or has_slabs is false; has_run is false. */
void sampler_take(struct sample *out);

/* What is taken from now on is of that network namespace: a name, a pid or a path, see netns_join.
 * Before the process has threads; it stays there. 0, or a negative errno with `err`. */
int sampler_enter_netns(const char *which, struct err *err);

/* Waits, at most `most_ns` but for a tenth of a second, until no sockets of an earlier run are
 * being freed any more. Returns the last three looks, 50 ms apart, until it is called again. */
#define SAMPLER_LOOKS 3
const struct sample *sampler_wait_quiet(uint64_t most_ns);

/* Private memory of the calling process; PROBE_UNKNOWN where it cannot be read. */
uint64_t sampler_own_bytes(void);

/* User and system time of the calling process so far. */
uint64_t sampler_own_cpu_ns(void);
