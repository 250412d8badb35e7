/* clock: the one clock of a run. */
#pragma once

#include <stdint.h>

#define NS_PER_S  1000000000ULL
#define NS_PER_MS 1000000ULL

/* CLOCK_MONOTONIC in nanoseconds; the same for all processes of a host. */
uint64_t clock_now_ns(void);

/* CLOCK_REALTIME: ns since 1970-01-01T00:00:00Z, as this host has it. */
uint64_t clock_unix_ns(void);

/* Sleeps for at least so long, unless a signal comes. */
void clock_sleep_ns(uint64_t duration_ns);

struct timespec;

/* How long ppoll(2) and epoll_pwait2(2) may wait until `deadline_ns`, written to *out: nothing
 * where it has passed. Returns `out`, or NULL for UINT64_MAX. */
struct timespec *clock_timeout(uint64_t deadline_ns, struct timespec *out);

/* How long poll(2) and epoll_wait(2) may wait until `deadline_ns`: rounded up, so that they do not
 * wake before it; 0 where it has passed, -1 for UINT64_MAX. */
int clock_timeout_ms(uint64_t deadline_ns);
