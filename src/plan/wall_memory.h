/* wall_memory: rows of the table of limits: memory, and what socket buffers may take of it. Pure.
 */
#pragma once

#include "plan/wall_kind.h"

extern const struct wall_kind wall_memory[]; /* ended by a row without id */
