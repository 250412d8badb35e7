/* wait: epoll_wait(2) to the nanosecond, where the kernel has that. */
#pragma once

#include <stdint.h>

struct epoll_event;

/* As epoll_wait, until `deadline_ns` (UINT64_MAX: for ever; what has passed: not at all). Never
 * wakes before it without an event. */
int wait_events(int epoll_fd, struct epoll_event *woken, int max, uint64_t deadline_ns);
