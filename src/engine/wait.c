/* wait: milliseconds would make messages late by half of one, all of them. epoll_pwait2(2) is of
 * Linux 5.11; a container's filter that does not know it answers EPERM. */
#include "engine/wait.h"

#include "base/clock.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <time.h>

int wait_events(int epoll_fd, struct epoll_event *woken, int max, uint64_t deadline_ns)
{
	static bool is_coarse;
	struct timespec left;

	if (!is_coarse) {
		const struct timespec *timeout = clock_timeout(deadline_ns, &left);
		int count = epoll_pwait2(epoll_fd, woken, max, timeout, NULL);

		if (count >= 0 || (errno != ENOSYS && errno != EPERM))
			return count;
		is_coarse = true;
	}
	return epoll_wait(epoll_fd, woken, max, clock_timeout_ms(deadline_ns));
}
