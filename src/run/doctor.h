/* doctor: which limit of this machine stops how many connections, for a topology that is told. */
#pragma once

#include "base/err.h"
#include "base/wall.h"
#include "engine/engine.h"

#include <stdbool.h>
#include <stdint.h>

struct doctor_options {
	uint64_t n;
	enum wall_role role;
	const char *target; /* HOST:PORT[-PORT]; NULL: 127.0.0.1:8090                    */
	const char *source; /* LIST|RANGE|CIDR; NULL: what the kernel chooses            */
	int family;         /* AF_INET, AF_INET6 or AF_UNSPEC                            */
	uint16_t port_low, port_high; /* source ports; 0, 0: the kernel's range */
	enum engine_kind engine;
	uint64_t workers; /* of each side; 0: as many as it takes                            */
	uint64_t reserve_bytes; /* 0: the default */
	bool is_assumed; /* what a connection costs is not measured, which takes two seconds */
};

/* Judges this machine. Nothing is sent to the target, nothing is changed. `say` (NULL: nobody) is
 * told why something could not be measured. 0; or a negative errno with one line in `err`: -EINVAL
 * and what name resolution says where options cannot be, -EINTR where the user interrupted the
 * measuring. */
int doctor_examine(const struct doctor_options *options, void (*say)(const char *line),
                   struct wall_report *report, struct err *err);
