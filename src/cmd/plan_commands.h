/* plan_commands: the command lines that open what was planned, with addresses of the networks for
 * benchmarks (198.18.0.0/15, RFC 2544; 2001:2::/48, RFC 5180). */
#pragma once

#include "plan/sizing.h"

#include <stdint.h>

#define PLAN_COMMANDS_MOST 10

enum plan_place {
	PLAN_SERVER,
	PLAN_CLIENT,
	PLAN_PORTS_SERVER, /* the same by many server ports in place of many source IPs */
	PLAN_PORTS_CLIENT,
	PLAN_LAB, /* both ends on one machine */
	PLAN_PLACE_COUNT
};

struct plan_command {
	enum plan_place place;
	char line[160]; /* "megaconn serve --listen ..." */
};

/* At most PLAN_COMMANDS_MOST, in the order in which they are given; returns how many: none where
 * nothing fits. Source ports are port_low-port_high, ask->source_ports of them. */
uint32_t plan_commands(const struct sizing_ask *ask, const struct sizing *sizing, uint16_t port_low,
                       uint16_t port_high, struct plan_command *out);
