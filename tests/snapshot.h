/* snapshot: the settings of net, fs and kernel that can be read, but for what moves by itself. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct snapshot {
	char *text; /* "PATH\nVALUE\0", one after the other */
	size_t len, size;
};

/* Takes memory, once; false where there is none. It is kept until the process ends. */
bool snapshot_init(struct snapshot *snapshot);

/* /proc/sys/net, fs and kernel, in a fixed order. */
void snapshot_take(struct snapshot *snapshot);

/* Whether both are the same, byte by byte; else the first difference in words. */
bool snapshot_same(const struct snapshot *a, const struct snapshot *b, char *difference,
                   size_t size);
