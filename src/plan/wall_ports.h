/* wall_ports: rows of the table of limits: 4-tuples: source ports, source addresses, and what takes
 * ports away. Pure. */
#pragma once

#include "plan/wall_kind.h"

extern const struct wall_kind wall_ports[]; /* ended by a row without id */
