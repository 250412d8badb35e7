/* write_all: a write that is not cut short. */
#pragma once

#include <stddef.h>

/* Writes all of it, or returns a negative errno; some of it may be written then. */
int write_all(int fd, const char *bytes, size_t len);
