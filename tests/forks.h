/* forks: how many tasks the kernel lets the caller make. */
#pragma once

#include <signal.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#define FORKS_MOST 64

/* Makes tasks until the kernel refuses one, or there are FORKS_MOST; they have all ended when it
 * returns. */
static inline uint64_t forks_count(void)
{
	pid_t forked[FORKS_MOST];
	uint64_t count = 0;

	while (count < FORKS_MOST) {
		pid_t pid = fork();

		if (pid == 0) {
			pause();
			_exit(0);
		}
		if (pid < 0)
			break;
		forked[count++] = pid;
	}
	for (uint64_t i = 0; i < count; i++) {
		kill(forked[i], SIGKILL);
		waitpid(forked[i], NULL, 0);
	}
	return count;
}
