/* clock: monotonic nanoseconds. */
#include "base/clock.h"

#include <time.h>

#define TIMEOUT_MS_MOST 3600000

uint64_t clock_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

uint64_t clock_unix_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

void clock_sleep_ns(uint64_t duration_ns)
{
	struct timespec ts = {.tv_sec = (time_t)(duration_ns / NS_PER_S),
	                      .tv_nsec = (long)(duration_ns % NS_PER_S)};

	nanosleep(&ts, NULL);
}

struct timespec *clock_timeout(uint64_t deadline_ns, struct timespec *out)
{
	uint64_t now_ns = clock_now_ns();
	uint64_t left_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;

	if (deadline_ns == UINT64_MAX)
		return NULL;
	*out = (struct timespec){.tv_sec = (time_t)(left_ns / NS_PER_S),
	                         .tv_nsec = (long)(left_ns % NS_PER_S)};
	return out;
}

int clock_timeout_ms(uint64_t deadline_ns)
{
	if (deadline_ns == UINT64_MAX)
		return -1;
	uint64_t now_ns = clock_now_ns();

	if (deadline_ns <= now_ns)
		return 0;
	uint64_t ms = (deadline_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS;

	return ms > TIMEOUT_MS_MOST ? TIMEOUT_MS_MOST : (int)ms;
}
