/* map: the only way memory is had: whole zeroed pages, before the run starts. */
#pragma once

#include <stddef.h>

/* Zeroed pages for this process alone (a child gets a copy). NULL where there is no memory. */
void *map_private(size_t bytes);

/* Zeroed pages that this process shares with the children it forks from now on. NULL where none. */
void *map_shared(size_t bytes);

/* Gives pages back; `at` may be NULL. */
void map_drop(void *at, size_t bytes);
