/* clock: the one clock of a run. */
#pragma once

#include <stdint.h>

#define NS_PER_S  1000000000ULL
#define NS_PER_MS 1000000ULL

/* CLOCK_MONOTONIC in nanoseconds; the same for all processes of a host. */
uint64_t clock_now_ns(void);

/* Sleeps for at least so long, unless a signal comes. */
void clock_sleep_ns(uint64_t duration_ns);
