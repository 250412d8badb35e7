/* clock: monotonic nanoseconds. */
#include "base/clock.h"

#include <time.h>

uint64_t clock_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

void clock_sleep_ns(uint64_t duration_ns)
{
	struct timespec ts = {.tv_sec = (time_t)(duration_ns / NS_PER_S),
	                      .tv_nsec = (long)(duration_ns % NS_PER_S)};

	nanosleep(&ts, NULL);
}
