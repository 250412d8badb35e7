/* file: what users give us as files. */
#pragma once

#include <sys/types.h>

/* Reads up to `size` bytes of it, from its beginning. Returns how many, or a negative errno. */
ssize_t file_read(const char *path, char *buffer, size_t size);
