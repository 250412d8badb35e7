/* wall_files: rows of the table of limits: descriptors, files, processes and locked memory. Pure.
 */
#pragma once

#include "plan/wall_kind.h"

extern const struct wall_kind wall_files[]; /* ended by a row without id */
