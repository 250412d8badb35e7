/* path: where the path between clients and servers ends, and why, from what the two ends have
 * counted (base/path.h). Pure. */
#pragma once

#include "base/path.h"

#include <stdbool.h>
#include <stdint.h>

/* What is known of the run beside its counts. */
struct path_plan {
	uint64_t sources; /* addresses that clients connect from */
	char source_low[PATH_ADDRESS_BYTES], source_high[PATH_ADDRESS_BYTES];
	uint16_t port_low, port_high; /* the lowest and the highest source port that is used */
};

/* Fills what is made of path->client and, where path->has_server, path->server: kind, limit, ports,
 * the losses, what it says and advises. What is unknown of them is not used. A server whose counts
 * cannot be the run's alone, since it has accepted more than was asked for, is not used either. */
void path_judge(const struct path_plan *plan, struct path *path);
