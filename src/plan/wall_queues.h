/* wall_queues: rows of the table of limits: queues, tables and features of the network. Pure. */
#pragma once

#include "plan/wall_kind.h"

extern const struct wall_kind wall_queues[]; /* ended by a row without id */
