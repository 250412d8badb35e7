/* program: somebody else's program, started in a network of ours, without a file of its own: what
 * it reads and writes are memory files (memfd_create(2)). */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PROGRAM_PATH_BYTES 256

/* Looks for it where $PATH says, and then where system programs are. 0, or -ENOENT. */
int program_find(const char *name, char path[PROGRAM_PATH_BYTES]);

/* A memory file with this text, which is read from its beginning below /proc/self/fd. A descriptor,
 * or a negative errno. */
int program_text(const char *text, size_t len);

struct program {
	const char *path;
	const char *const *argv; /* ended by NULL */
	int net;                 /* the network it is in (kernel/netns.h); -1: ours           */
	int in, out;             /* its stdin; its stdout and stderr: opened to read and write */
	uint64_t nofile;         /* of its descriptors, at most and at once; 0: as ours       */
};

/* Starts it, in a session of its own, so that a terminal's signals do not reach it, and with no
 * other descriptor. It ends with its parent. Returns its process id, or a negative errno; where it
 * cannot be executed it exits with 127. */
pid_t program_start(const struct program *program);

/* Waits for its end: its exit code, or 128 + the signal. */
int program_wait(pid_t pid);

/* The last line that it wrote, for a reason; "" where there is none. */
void program_last_line(int out, char *line, size_t size);

/* How many descriptors a child has open; UINT64_MAX where that cannot be seen. */
uint64_t program_descriptors(pid_t pid);
